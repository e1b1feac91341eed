import { Histogram } from '../../src/measure/histogram.ts'

export function histogramOf(durationsNs: readonly number[]): Histogram {
  const histogram = new Histogram()
  for (const ns of durationsNs) histogram.record(ns)
  return histogram
}

export function bucketsOf(histogram: Histogram): [number, number][] {
  const buckets: [number, number][] = []
  histogram.forEachBucket((bucket, count) => buckets.push([bucket, count]))
  return buckets
}
