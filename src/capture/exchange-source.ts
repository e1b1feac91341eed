import type { ExchangeDraft } from './intake.ts'

/**
 * Where exchanges come from that another tool put together already (gor, HAR). What such a source could not read it
 * counts; it throws a `MeshError` only where nothing more can be read.
 */
export interface ExchangeSource {
  /** Wall-clock nanoseconds of time 0 of its exchanges; known once the first exchange was yielded. */
  readonly originUnixNs: bigint
  /** Facts beside the exchanges, by name: `records.malformed`, `requests.undecodable.two-lengths`. */
  readonly counts: ReadonlyMap<string, number>
  /** Exchanges about in the order of their requests, with `id` 0 and no session: the intake gives both. */
  exchanges(signal: AbortSignal): AsyncIterable<ExchangeDraft>
}
