import { monotonicNs, unixNs } from '../../core/clock.ts'
import type { Endpoint } from '../../core/segment.ts'
import { DEFAULT_GRACE_MS, Relay } from '../../net/relay.ts'
import type { RelayCounters, RelayOptions } from '../../net/relay.ts'
import { RingProducer } from '../../net/ring.ts'
import { SegmentWriter } from './segment-writer.ts'
import type { WriterLosses } from './segment-writer.ts'

/** What an inline tap does. */
export interface TapOptions extends RelayOptions {
  /** How long connections may go on after the signal. Default 10 s; then they are cut off. */
  readonly graceMs?: number
  /** Time 0 of its segments, by both clocks, for a recorder that was started before it. Default: now. */
  readonly origin?: { readonly monotonicNs: number; readonly unixNs: bigint }
}

/** What a tap has done so far. */
export interface TapCounters {
  readonly relay: Readonly<RelayCounters>
  readonly losses: Readonly<WriterLosses>
  /** Bytes in the ring that the recorder has not taken yet. */
  readonly backlogBytes: number
  /** How long the relay itself held chunks, from read to written, in ns; of one chunk in 64. */
  readonly costP50Ns: number
  readonly costP99Ns: number
}

/** A running tap: a relay, and the writing end of a ring whose other end is a `RingSource` in another thread. */
export interface Tap {
  /** Where it listens. */
  readonly address: Endpoint
  /** How many connections it takes at once; fewer than asked for where descriptors are short. */
  readonly maxConnections: number
  /** Wall-clock time 0 of its segments, in nanoseconds since 1970. */
  readonly originUnixNs: bigint
  /** False once it drains. */
  readonly accepting: boolean
  counters(): TapCounters
  /** Cuts open connections off instead of waiting for the end of the grace. */
  cutOff(): void
  /** The reader of the ring is gone; traffic flows on and is counted as unheard. */
  detach(): void
  /** A new reader for a new ring: open connections are announced to it as mid-stream. */
  attach(ring: SharedArrayBuffer): void
  /** Resolves when it has drained after the signal and the ring is ended; the reader then still reads what is held. */
  readonly closed: Promise<void>
}

/**
 * Listens and relays until the signal aborts, then drains. Throws a `MeshError` where it cannot listen. The relay waits for
 * nobody who watches: a slow reader loses copies, a dead one all of them, and both are counted.
 */
export async function startTap(options: TapOptions, ring: SharedArrayBuffer, signal: AbortSignal): Promise<Tap> {
  const origin = options.origin ?? { monotonicNs: monotonicNs(), unixNs: unixNs() }
  const writer = new SegmentWriter(origin.monotonicNs)
  writer.attach(new RingProducer(ring))
  const relay = await Relay.start(options, writer)
  const drain = async (): Promise<void> => {
    await aborted(signal)
    await relay.close(options.graceMs ?? DEFAULT_GRACE_MS)
    await writer.end()
  }
  return {
    address: relay.address,
    maxConnections: relay.maxConnections,
    originUnixNs: origin.unixNs,
    get accepting() {
      return !signal.aborted
    },
    counters: () => ({
      relay: relay.counters,
      losses: writer.losses,
      backlogBytes: writer.backlogBytes,
      costP50Ns: writer.cost.quantileNs(0.5),
      costP99Ns: writer.cost.quantileNs(0.99),
    }),
    cutOff: () => relay.cutOff(),
    detach: () => writer.detach(),
    attach: (next) => writer.attach(new RingProducer(next)),
    closed: drain(),
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
