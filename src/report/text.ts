import { visible } from '../core/visible.ts'
import type { VerdictName } from '../measure/validity.ts'
import { middleCut, quantileCell, durationCell, countCell, wrap } from './cells.ts'
import { capacityLines } from './capacity-text.ts'
import { checkTable } from './check-table.ts'
import { comparisonLines } from './comparison-text.ts'
import { factRows, verdictText } from './fact-rows.ts'
import { gateTable } from './gate-table.ts'
import type { Reporter } from './reporter.ts'
import { routeTable } from './route-table.ts'
import type { HistogramDocument, Run } from './run.ts'
import { slowestTable } from './slowest-table.ts'
import { targetTable } from './target-table.ts'
import { stageTable } from './stage-table.ts'

const LEAST_COLUMNS = 80
const MOST_COLUMNS = 200
const LABEL_COLUMNS = 12

/** The report that people read: verdict, facts, latencies, routes. No line is wider than `columns` (80 to 200). */
export const textReporter: Reporter = {
  write(run, out, style) {
    const columns = Math.min(MOST_COLUMNS, Math.max(LEAST_COLUMNS, style.columns))
    const sections = [
      [middleCut(visible(`mesh replay > ${run.asked.target}`), columns)],
      verdictBand(run, columns),
      run.capacity === undefined ? [] : capacityLines(run.capacity, columns),
      run.comparison === undefined ? [] : comparisonLines(run.comparison, columns),
      gateTable(run.gates, columns),
      facts(run, columns),
      stageTable(run, columns),
      latencies(run),
      targetTable(run, columns),
      routeTable(run, columns),
      slowestTable(run, columns),
      checkTable(run.check, columns),
      legend(columns),
    ].filter((lines) => lines.length > 0)
    const text = sections.map((lines) => lines.map((line) => `${visible(line).trimEnd()}\n`).join('')).join('\n')
    out.write(style.colour ? coloured(text, run.verdict.name) : text)
  },
}

const VERDICT_COLOURS: Readonly<Record<VerdictName, number>> = { VALID: 32, SATURATED: 33, INVALID: 31 }

/** The verdict's name, where it begins a line for the first time. */
function coloured(text: string, verdict: VerdictName): string {
  return text.replace(`\n${verdict}`, `\n\u001B[1;${VERDICT_COLOURS[verdict]}m${verdict}\u001B[0m`)
}

function verdictBand({ verdict, interrupted }: Run, columns: number): string[] {
  const lines = [`${verdict.name}${interrupted ? ' (interrupted)' : ''}  ${verdictText(verdict)}`]
  for (const { what, remedy } of verdict.reasons) {
    lines.push(...hanging('  - ', what, columns))
    if (remedy !== '') lines.push(...hanging('    try: ', remedy, columns))
  }
  return lines
}

function facts(run: Run, columns: number): string[] {
  return factRows(run).flatMap(([label, text]) => hanging(label.padEnd(LABEL_COLUMNS), text, columns))
}

const LATENCY_HEADS = ['p50', 'p90', 'p99', 'p99.9', 'max', 'samples']

function latencies({ totals, recorded, plan }: Run): string[] {
  const rows: [string, HistogramDocument][] = [
    ['recorded', recorded.serviceTime],
    ['response', totals.responseTime],
    ['service', totals.serviceTime],
  ]
  if (plan.loop === 'open') rows.push(['blocked', totals.blocked], ['lag', totals.lag])
  const cells = (label: string, columns: readonly string[]): string =>
    label.padEnd(LABEL_COLUMNS) + columns.map((cell) => cell.padStart(11)).join('')
  return [
    cells('', LATENCY_HEADS),
    ...rows.map(([label, histogram]) =>
      cells(label, [
        quantileCell(histogram, 'p50Ns'),
        quantileCell(histogram, 'p90Ns'),
        quantileCell(histogram, 'p99Ns'),
        quantileCell(histogram, 'p999Ns'),
        durationCell(histogram.maxNs),
        countCell(histogram.count),
      ]),
    ),
  ]
}

function legend(columns: number): string[] {
  const text =
    'response: from when a request was due to its reply, what a user feels. service: from when it was sent, what the target took. ' +
    'blocked: it waited for the reply before it on its connection. lag: we were late. ' +
    '~: fewer than 100 samples lie beyond this quantile; -: not one does.'
  return [...wrap(text, columns)]
}

/** A label, and a text beside it that is wrapped to the right of the label. */
function hanging(label: string, text: string, columns: number): string[] {
  const indent = ' '.repeat(label.length)
  return wrap(visible(text), columns - label.length).map((line, index) => (index === 0 ? label : indent) + line)
}
