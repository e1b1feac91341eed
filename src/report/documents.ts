import { figuresOf } from '../measure/figures.ts'
import { encodeHdr } from '../measure/hdr.ts'
import type { Histogram } from '../measure/histogram.ts'
import type { RecordedRoute } from '../measure/recorded.ts'
import type { SpanTally, Tally } from '../measure/tally.ts'
import type { Counts, HistogramDocument, RecordedDocument, TallyDocument, TotalsDocument } from './run.ts'

/** Takes about a millisecond, for the encoding. */
export function histogramDocument(histogram: Histogram): HistogramDocument {
  return { ...figuresOf(histogram), sumNs: histogram.sumNs, hdrNs: encodeHdr(histogram) }
}

export function tallyDocument(tally: Tally): TallyDocument {
  return {
    ...countsOf(tally),
    responseTime: histogramDocument(tally.responseTime),
    serviceTime: histogramDocument(tally.serviceTime),
  }
}

export function totalsDocument(span: SpanTally): TotalsDocument {
  return {
    ...tallyDocument(span.total()),
    blocked: histogramDocument(span.blocked),
    lag: histogramDocument(span.lag),
    warmup: span.warmup,
  }
}

export function recordedDocument(recorded: RecordedRoute): RecordedDocument {
  return {
    count: recorded.count,
    statuses: sortedCounts(recorded.statuses),
    serviceTime: histogramDocument(recorded.serviceTime),
  }
}

/** The counts of a tally, without its histograms. */
export function countsOf(tally: Tally): Omit<TallyDocument, 'responseTime' | 'serviceTime'> {
  return {
    shots: tally.shots,
    sent: tally.sent,
    replies: tally.replies,
    statuses: sortedCounts(tally.statuses),
    mismatches: tally.mismatches,
    errors: sortedCounts(tally.errors),
    bytesSent: tally.bytesSent,
    bytesReceived: tally.bytesReceived,
  }
}

/** By falling count, so that people who read JSON see the most first (numbers as keys are in order all the same). */
export function sortedCounts(counts: ReadonlyMap<string | number, number>): Counts {
  return Object.fromEntries([...counts].toSorted(([, a], [, b]) => b - a))
}
