import { visible } from '../../core/visible.ts'
import { element, type Markup } from '../markup.ts'
import type { Run } from '../run.ts'
import type { RunSeries } from '../series.ts'
import { COLOURS } from '../svg/frame.ts'
import { lineChart } from '../svg/line-chart.ts'
import { metricCell } from '../target-table.ts'

/** Charts of a page; the others are in `target.ndjson`. */
const MAX_CHARTS = 12

/** What the target told of itself over time, a chart a metric, on the time of the run. */
export function targetCharts(
  { target = [] }: Run,
  { spans, spanSeconds, target: lines }: RunSeries,
): readonly Markup[] {
  const shown = lines.filter(({ values }) => values.some((value) => value !== null))
  const charts = shown.slice(0, MAX_CHARTS).map((line) => {
    const source = target.length > 1 ? `${visible(target[line.source]?.name ?? '')}: ` : ''
    const title = `${source}${visible(line.name)}`
    // As long as the run, so that what stands above and below each other is of one time.
    const count = Math.ceil((spans.length * spanSeconds) / line.spanSeconds)
    const values = Array.from({ length: count }, (_, place) => line.values[place] ?? null)
    const drawing = lineChart({
      description: `${title} over time`,
      lines: [{ name: title, colour: COLOURS.purple, values }],
      spanSeconds: line.spanSeconds,
      label: (value) => metricCell(line.name, value),
      height: 130,
    })
    return element('div', {}, drawing)
  })
  const left = shown.length - MAX_CHARTS
  return left > 0 ? [...charts, element('p', {}, `${left} more metrics are in target.ndjson.`)] : charts
}
