import { element, type Markup } from '../markup.ts'
import { COLOURS } from './frame.ts'
import { pathOf } from './line-chart.ts'
import { linearScale } from './scale.ts'

const WIDTH = 110
const HEIGHT = 22

/** Points of one: more than it has pixels are of no use. */
const MAX_POINTS = 110

/** A line without axes, for a table's cell; where points are put together it shows the greatest. */
export function sparkline(values: readonly (number | null)[], description: string): Markup {
  const perPoint = Math.max(1, Math.ceil(values.length / MAX_POINTS))
  const points: (number | null)[] = []
  for (const [index, value] of values.entries()) {
    const place = Math.floor(index / perPoint)
    points[place] = value === null ? (points[place] ?? null) : Math.max(points[place] ?? 0, value)
  }
  const most = Math.max(1, ...points.map((value) => value ?? 0))
  const y = linearScale(most, { from: HEIGHT - 2, to: 2 }, String)
  const at = (place: number): number => 2 + ((WIDTH - 4) * place) / Math.max(1, points.length - 1)
  return element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      width: WIDTH,
      height: HEIGHT,
      role: 'img',
    },
    element('title', {}, description),
    element('path', { d: pathOf(points, at, y), fill: 'none', stroke: COLOURS.blue, 'stroke-width': 1.2 }),
  )
}
