import type { ShotError } from '../core/outcome.ts'
import { SHOT_ERRORS } from '../core/outcome.ts'
import type { GateSpan } from '../measure/gates/reading.ts'
import { decodeHdr } from '../measure/hdr.ts'
import { Histogram } from '../measure/histogram.ts'
import { SpanTally, Tally } from '../measure/tally.ts'
import type { HistogramDocument, Run, TallyDocument } from './run.ts'

/** What metrics are read from, made of a run that was written: routes by their place in `run.routes`. */
export function spanOfRun({ routes, totals, achieved, plan }: Run): GateSpan {
  const tally = new SpanTally()
  for (const [place, { replayed }] of routes.entries()) {
    if (replayed !== null) tally.routes.set(place, tallyOf(replayed))
  }
  tally.blocked.add(histogramOf(totals.blocked))
  tally.lag.add(histogramOf(totals.lag))
  const { due, sent, sentInWindow, windowNs } = achieved
  const offered = { due, sent: plan.loop === 'open' ? sentInWindow : sent }
  return { tally, total: tally.total(), spanNs: windowNs, offered }
}

function tallyOf(document: TallyDocument): Tally {
  const tally = new Tally()
  tally.responseTime.add(histogramOf(document.responseTime))
  tally.serviceTime.add(histogramOf(document.serviceTime))
  for (const [status, count] of Object.entries(document.statuses)) tally.statuses.set(Number(status), count)
  for (const [name, count] of Object.entries(document.errors)) {
    const error: ShotError | undefined = SHOT_ERRORS.find((known) => known === name)
    if (error !== undefined) tally.errors.set(error, count)
  }
  tally.mismatches = document.mismatches
  tally.bytesSent = document.bytesSent
  tally.bytesReceived = document.bytesReceived
  return tally
}

/** A histogram of a run as it was measured; empty where nothing was. */
export function histogramOf({ hdrNs, count, sumNs, minNs, maxNs }: HistogramDocument): Histogram {
  if (count === 0) return new Histogram()
  return decodeHdr(hdrNs, 'run.json', { sumNs, minNs: minNs ?? 0, maxNs: maxNs ?? 0 })
}
