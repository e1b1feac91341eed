import { formatRate } from '../../core/units.ts'
import { visible } from '../../core/visible.ts'
import type { CapacityResult, CapacityStep } from '../../measure/capacity/result.ts'
import type { StepOutcome } from '../../measure/capacity/search.ts'
import { capacityHeadline, capacityNotes, STEP_HEADS, stepCells } from '../capacity-text.ts'
import { durationCell } from '../cells.ts'
import { element, type Markup } from '../markup.ts'
import type { Run } from '../run.ts'
import { type CurveLine, curveChart } from '../svg/curve.ts'
import { COLOURS } from '../svg/frame.ts'
import { table } from './tables.ts'

/** What a search found, its steps, and latency over load with the knee; undefined where none was made. */
export function capacitySection({ capacity }: Run): Markup | undefined {
  if (capacity === undefined) return undefined
  const rows = capacity.steps.map((step) => [...stepCells(step), visible(step.what)])
  return element(
    'section',
    {},
    element('h3', {}, 'Capacity'),
    element('p', {}, element('font', { size: 4 }, element('strong', {}, capacityHeadline(capacity)))),
    element(
      'ul',
      {},
      capacityNotes(capacity).map((note) => element('li', {}, visible(note))),
    ),
    kneeDrawing(capacity),
    table(['step', ...STEP_HEADS, ''], rows, 1),
  )
}

const MARKS: Readonly<Record<StepOutcome, string>> = {
  held: COLOURS.green,
  failed: COLOURS.red,
  undecided: COLOURS.yellow,
  starved: COLOURS.grey,
}

function kneeDrawing({ steps, low, high, basePerSecond, knee }: CapacityResult): Markup | undefined {
  const ordered = steps.toSorted((a, b) => a.perSecond - b.perSecond)
  const lineOf = (name: string, colour: string, valueOf: (step: CapacityStep) => number | null): CurveLine => ({
    name,
    colour,
    points: ordered.flatMap((step) => {
      const y = valueOf(step)
      return y === null ? [] : [{ x: step.perSecond, y, mark: MARKS[step.outcome] }]
    }),
  })
  const drawing = curveChart({
    description: 'Response time over offered load',
    lines: [
      lineOf('p99', COLOURS.red, ({ responseTime }) => responseTime.p99Ns),
      lineOf('p50', COLOURS.blue, ({ responseTime }) => responseTime.p50Ns),
    ],
    band:
      low === null || high === null
        ? undefined
        : { from: low * basePerSecond, to: high * basePerSecond, colour: COLOURS.purple },
    xLabel: formatRate,
    yLabel: durationCell,
  })
  if (drawing === undefined) return undefined
  const says =
    'Response time over the offered rate. A dot is a step: green held, red failed, yellow could not be told, grey was disturbed by our side. ' +
    `The limit lies in the shaded band${knee === null ? '' : `; the knee is at ${formatRate(knee * basePerSecond)}`}.`
  return element('div', {}, element('p', {}, says), drawing)
}
