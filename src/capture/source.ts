import type { Segment } from '../core/segment.ts'

/**
 * Where bytes come from: a tap's ring, a pcap, a live sniff. One method; everything after it (decode, pair, select, mask,
 * record) is the same for all. The iteration ends when the source does or the signal aborts; it throws a `MeshError` where
 * the source is unreadable.
 */
export interface Source {
  /**
   * Segments of many connections, interleaved in order of arrival, in batches: one `await` for as many segments as are at
   * hand, because one for each would cost more than decoding it. Batches are never empty; the receiver owns them.
   */
  segments(signal: AbortSignal): AsyncIterable<readonly Segment[]>
}
