import type { Exchange, LateResponse } from './exchange.ts'
import type { Ledger } from './ledger.ts'
import type { Unseal } from './originals.ts'

/** How the originals of masked values were sealed. */
export interface RecordingSeal {
  /** The key of the originals, as an armored age file. */
  readonly key: string
  /** For how many public keys it was encrypted; age does not tell for which. */
  readonly recipients: number
  /** The `--mask` rules beside the built-in ones: what else is a secret in what is restored. */
  readonly maskRules: readonly string[]
}

/**
 * Finds what opens the seal of a recording; undefined leaves it closed, or there is none. `where` is the file's name. Throws a
 * `MeshError` where it should open and does not.
 */
export type OpenSeal = (info: RecordingInfo, where: string) => Promise<Unseal | undefined>

/** What a recording says of itself: where it comes from and what was done to it. Written at its start and its end. */
export interface RecordingInfo {
  /** The same in all parts of one recording; parts are numbered from 0. */
  readonly recordingId: string
  readonly part: number
  /** The host that was captured, and the service on it. */
  readonly host: string
  readonly service: string
  /** How it was captured: `tap 0.0.0.0:8080 > 127.0.0.1:9000`, `pcap a.pcap`. */
  readonly source: string
  /** Wall-clock nanoseconds since 1970 of time 0 in this recording. Every `…Ns` of its exchanges counts from here. */
  readonly originUnixNs: bigint
  /** CEL texts, '' where none. */
  readonly match: string
  readonly sessionBy: string
  /** Share of sessions kept, 1 for all. */
  readonly sample: number
  /** `masked`, or `kept` where secrets were kept on purpose. */
  readonly secrets: 'masked' | 'kept'
  /** Identifies the mask key without revealing it; '' where nothing was masked. Equal keys give equal pseudonyms. */
  readonly maskKeyId: string
  /** Absent where no originals were kept. */
  readonly seal?: RecordingSeal
  readonly maxBodyBytes: number
  /** Version of `mesh` that wrote it. */
  readonly version: string
}

/** A span of time in nanoseconds since 1970, `from` included, `to` not. */
export interface TimeRange {
  readonly fromUnixNs: bigint
  readonly toUnixNs: bigint
}

/**
 * Takes exchanges and keeps them. `write` and `writeLate` append in memory, in the caller's turn of the loop, so that the
 * ledger delta that closes a chunk always speaks of what is in it; bytes reach the disk behind them. What is written is settled in
 * the ledger first: a full chunk takes its delta inside `write`.
 */
export interface RecordingWriter {
  write(exchange: Exchange): void
  writeLate(late: LateResponse): void
  /** Resolves when the backlog has room again: a caller that can wait does, one that cannot drops and counts. */
  drained(): Promise<void>
  /** Writes what is left, the last ledger and the index. */
  close(): Promise<void>
}

/** One recording (or part of one), opened for reading. */
export interface RecordingReader {
  readonly info: RecordingInfo
  /** `closed` by its writer, or `cut` by a crash: then it holds what its whole chunks hold. */
  readonly ending: 'closed' | 'cut'
  /** Exchanges in the order of their requests' first bytes, late responses joined. May be called more than once. */
  exchanges(range?: TimeRange, signal?: AbortSignal): AsyncIterable<Exchange>
  /** The same exchanges, some at a time: for readers to whom a promise an exchange is too dear. The caller owns the lists. */
  exchangeBatches(range?: TimeRange, signal?: AbortSignal): AsyncIterable<readonly Exchange[]>
  /** The sum of the ledger deltas in all whole chunks. */
  ledger(): Promise<Ledger>
  close(): Promise<void>
}

/** An exchange of one of several recordings on a timeline that they share. */
export interface MergedExchange {
  /** Index of the recording among those that were merged. */
  readonly recording: number
  /** When its request began, in nanoseconds on the shared timeline. The exchange's own times stay those of its recording. */
  readonly atNs: number
  readonly exchange: Exchange
}
