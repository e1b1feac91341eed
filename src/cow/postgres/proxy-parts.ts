import { type BranchSource, readBranchSchema } from './branch/branch-database.ts'
import { hasCluster, openOverlay, type OverlayOptions } from './overlay/overlay.ts'
import type { StateLock } from './overlay/state-lock.ts'
import { openProxyGate, type ProxyGateOptions } from './proxy-gate.ts'

/** What gate, overlay and the reading of a schema are started with. */
export interface PartsOptions extends Omit<ProxyGateOptions, 'isEmbedded'> {
  readonly overlay: OverlayOptions
  /** The compiled `pg-dump-thread.js`. Default: the one beside the program. */
  readonly dumpThread?: URL | undefined
}

/**
 * Opens the gate to production and the overlay side by side: neither needs the other. Where there is no branch at all yet, production's
 * schema is read while the overlay's server starts. `claim`: the overlay is the caller's. Where one fails the others are stopped, and the first error is thrown.
 */
export async function openParts(options: PartsOptions, claim: StateLock, signal: AbortSignal): Promise<BranchSource> {
  const { overlay: place, upstream, dumpThread } = options
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  let first: unknown
  const orStop = (thrown: unknown): never => {
    if (!failed.signal.aborted) first = thrown
    failed.abort()
    throw thrown
  }
  const isFresh = place.kind === 'embedded' && !(await hasCluster(place))
  const gate = openProxyGate({ ...options, isEmbedded: place.kind === 'embedded' }, either).catch(orStop)
  const overlay = openOverlay(place, either, claim).catch(orStop)
  const schema = isFresh
    ? gate.then((opened) => readBranchSchema({ gate: opened, upstream, dumpThread }, either)).catch(orStop)
    : undefined
  const all = await Promise.allSettled([gate, overlay, schema])
  const [openedGate, openedOverlay, readSchema] = all
  if (openedGate.status === 'fulfilled' && openedOverlay.status === 'fulfilled' && readSchema.status === 'fulfilled')
    return { gate: openedGate.value, overlay: openedOverlay.value, upstream, dumpThread, schema: readSchema.value }
  if (openedOverlay.status === 'fulfilled') await openedOverlay.value.close()
  if (openedGate.status === 'fulfilled') await openedGate.value.close()
  throw first
}
