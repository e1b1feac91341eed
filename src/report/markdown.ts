import { formatCount } from '../core/units.ts'
import { visible } from '../core/visible.ts'
import { capacityHeadline, capacityNotes, STEP_HEADS, stepCells } from './capacity-text.ts'
import { comparisonHeadline, comparisonNotes, FINDING_HEADS, findingCells } from './comparison-text.ts'
import { durationCell, quantileCell, rateCell, statusCell } from './cells.ts'
import { checkSentences, FIELD_HEADS, fieldRows, STATUS_HEADS, statusRows } from './check-table.ts'
import { factRows, verdictText } from './fact-rows.ts'
import { failsRun, gateCell, gateOutcome } from './gate-words.ts'
import type { Reporter } from './reporter.ts'
import type { HistogramDocument, Run } from './run.ts'

/** Routes that are shown, the busiest first: a summary is read on a page that others share. */
const MAX_ROUTES = 20

/** Width of a status cell. */
const STATUS_COLUMNS = 40

/** Markdown for the summary of a CI job, or a comment: verdict, gates, latency, routes. */
export const markdownReporter: Reporter = {
  write(run, out) {
    const parts = [
      verdict(run),
      capacity(run),
      comparison(run),
      gates(run),
      check(run),
      latency(run),
      routes(run),
      facts(run),
    ]
    out.write(`${parts.filter((part) => part !== '').join('\n\n')}\n`)
  },
}

function verdict({ verdict: { name, reasons }, verdict: whole, interrupted, asked }: Run): string {
  const head = `### ${name}${interrupted ? ' (interrupted)' : ''}: mesh replay > ${plain(asked.target)}`
  const list = reasons.map(({ what, remedy }) => `- ${plain(what)}${remedy === '' ? '' : ` (try: ${plain(remedy)})`}`)
  return [head, '', `${verdictText(whole)}.`, ...(list.length === 0 ? [] : ['', ...list])].join('\n')
}

function capacity({ capacity: found }: Run): string {
  if (found === undefined) return ''
  const steps = table(
    ['step', ...STEP_HEADS],
    found.steps.map((step) => stepCells(step).map(plain)),
    1,
  )
  return finding(capacityHeadline(found), capacityNotes(found), steps)
}

function comparison({ comparison: made }: Run): string {
  if (made === undefined) return ''
  const rows = table(
    ['route', ...FINDING_HEADS],
    made.findings.map((finding) => findingCells(finding).map(plain)),
    2,
  )
  return finding(comparisonHeadline(made), comparisonNotes(made), rows)
}

/** What was to be found out, and was: a sentence, what else is to be said, and a table. */
function finding(headline: string, notes: readonly string[], rows: string): string {
  return [`**${plain(headline)}**`, '', ...notes.map((note) => `- ${plain(note)}`), '', rows].join('\n')
}

function gates(run: Run): string {
  if (run.gates.length === 0) return ''
  const rows = run.gates.map((result) => {
    const outcome = gateOutcome(result)
    const cells = [failsRun(result) ? `**${outcome}**` : outcome, plain(result.gate), plain(result.what)]
    return [...cells, gateCell(result.actual, result), gateCell(result.limit, result)]
  })
  return table(['', 'gate', '', 'actual', 'limit'], rows, 3)
}

function check({ check: found }: Run): string {
  if (found === undefined) return ''
  const parts = [plain(checkSentences(found).join(' '))]
  const cells = (rows: readonly (readonly string[])[]): readonly (readonly string[])[] =>
    rows.slice(0, MAX_ROUTES).map((row) => row.map(plain))
  const [statuses, fields] = [cells(statusRows(found)), cells(fieldRows(found))]
  if (statuses.length > 0) parts.push(table(['route', ...STATUS_HEADS], statuses, 1))
  if (fields.length > 0) parts.push(table(FIELD_HEADS, fields, FIELD_HEADS.length - 1))
  return parts.join('\n\n')
}

const QUANTILE_HEADS = ['p50', 'p90', 'p99', 'p99.9', 'max']

function quantiles(histogram: HistogramDocument): string[] {
  const cells = (['p50Ns', 'p90Ns', 'p99Ns', 'p999Ns'] as const).map((name) => quantileCell(histogram, name))
  return [...cells, durationCell(histogram.maxNs)]
}

function latency({ recorded, totals }: Run): string {
  const rows = [
    ['recorded', ...quantiles(recorded.serviceTime)],
    ['response', ...quantiles(totals.responseTime)],
    ['service', ...quantiles(totals.serviceTime)],
  ]
  return table(['', ...QUANTILE_HEADS], rows, 1)
}

function routes(run: Run): string {
  const replayed = run.routes.flatMap(({ name, replayed: tally }) => (tally === null ? [] : [{ name, tally }]))
  if (replayed.length === 0) return ''
  const shown = replayed.toSorted((a, b) => b.tally.shots - a.tally.shots).slice(0, MAX_ROUTES)
  const rows = shown.map(({ name, tally }) => [
    plain(name),
    plain(statusCell(tally.statuses, STATUS_COLUMNS)),
    formatCount(tally.sent),
    rateCell(tally.sent, run.achieved.windowNs),
    ...quantiles(tally.responseTime),
  ])
  const heads = ['route', 'status', 'sent', 'rate', ...QUANTILE_HEADS]
  const left = replayed.length - shown.length
  const more = left === 0 ? [] : ['', `${formatCount(left)} more routes are in run.json.`]
  return [
    '<details><summary>Response time by route</summary>',
    '',
    table(heads, rows, 2),
    ...more,
    '',
    '</details>',
  ].join('\n')
}

function facts(run: Run): string {
  return table(
    ['', ''],
    factRows(run).map(([label, text]) => [label, plain(text)]),
    2,
  )
}

/** `numbers`: columns from this one on are figures. */
function table(heads: readonly string[], rows: readonly (readonly string[])[], numbers: number): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const rule = heads.map((_, index) => (index >= numbers ? '---:' : '---'))
  return [line(heads), line(rule), ...rows.map(line)].join('\n')
}

/** Text that means nothing to Markdown or HTML, on one line. */
function plain(text: string): string {
  return visible(text).replaceAll(/[\\`*_[\]<>|~#&]/g, (character) => `&#${character.charCodeAt(0)};`)
}
