import { decodeHdr, percentileDistribution } from '../measure/hdr.ts'
import type { Reporter } from './reporter.ts'

/** The percentile distribution of response time in milliseconds, for HdrHistogram's plotters. */
export const hgrmReporter: Reporter = {
  write(run, out) {
    out.write(percentileDistribution(decodeHdr(run.totals.responseTime.hdrNs, 'run.json: totals.responseTime.hdrNs')))
  },
}
