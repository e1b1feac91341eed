import { type BranchStore, openBranchStore } from '../../cow/postgres/branch/branch-store.ts'
import { type BranchFlags, type BranchPlace, branchPlaceOf } from './cow-flags.ts'
import type { ExitCode } from '../exit-codes.ts'
import type { FlagValues } from '../flags.ts'
import { listenForStop } from '../signals.ts'

/** What a verb about branches works with. */
export interface OpenBranches {
  readonly place: BranchPlace
  readonly store: BranchStore
  /** Aborts on INT and TERM. */
  readonly signal: AbortSignal
}

type PlaceFlags = Omit<FlagValues<BranchFlags>, 'branch'> & { readonly branch?: string | undefined }

/** Opens the branches that the flags mean for the time of a verb: beside a proxy that serves them, or without one. */
export async function withBranches(
  flags: PlaceFlags,
  work: (open: OpenBranches) => Promise<ExitCode>,
): Promise<ExitCode> {
  const place = branchPlaceOf(flags, process.env, process.getuid?.() === 0)
  const stop = listenForStop()
  try {
    const store = await openBranchStore(place.overlay, place.upstream.database, stop.drain)
    try {
      return await work({ place, store, signal: stop.drain })
    } finally {
      await store.close()
    }
  } finally {
    stop.release()
  }
}

/** A branch as people call it. */
export function branchTitle(name: string): string {
  return name === '' ? 'the first branch' : `branch ${name}`
}
