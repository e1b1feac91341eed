import { formatCount } from '../../core/units.ts'
import { durationCell } from '../cells.ts'
import { element, type Markup } from '../markup.ts'
import type { Run } from '../run.ts'
import { histogramOf } from '../run-span.ts'
import type { RunSeries } from '../series.ts'
import { SpanRates } from './span-rates.ts'
import { COLOURS } from '../svg/frame.ts'
import { heatMap } from '../svg/heat-map.ts'
import { type Line, lineChart } from '../svg/line-chart.ts'
import { spectrum } from '../svg/spectrum.ts'

/** Every chart of a run, each with its heading and what it says. One that would be empty is left out. */
export function chartSections(run: Run, series: RunSeries): readonly Markup[] {
  const rates = new SpanRates(run, series)
  const sections = [
    rateSection(run, series, rates),
    multiplierSection(run, series),
    latencySection(
      series,
      'responseTime',
      'Response time',
      'From when a request was due to its reply: what a user feels.',
    ),
    latencySection(series, 'serviceTime', 'Service time', 'From when it was sent to its reply: what the target took.'),
    heatSection(series),
    spectrumSection(run),
    statusSection(series, rates),
    errorSection(series, rates),
    lagSection(series),
  ]
  return sections.filter((section) => section !== undefined)
}

function section(heading: string, says: string, drawing: Markup | undefined): Markup | undefined {
  if (drawing === undefined) return undefined
  return element('section', {}, element('h3', {}, heading), element('p', {}, says), drawing)
}

/** Offered against achieved; in a closed loop nothing is offered. */
function rateSection({ plan, timeline }: Run, { spanSeconds, spans }: RunSeries, rates: SpanRates): Markup | undefined {
  const lines: Line[] = []
  if (plan.loop === 'open') {
    const due = rates.folded(timeline.due)
    lines.push({ name: 'due', colour: COLOURS.grey, dashed: true, width: 2.5, values: due })
    lines.push({ name: 'sent', colour: COLOURS.blue, values: rates.folded(timeline.sent) })
  }
  lines.push({
    name: 'replies',
    colour: COLOURS.green,
    values: spans.map(({ replies }, place) => rates.of(place, replies)),
  })
  if (lines.every(({ values }) => values.length === 0)) return undefined
  const drawing = lineChart({ description: 'Requests a second over time', lines, spanSeconds, label: rateLabel })
  const says = 'Requests a second. Where sent leaves due, we were late; where replies leave sent, the target was.'
  return section('Offered and achieved', says, drawing)
}

/** Steps of a span in which a stage is looked up: a border within one shows as a slope. */
const LOOKS = 4

/** The load that was asked for over time; undefined where it was the same all along. */
function multiplierSection({ plan: { stages } }: Run, { spanSeconds, spans }: RunSeries): Markup | undefined {
  if (stages === undefined || spans.length === 0) return undefined
  const { list, kind } = stages
  const base = kind === 'rate' ? stages.basePerSecond : 1
  if (base === 0) return undefined
  const values = spans.map((_, place) => {
    let sum = 0
    for (let look = 0; look < LOOKS; look++) {
      const atNs = (place + (look + 0.5) / LOOKS) * spanSeconds * 1e9
      const stage = list.findLast(({ fromNs }) => fromNs <= atNs)
      if (stage === undefined || atNs >= stage.fromNs + stage.playedNs) return null
      sum += stage.from + (stage.to - stage.from) * ((atNs - stage.fromNs) / stage.durationNs)
    }
    return sum / LOOKS / base
  })
  const lines: Line[] = [{ name: 'multiplier', colour: COLOURS.purple, values, width: 2 }]
  const label = (value: number): string => `${Number(value.toPrecision(3))}x`
  const drawing = lineChart({ description: 'The multiplier over time', lines, spanSeconds, label, height: 120 })
  return section('Multiplier', 'How much of the recorded load the stages asked for.', drawing)
}

function latencySection(
  { spanSeconds, spans }: RunSeries,
  of: 'responseTime' | 'serviceTime',
  heading: string,
  says: string,
): Markup | undefined {
  if (spans.every((span) => span[of].count === 0)) return undefined
  const quantile = (share: number): (number | null)[] => spans.map((span) => span[of].quantileNs(share) ?? null)
  const lines: Line[] = [
    { name: 'max', colour: COLOURS.grey, values: quantile(1), width: 1 },
    { name: 'p99', colour: COLOURS.red, values: quantile(0.99) },
    { name: 'p90', colour: COLOURS.yellow, values: quantile(0.9) },
    { name: 'p50', colour: COLOURS.blue, values: quantile(0.5), width: 2 },
  ]
  const description = `${heading} by percentile over time`
  const drawing = lineChart({ description, lines, spanSeconds, label: durationCell, scale: 'log' })
  return section(heading, `${says}${spanWords(spanSeconds)}`, drawing)
}

