import type { Ledger } from '../../core/ledger.ts'
import { formatCount, formatMany } from '../../core/units.ts'
import type { ComparisonReport } from '../../mirror/comparison.ts'
import type { Tally } from '../../mirror/counts.ts'
import { sumOf } from '../../mirror/counts.ts'
import type { MirrorReport } from '../../mirror/mirror.ts'
import type { FindingGroup } from '../../compare/findings.ts'

/** Groups and noisy fields that are printed; `--json` has more. */
const MAX_LINES = 20

/** What reasons are called on a screen; the others are called as they are. */
const TITLES: Readonly<Record<string, string>> = {
  'queue-full': 'the queue was full',
  waited: 'waited longer than --timeout',
  ended: 'the run ended',
  timeout: 'no reply in time',
  refused: 'connection refused',
  limit: 'a body longer than --max-body',
  gap: 'bytes were lost',
  close: 'the connection ended inside',
  end: 'the run ended inside',
}

/** The proof of a mirror's run, for people: what was seen and what became of it; each sum is of what stands below it. */
export function proofText({ counts, comparison }: MirrorReport, ledger: Ledger): string {
  const { requests } = ledger
  const lost = requests.seen - counts.taken - requests.filtered - requests.sampled
  const unsent = sumOf(counts.dropped) + counts.waiting
  const rows: [string, number, string][] = [
    ['requests seen', requests.seen, ''],
    ['  mirrored', counts.sent, ''],
    ['    answered', counts.answered, ''],
    ['    unanswered', sumOf(counts.unanswered) + counts.flying, reasons(counts.unanswered)],
    ['  dropped', unsent, reasons(counts.dropped)],
    ['  held back', sumOf(counts.held), reasons(counts.held)],
    ['  not mirrorable', sumOf(counts.unsendable), reasons(counts.unsendable)],
    ['  left out', requests.filtered + requests.sampled, reasons(leftOut(ledger))],
    ['  not read', lost, reasons(unread(ledger))],
  ]
  const lines = countTable(rows)
  if (comparison !== undefined) lines.push('', ...comparisonLines(comparison, counts.answered))
  return `${lines.join('\n')}\n`
}

function comparisonLines(found: ComparisonReport, answered: number): string[] {
  const lines = countTable([
    ['replies compared', answered - sumOf(found.notCompared), ''],
    ['  same', found.same, ''],
    ['  diverging', found.diverging, ''],
    ['  noise only', found.noisy, ''],
    ['  base moved', found.baseMoved, ''],
    ['  after a drop', found.afterDrop, ''],
    ['not compared', sumOf(found.notCompared), reasons(found.notCompared)],
  ])
  if (found.groups.length > 0) lines.push('', 'diverging, by route and field:')
  for (const group of found.groups.slice(0, MAX_LINES)) lines.push(...groupLines(group))
  const more = found.groups.length + found.moreGroups - MAX_LINES
  if (more > 0) lines.push(`  and ${formatCount(more)} more`)
  if (found.unlearnt.length > 0) {
    lines.push(
      `${formatMany(found.unlearnt.length, 'route')} of these had no two equal requests within a minute: what differs by itself there,`,
      'such as a clock, counts as diverging; --twin URL tells it by a second staging, --ignore leaves fields out',
    )
  }
  if (found.noise.length > 0) {
    const shown = found.noise.slice(0, MAX_LINES).map(({ route, field }) => `${route} ${field}`)
    lines.push('', `noise: ${shown.join(', ')}${found.noise.length > MAX_LINES ? ', ..' : ''}`)
  }
  if (found.forgottenSessions > 0) {
    lines.push(
      `${formatCount(found.forgottenSessions)} dropped sessions were forgotten: their differences count as diverging`,
    )
  }
  return lines
}

function groupLines({ route, field, kind, count, example }: FindingGroup): string[] {
  const line = `  ${formatCount(count).padStart(7)}  ${route}  ${field}  ${kind}`
  if (kind === 'order') return [line, '           the same elements, in another order']
  if (example === undefined) return [line]
  const value = (text: string): string => (text === '' ? 'none' : text)
  return [line, `           production ${value(example.production)}, staging ${value(example.staging)}`]
}

/** One line of progress. */
export function progressText({ counts, comparison }: MirrorReport): string {
  const parts = [
    `${formatCount(counts.sent)} mirrored`,
    `${formatCount(counts.answered)} answered`,
    `${formatCount(sumOf(counts.held))} held back`,
  ]
  if (counts.waiting > 0) parts.push(`${formatCount(counts.waiting)} waiting`)
  if (comparison !== undefined) parts.push(`${formatCount(comparison.diverging)} diverging`)
  const dropped = sumOf(counts.dropped) + sumOf(counts.unanswered)
  if (dropped > 0) parts.push(`${formatCount(dropped)} DROPPED`)
  return parts.join(', ')
}

function leftOut({ requests, reasons: why }: Ledger): Tally {
  const replayed = why.get('requests.filtered.replayed') ?? 0
  return { replayed, 'not matched': requests.filtered - replayed, sampled: requests.sampled }
}

function unread({ requests }: Ledger): Tally {
  const { gap, midStream, opaque, undecodable, dropped, pending } = requests
  return { gap, 'mid-stream': midStream, opaque, undecodable, dropped, pending }
}

function reasons(tally: Tally): string {
  return Object.entries(tally)
    .filter(([, count]) => count > 0)
    .sort(([, one], [, other]) => other - one)
    .map(([name, count]) => `${TITLES[name] ?? name} ${formatCount(count)}`)
    .join(', ')
}

/** Names to the left, counts to the right, reasons behind them; without the rows that count nothing and are further in. */
export function countTable(rows: readonly (readonly [string, number, string])[]): string[] {
  const shown = rows.filter(([name, count]) => count !== 0 || !/^ {2}(?:not |left|  un)|^not/.test(name))
  const names = Math.max(...shown.map(([name]) => name.length))
  const counts = Math.max(...shown.map(([, count]) => formatCount(count).length))
  return shown.map(([name, count, why]) =>
    `${name.padEnd(names)}  ${formatCount(count).padStart(counts)}  ${why}`.trimEnd(),
  )
}
