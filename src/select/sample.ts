import { hashText } from '../core/random.ts'

/** Decides for a whole session whether it is kept, so that sessions stay whole. */
export type Sampler = (session: string) => boolean

/**
 * Keeps a share of all sessions: by a hash of the key, so that every host, and every run, keeps the same ones.
 * `share` is above 0 and up to 1.
 */
export function sampleSessions(share: number): Sampler {
  if (share >= 1) return () => true
  const bound = share * 0x1_0000_0000
  return (session) => hashText(session, SAMPLE_SEED) < bound
}

/** Apart from the seeds of sharding and amplifying: otherwise a sample would fall onto few shards. */
const SAMPLE_SEED = 0x5a17