function spanWords(spanSeconds: number): string {
  return spanSeconds === 1 ? '' : ` Each point is of ${spanSeconds} seconds, percentiles of all replies in them.`
}

function heatSection({ spanSeconds, spans }: RunSeries): Markup | undefined {
  const drawing = heatMap({
    description: 'How many replies took how long, over time',
    histograms: spans.map((span) => span.responseTime),
    spanSeconds,
    label: durationCell,
  })
  return section(
    'Response times, all of them',
    'Two kinds of replies, or a pause of the target, show here and in no percentile.',
    drawing,
  )
}

function spectrumSection({ totals, recorded }: Run): Markup | undefined {
  const drawing = spectrum({
    description: 'Latency by percentile',
    label: durationCell,
    lines: [
      { name: 'recorded', colour: COLOURS.grey, dashed: true, histogram: histogramOf(recorded.serviceTime) },
      { name: 'response', colour: COLOURS.red, histogram: histogramOf(totals.responseTime) },
      { name: 'service', colour: COLOURS.blue, histogram: histogramOf(totals.serviceTime) },
    ],
  })
  return section('By percentile', 'Recorded is the service time in production.', drawing)
}

const STATUS_COLOURS: Readonly<Record<string, string>> = {
  1: COLOURS.grey,
  2: COLOURS.green,
  3: COLOURS.cyan,
  4: COLOURS.yellow,
  5: COLOURS.red,
}

function statusSection({ spanSeconds, spans }: RunSeries, rates: SpanRates): Markup | undefined {
  const classes = new Set(spans.flatMap(({ statuses }) => [...statuses.keys()].map((status) => status.charAt(0))))
  const lines = [...classes].toSorted().map((first): Line => {
    const values = spans.map(({ statuses }, place) =>
      rates.of(
        place,
        sumOf(statuses, (status) => status.startsWith(first)),
      ),
    )
    return { name: `${first}xx`, colour: STATUS_COLOURS[first] ?? COLOURS.purple, values }
  })
  if (lines.length === 0) return undefined
  const drawing = lineChart({ description: 'Replies by status over time', lines, spanSeconds, label: rateLabel })
  return section('Replies by status', 'Replies a second.', drawing)
}

const ERROR_COLOURS: readonly string[] = [COLOURS.red, COLOURS.purple, COLOURS.yellow, COLOURS.cyan, COLOURS.blue]

function errorSection({ spanSeconds, spans }: RunSeries, rates: SpanRates): Markup | undefined {
  const classes = [...new Set(spans.flatMap(({ errors }) => [...errors.keys()]))].toSorted()
  if (classes.length === 0) return undefined
  const lines = classes.map((name, index): Line => ({
    name,
    colour: ERROR_COLOURS[index % ERROR_COLOURS.length] ?? COLOURS.red,
    dashed: index >= ERROR_COLOURS.length,
    values: spans.map(({ errors }, place) => rates.everywhere(place, errors.get(name) ?? 0)),
  }))
  const drawing = lineChart({ description: 'Requests without a reply over time', lines, spanSeconds, label: rateLabel })
  return section('Errors', 'Requests a second that had no reply, by what happened.', drawing)
}

function lagSection({ spanSeconds, spans }: RunSeries): Markup | undefined {
  const values = spans.map(({ lagP99Ns }) => lagP99Ns)
  if (values.every((value) => value === null || value < 1e3)) return undefined
  const lines: Line[] = [{ name: 'lag p99', colour: COLOURS.purple, values }]
  const drawing = lineChart({
    description: 'Our own lag over time',
    lines,
    spanSeconds,
    label: durationCell,
    scale: 'log',
  })
  return section('Our own lag', 'How late we sent what could have been sent: the worst second of each span.', drawing)
}

function sumOf(counts: ReadonlyMap<string, number>, chosen: (name: string) => boolean): number {
  let sum = 0
  for (const [name, count] of counts) if (chosen(name)) sum += count
  return sum
}

function rateLabel(perSecond: number): string {
  return perSecond < 10 ? String(Number(perSecond.toPrecision(2))) : formatCount(Math.round(perSecond))
}
