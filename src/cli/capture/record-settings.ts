import type { Rotation } from '../../archive/parts.ts'

/** Everything that a recorder must know, as plain data: it crosses to the recording thread. */
export interface RecordSettings {
  /** A file's path, or `-` for stdout. */
  readonly output: string
  readonly host: string
  readonly service: string
  readonly source: string
  readonly originUnixNs: bigint
  /** CEL texts, '' where none. */
  readonly match: string
  readonly session: string
  readonly sample: number
  /** undefined: secrets are kept. */
  readonly maskKey: Uint8Array | undefined
  readonly maskRules: readonly string[]
  /** Public keys of age that the originals are sealed for; empty where none are kept. */
  readonly seal: readonly string[]
  readonly keepReplayed: boolean
  readonly maxBodyBytes: number
  readonly limit: number | undefined
  readonly rotation: Rotation | undefined
  readonly secure: boolean
  /** Traffic does not wait: what the disk cannot take is dropped and counted. */
  readonly live: boolean
  readonly version: string
}
