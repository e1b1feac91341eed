import type { LatencyFigures } from '../measure/figures.ts'
import type { JsonFields } from './json-fields.ts'

/** Reads the figures of a histogram. */
export function readFigures(fields: JsonFields): LatencyFigures {
  return {
    count: fields.number('count'),
    meanNs: fields.numberOrNull('meanNs'),
    minNs: fields.numberOrNull('minNs'),
    p50Ns: fields.numberOrNull('p50Ns'),
    p90Ns: fields.numberOrNull('p90Ns'),
    p99Ns: fields.numberOrNull('p99Ns'),
    p999Ns: fields.numberOrNull('p999Ns'),
    maxNs: fields.numberOrNull('maxNs'),
  }
}
