import { join } from 'node:path'
import { MeshError, toMeshError } from '../../../core/errors.ts'
import { hasCluster, joinOverlay, openOverlay, type Overlay, type OverlayOptions } from '../overlay/overlay.ts'
import type { ServerConnection } from '../server-connection.ts'

/** The branches of one production, for whoever looks after them: while a proxy serves them, or at rest. */
export interface BranchStore {
  /** Production's database, whose name the branches' databases begin with. */
  readonly upstreamDatabase: string
  /** The mesh that runs the overlay's server; undefined where we do, and where it is a server of the user's own. */
  readonly holder: number | undefined
  /** The overlay is a server of the user's own. */
  readonly isExternal: boolean
  /** The overlay. */
  readonly overlay: Overlay
  /** Runs some work as the overlay's superuser in a database. An aborted signal ends it. */
  use<Result>(database: string, work: (admin: ServerConnection) => Promise<Result>): Promise<Result>
  /** Stops the overlay's server where we started it. */
  close(): Promise<void>
}

/**
 * Opens the branches: joins the server of a mesh that runs it, or starts it. Nothing is asked of production.
 *
 * @throws MeshError MESH_ERR_FILE_NOT_FOUND where there is no branch yet, else as `openOverlay`.
 */
export async function openBranchStore(
  options: OverlayOptions,
  upstreamDatabase: string,
  signal: AbortSignal,
): Promise<BranchStore> {
  const { overlay, processId } = await reach(options, signal)
  return {
    upstreamDatabase,
    holder: processId,
    isExternal: options.kind === 'external',
    overlay,
    close: () => overlay.close(),
    use: async (database, work) => {
      const admin = await overlay.connectAdmin(database, signal)
      const stop = (): void => admin.destroy()
      signal.addEventListener('abort', stop)
      try {
        return await work(admin)
      } catch (thrown) {
        if (signal.aborted) throw new MeshError('MESH_ERR_ABORTED', { what: 'stopped before it was done' })
        throw thrown
      } finally {
        signal.removeEventListener('abort', stop)
        await admin.end()
      }
    },
  }
}

async function reach(
  options: OverlayOptions,
  signal: AbortSignal,
): Promise<{ readonly overlay: Overlay; readonly processId: number | undefined }> {
  if (options.kind === 'external') return { overlay: await openOverlay(options, signal), processId: undefined }
  // A verb that looks must not leave an empty overlay behind.
  if (!(await hasCluster(options))) {
    throw new MeshError('MESH_ERR_FILE_NOT_FOUND', {
      what: 'there is no branch of this production yet',
      where: join(options.stateFolder, options.name),
      remedy: 'start one with mesh cow postgres, or check --upstream and --state',
    })
  }
  const joined = await joinOverlay(options)
  if (joined !== undefined) return joined
  try {
    return { overlay: await openOverlay(options, signal), processId: undefined }
  } catch (thrown) {
    // A proxy started in between.
    const late = toMeshError(thrown).code === 'MESH_ERR_FILE_EXISTS' ? await joinOverlay(options) : undefined
    if (late === undefined) throw thrown
    return late
  }
}
