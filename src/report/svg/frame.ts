import { element, type Content, type Markup } from '../markup.ts'
import type { Extent, Scale } from './scale.ts'

/** The size that charts are drawn at; they are stretched to the page's width. */
export const CHART_WIDTH = 900
const LEFT = 62
const RIGHT = 12
const TOP = 26
const BOTTOM = 26

/** Colours of lines: told apart by people who see few colours, on light and dark paper alike (Paul Tol's bright scheme). */
export const COLOURS = {
  blue: '#4477aa',
  cyan: '#66ccee',
  green: '#228833',
  yellow: '#ccbb44',
  red: '#ee6677',
  purple: '#aa3377',
  grey: '#999999',
} as const

/** Where a chart of this height has its values. */
export function plotExtents(height: number): { readonly x: Extent; readonly y: Extent } {
  return { x: { from: LEFT, to: CHART_WIDTH - RIGHT }, y: { from: height - BOTTOM, to: TOP } }
}

/** A name in a chart's legend. */
export interface LegendEntry {
  readonly name: string
  readonly colour: string
  readonly dashed?: boolean
}

/** What stands around the values of a chart. */
export interface Frame {
  /** One sentence for who cannot see it. */
  readonly description: string
  readonly height: number
  readonly x: Scale
  readonly y: Scale
  readonly legend: readonly LegendEntry[]
}

/** A chart: grid, axes, legend, and what is drawn on them. Presentation attributes only: style sheets may be forbidden where it is read. */
export function chart({ description, height, x, y, legend }: Frame, ...content: readonly Content[]): Markup {
  const bottom = height - BOTTOM
  return element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${CHART_WIDTH} ${height}`,
      width: '100%',
      role: 'img',
      'font-family': 'system-ui, sans-serif',
      'font-size': 11,
      fill: 'currentColor',
    },
    element('title', {}, description),
    y.ticks.map(({ value, label }) => {
      const at = pixel(y.at(value))
      return [
        element('line', {
          x1: LEFT,
          x2: CHART_WIDTH - RIGHT,
          y1: at,
          y2: at,
          stroke: '#888888',
          'stroke-opacity': 0.25,
        }),
        element('text', { x: LEFT - 6, y: pixel(Number(at) + 4), 'text-anchor': 'end' }, label),
      ]
    }),
    x.ticks.map(({ value, label }) => {
      const at = pixel(x.at(value))
      return [
        element('line', { x1: at, x2: at, y1: bottom, y2: bottom + 4, stroke: '#888888' }),
        tickLabel(label, x.at(value), bottom + 17),
      ]
    }),
    ...content,
    legendOf(legend),
  )
}

/** In the middle below its tick, or ending with the chart where that would cut it off. */
function tickLabel(label: string, at: number, y: number): Markup {
  const over = at + (label.length * CHARACTER_WIDTH) / 2 - CHART_WIDTH
  return over > 0
    ? element('text', { x: CHART_WIDTH, y, 'text-anchor': 'end' }, label)
    : element('text', { x: pixel(at), y, 'text-anchor': 'middle' }, label)
}

/** Widths of letters differ; this is what most texts of the font take at most. */
const CHARACTER_WIDTH = 6.6
const SWATCH_WIDTH = 18

function legendOf(entries: readonly LegendEntry[]): Markup[] {
  let left = LEFT
  return entries.flatMap(({ name, colour, dashed }) => {
    const line = element('line', {
      x1: pixel(left),
      x2: pixel(left + SWATCH_WIDTH - 4),
      y1: 12,
      y2: 12,
      stroke: colour,
      'stroke-width': 3,
      'stroke-dasharray': dashed === true ? '4 3' : undefined,
    })
    const text = element('text', { x: pixel(left + SWATCH_WIDTH), y: 16 }, name)
    left += SWATCH_WIDTH + name.length * CHARACTER_WIDTH + 16
    return [line, text]
  })
}

/** A coordinate with a tenth of a pixel, without a needless zero. */
export function pixel(value: number): string {
  return String(Math.round(value * 10) / 10)
}
