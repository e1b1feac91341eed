import { formatBytes, formatCount, formatDurationNs, formatMany } from '../core/units.ts'
import type { ReasonCode, Verdict, VerdictName } from '../measure/validity.ts'
import { countsText, percentCell, rateCell, recordedRateCell, statusCell } from './cells.ts'
import { operatorText } from './operator.ts'
import type { Counts, Run } from './run.ts'

/** What a run was and did, in labelled lines: label, text. Texts have names out of recordings in them, as they are. */
export function factRows(run: Run): readonly (readonly [label: string, text: string])[] {
  const rows: [string, string][] = [
    ['recorded', recordedText(run)],
    ['replayed', replayedText(run)],
    ['offered', offeredText(run)],
    ['achieved', achievedText(run)],
    ['replies', repliesText(run)],
  ]
  const optional = [
    ['errors', countsText(run.totals.errors)],
    ['left out', leftOutText(run)],
    ['senders', countsText(inWords(run.counters))],
    ['operator', operatorText(run.operator ?? [])],
  ] as const
  for (const [label, text] of optional) if (text !== '') rows.push([label, text])
  for (const warning of run.plan.warnings) rows.push(['note', warning])
  rows.push(['run', `${run.startedAt}, mesh ${run.version}, ${run.runId}`])
  return rows
}

const VERDICT_TEXTS: Readonly<Record<VerdictName, string>> = {
  VALID: 'nothing on our side disturbed these numbers',
  SATURATED: 'the target did not keep up: these numbers are its limit, not our fault',
  INVALID: 'our side disturbed these numbers: they say nothing about the target',
}

/** Where nobody disturbed anything, and there is no verdict on the target all the same. */
const REASON_TEXTS: Readonly<Partial<Record<ReasonCode, string>>> = {
  nothing_sent: 'there was nothing to judge: no request was sent',
  no_replies: 'there was nothing to judge: nothing answered',
  masked: 'values were masked in the recording: these are the numbers of another load, not of the recorded one',
  unissued:
    'requests were left out for want of a login or an id: these are the numbers of another load, not of the recorded one',
  refused: 'the target refused what was sent: these are the numbers of refusals',
  few_samples: 'too few samples for what was to be judged',
  no_data: 'a gate has nothing to be judged by',
}

/** One sentence on the verdict, by the first of its reasons, which is the worst. */
export function verdictText({ name, reasons }: Verdict): string {
  const worst = reasons[0]
  return (worst?.verdict === name ? REASON_TEXTS[worst.code] : undefined) ?? VERDICT_TEXTS[name]
}

/** What counters of the sending threads are called on paper; those not listed are words already. */
const COUNTER_WORDS: Readonly<Record<string, string>> = {
  connected: 'connections made',
  reconnected: 'made again',
  closedByTarget: 'closed by the target',
  unsolicited: 'closed for unasked bytes',
  heldBack: 'not tried while it refused',
  correlated: 'with values the target issued',
  correlationWaited: 'waited for such a value',
  correlationLost: 'dropped for want of one',
  peakConnections: 'most connections at a time',
  peakInFlight: 'most unanswered at a time',
  lostRows: 'rows not written',
}

function inWords(counts: Counts): Counts {
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [COUNTER_WORDS[name] ?? name, count]))
}

function recordedText(run: Run): string {
  const { asked, recorded, plan } = run
  const hosts = [...new Set(asked.recordings.map((recording) => recording.host))].filter((host) => host !== '')
  const many = formatMany(asked.recordings.length, 'recording')
  const names = hosts.length === 0 ? '' : ` (${hosts.slice(0, 6).join(', ')}${hosts.length > 6 ? ', …' : ''})`
  const span = formatDurationNs(plan.recordedSpanNs)
  const rate = recordedRateCell(recorded.count, run)
  return `${many}${names}, ${formatCount(recorded.count)} requests in ${span}${rate === '' ? '' : `, ${rate}`}`
}

function replayedText({ plan, achieved, capacity }: Run): string {
  if (capacity !== undefined) {
    const most = Math.max(0, ...capacity.steps.map(({ multiplier }) => multiplier))
    const many = capacity.steps.length
    return `in ${many} step${many === 1 ? '' : 's'} of up to ${factor(most)} onto one target, ${formatDurationNs(achieved.windowNs)} measured`
  }
  const speed =
    plan.speed === 'max' ? 'as fast as replies came' : plan.speed === 1 ? '' : `at ${factor(plan.speed)} speed`
  const warmup = achieved.warmupNs > 0 ? `after ${formatDurationNs(achieved.warmupNs)} of warm-up` : ''
  const parts = [
    `${plan.stages?.kind === 'multiplier' ? 'up to ' : ''}${factor(plan.amplify)} onto one target`,
    `${plan.loop} loop`,
    speed,
    formatDurationNs(achieved.windowNs),
  ]
  return [parts.filter((part) => part !== '').join(', '), warmup].filter((part) => part !== '').join(' ')
}

function factor(value: number): string {
  return `${Number(value.toPrecision(3))}x`
}

function offeredText({ achieved, plan }: Run): string {
  if (plan.loop === 'closed') return 'as many as the connections took (closed loop)'
  const { due, windowNs, peakDuePerSecond } = achieved
  return `${formatCount(due)} requests, ${rateCell(due, windowNs)}, peak ${rateCell(peakDuePerSecond, 1e9)}`
}

function achievedText({ achieved, plan }: Run): string {
  const { due, sent, sentInWindow, windowNs, peakSentPerSecond } = achieved
  const inTime = plan.loop === 'closed' || due === 0 ? '' : ` (${percentCell(sentInWindow / due)} in the window)`
  return `${formatCount(sent)} sent${inTime}, ${rateCell(sent, windowNs)}, peak ${rateCell(peakSentPerSecond, 1e9)}`
}

function repliesText({ totals }: Run): string {
  const differing = totals.mismatches === 0 ? '' : `; ${formatCount(totals.mismatches)} differ from the recorded status`
  const bytes = `; ${formatBytes(totals.bytesSent)} sent, ${formatBytes(totals.bytesReceived)} received`
  return `${formatCount(totals.replies)}: ${statusCell(totals.statuses, 40)}${differing}${bytes}`
}

function leftOutText({ plan, totals }: Run): string {
  const parts: string[] = []
  if (Object.keys(plan.heldBack).length > 0) parts.push(`held back ${countsText(plan.heldBack)}`)
  if (Object.keys(plan.notReplayable).length > 0) parts.push(`not replayable ${countsText(plan.notReplayable)}`)
  if (totals.warmup > 0) parts.push(`warm-up ${formatCount(totals.warmup)}`)
  return parts.join('; ')
}
