import type { HeaderField } from '../../core/head.ts'
import type { StagingTarget } from '../../mirror/staging-client.ts'

/** Everything that a mirror must know, as plain data: it crosses to the mirroring thread. */
export interface MirrorSettings {
  readonly originUnixNs: bigint
  readonly target: StagingTarget
  /** A second staging, whose disagreement with the first is noise. */
  readonly twin: StagingTarget | undefined
  readonly headers: readonly HeaderField[]
  readonly keepHost: boolean
  readonly runId: string
  readonly allowWrites: boolean
  readonly base: 'live' | 'still'
  readonly compare: boolean
  /** Rules of `compare: ignore`, and where they stand. */
  readonly ignore: readonly string[]
  readonly ignoreWhere: string
  readonly maskRules: readonly string[]
  /** CEL texts, '' where none. */
  readonly match: string
  readonly session: string
  readonly sample: number
  readonly timeoutNs: number
  readonly maxInFlight: number
  readonly maxBodyBytes: number
  /** Clients speak TLS. */
  readonly secure: boolean
  readonly routes: readonly string[]
}

/** What the tap's thread tells the mirroring thread: end now, with what is known. */
export const HURRY = 'hurry'
