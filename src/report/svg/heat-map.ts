import { bucketLowNs, BUCKET_COUNT } from '../../measure/buckets.ts'
import type { Histogram } from '../../measure/histogram.ts'
import { element, type Markup } from '../markup.ts'
import { chart, COLOURS, pixel, plotExtents } from './frame.ts'
import { logScale, type Scale, timeScale } from './scale.ts'

/** Cells across: one is some seven pixels wide. */
const MAX_COLUMNS = 120

/** Buckets of a histogram that make one row: 128 are a doubling of the latency, so that a row is a fifth higher than the last. */
const BUCKETS_PER_ROW = 32

/** Shades, so that neighbours are told apart. Each is one path, which keeps the page small. */
const SHADES = [0.12, 0.25, 0.42, 0.6, 0.8, 1] as const

/** How many replies took how long, over time: what percentiles hide, as two kinds of replies or a pause, shows here. */
export interface HeatMap {
  readonly description: string
  readonly histograms: readonly Histogram[]
  readonly spanSeconds: number
  readonly label: (ns: number) => string
}

export function heatMap({ description, histograms, spanSeconds, label }: HeatMap): Markup | undefined {
  const perColumn = Math.max(1, Math.ceil(histograms.length / MAX_COLUMNS))
  const columns = columnsOf(histograms, perColumn)
  const rows = columns.flatMap((column) => [...column.keys()])
  if (rows.length === 0) return undefined
  const [first, last] = [Math.min(...rows), Math.max(...rows)]
  const height = 240
  const extents = plotExtents(height)
  const x = timeScale(histograms.length * spanSeconds, extents.x)
  const y = logScale(Math.max(1e3, lowOf(first)), lowOf(last + 1), extents.y, label)
  const most = Math.max(...columns.flatMap((column) => [...column.values()]))
  const paths = SHADES.map(() => '')
  for (const [index, column] of columns.entries()) {
    const left = x.at(index * perColumn * spanSeconds)
    const right = x.at(Math.min(histograms.length, (index + 1) * perColumn) * spanSeconds)
    for (const [row, count] of column) {
      // The root: a few slow replies among thousands of fast ones are what one looks for.
      const shade = Math.min(SHADES.length - 1, Math.floor(Math.sqrt(count / most) * SHADES.length))
      paths[shade] += cell(left, right, row, y)
    }
  }
  const legend = [{ name: 'replies, the more the darker', colour: COLOURS.blue }]
  const drawn = paths.map((path, shade) =>
    path === '' ? undefined : element('path', { d: path, fill: COLOURS.blue, 'fill-opacity': SHADES[shade] }),
  )
  return chart({ description, height, x, y, legend }, drawn)
}

function columnsOf(histograms: readonly Histogram[], perColumn: number): readonly ReadonlyMap<number, number>[] {
  const columns: Map<number, number>[] = []
  for (const [index, histogram] of histograms.entries()) {
    const column = (columns[Math.floor(index / perColumn)] ??= new Map<number, number>())
    histogram.forEachBucket((bucket, count) => {
      const row = Math.floor(bucket / BUCKETS_PER_ROW)
      column.set(row, (column.get(row) ?? 0) + count)
    })
  }
  return columns
}

function lowOf(row: number): number {
  return bucketLowNs(Math.min(BUCKET_COUNT - 1, row * BUCKETS_PER_ROW))
}

function cell(left: number, right: number, row: number, y: Scale): string {
  const [top, bottom] = [y.at(lowOf(row + 1)), y.at(Math.max(1, lowOf(row)))]
  const width = pixel(right - left)
  return `M${pixel(left)} ${pixel(top)}h${width}v${pixel(bottom - top)}h-${width}z`
}
