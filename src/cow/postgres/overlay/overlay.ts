import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type MeshError, toMeshError } from '../../../core/errors.ts'
import { connectServer, type ServerConnection, type ServerOptions } from '../server-connection.ts'
import { makeStateFolder } from '../state-folder.ts'
import { requirePassage, servantAccount } from './account.ts'
import { findBinaries } from './binaries.ts'
import { quoteName } from './identifiers.ts'
import { ADMIN_ROLE } from './names.ts'
import { EMBEDDED_PORT, startServer } from './server.ts'
import { lockState, type StateLock, stateHolder } from './state-lock.ts'

/** Where the overlay is: on this machine, started by us, or a server that the user names. */
export type OverlayOptions =
  | {
      readonly kind: 'embedded'
      /** Holds everything; made where it is missing. As root it has to be reachable by other users. */
      readonly stateFolder: string
      /** One server each; several proxies cannot share one. */
      readonly name: string
      readonly settings?: Readonly<Record<string, string>>
      /** As of `startServer`. */
      readonly stopTimeoutMs?: number
    }
  | {
      readonly kind: 'external'
      /** How to connect as a superuser, to any database there. */
      readonly server: ServerOptions
      /** The password of client roles there, where it asks for one. */
      readonly rolePassword?: string
    }

/** A PostgreSQL 18 server that holds the branches: one database each. */
export interface Overlay {
  /** How to connect as a role to a database. */
  options(user: string, database: string): ServerOptions
  /** A superuser's connection. The caller ends it. */
  connectAdmin(database: string, signal: AbortSignal): Promise<ServerConnection>
  /** How the server reaches itself; undefined where that is not known. For `createMerge`. */
  readonly self: { readonly socketFolder: string; readonly port: number } | undefined
  /** Settles when the server is gone; with the reason where nobody asked for it. Never for a server that is not ours. */
  readonly closed: Promise<MeshError | undefined>
  /** Stops a server of ours; what was committed stays for the next start. */
  close(): Promise<void>
  /** Stops it at once, as a crash would. */
  destroy(): void
}

/** Paths of Unix sockets end at 107 bytes, of which PostgreSQL's own name takes 16. */
const MAX_SOCKET_FOLDER_BYTES = 90

/**
 * Takes the overlay for this process before anything else is started for it. Whoever holds the lock releases it when all is over. A server of
 * the user's own needs none.
 *
 * @throws MeshError MESH_ERR_FILE_EXISTS where another mesh has it; MESH_ERR_PERMISSION as `openOverlay`.
 */
export async function claimOverlay(options: OverlayOptions): Promise<StateLock> {
  if (options.kind === 'external') return { release: () => Promise.resolve() }
  const { stateFolder, name } = options
  const account = await servantAccount()
  const mode = account === undefined ? 0o700 : 0o755
  await makeStateFolder(stateFolder, mode)
  if (account !== undefined) await requirePassage(stateFolder, account)
  return lockState(join(stateFolder, `${name}.lock`))
}

/**
 * Opens the overlay's server. `claim`: what `claimOverlay` gave, where the caller keeps that.
 *
 * @throws MeshError MESH_ERR_FILE_EXISTS where another mesh has it; MESH_ERR_TOOL_MISSING, MESH_ERR_PERMISSION,
 * MESH_ERR_DISK_FULL, MESH_ERR_UNREACHABLE with what to do.
 */
export async function openOverlay(options: OverlayOptions, signal: AbortSignal, claim?: StateLock): Promise<Overlay> {
  if (options.kind === 'external') return openExternal(options)
  if (claim !== undefined) return openEmbedded(options, signal)
  const own = await claimOverlay(options)
  try {
    const overlay = await openEmbedded(options, signal)
    return {
      ...overlay,
      close: async () => {
        await overlay.close()
        await own.release()
      },
      destroy: () => {
        overlay.destroy()
        void own.release()
      },
    }
  } catch (error) {
    await own.release()
    throw error
  }
}

/** The state folder is ours. */
async function openEmbedded(
  options: Extract<OverlayOptions, { kind: 'embedded' }>,
  signal: AbortSignal,
): Promise<Overlay> {
  const { stateFolder, name, settings = {}, stopTimeoutMs } = options
  const account = await servantAccount()
  const binaries = await findBinaries(stateFolder, account !== undefined)
  const folder = join(stateFolder, name)
  const timeouts = stopTimeoutMs === undefined ? {} : { stopTimeoutMs }
  const server = await startServer(
    { binaries, folder, socketFolder: socketFolderOf(folder), account, settings, ...timeouts },
    signal,
  )
  const self = { socketFolder: server.socketFolder, port: server.port }
  const roleOptions = (user: string, database: string): ServerOptions => ({ address: self, user, database })
  return {
    options: roleOptions,
    connectAdmin: (database, aborted) => connectServer(lasting(roleOptions(ADMIN_ROLE, database)), aborted),
    self,
    closed: server.closed,
    close: () => server.close(),
    destroy: () => server.destroy(),
  }
}

/** Something was kept there by an earlier run. */
export async function hasCluster({
  stateFolder,
  name,
}: Extract<OverlayOptions, { kind: 'embedded' }>): Promise<boolean> {
  const folder = join(stateFolder, name)
  try {
    await stat(join(folder, 'data'))
    return true
  } catch (thrown) {
    const error = toMeshError(thrown, folder)
    if (error.code === 'MESH_ERR_FILE_NOT_FOUND') return false
    throw error
  }
}

/** An overlay whose server another mesh runs. */
export interface JoinedOverlay {
  /** `close` and `destroy` leave the server alone. */
  readonly overlay: Overlay
  readonly processId: number
}

/** The overlay of a state folder as the mesh that holds it runs it; undefined where none does. */
export async function joinOverlay(
  options: Extract<OverlayOptions, { kind: 'embedded' }>,
): Promise<JoinedOverlay | undefined> {
  const processId = await stateHolder(join(options.stateFolder, `${options.name}.lock`))
  if (processId === undefined) return undefined
  const socketFolder = socketFolderOf(join(options.stateFolder, options.name))
  const address = { socketFolder, port: EMBEDDED_PORT }
  const overlay = openExternal({ kind: 'external', server: { address, user: ADMIN_ROLE, database: 'postgres' } })
  return { overlay, processId }
}

/** Beside the data where the path is short enough, else in the folder for temporary files under a name made of it. */
function socketFolderOf(folder: string): string {
  const beside = join(folder, 'socket')
  if (Buffer.byteLength(beside) <= MAX_SOCKET_FOLDER_BYTES) return beside
  return join(tmpdir(), `mesh-${createHash('sha256').update(folder).digest('hex').slice(0, 16)}`)
}

/**
 * What mesh itself does to a branch is on the disk before it goes on: rows of clients that a crash loses are the last moments of a
 * branch, but a branch whose making was lost in part, and that is served all the same, answers wrongly.
 */
function lasting(options: ServerOptions): ServerOptions {
  return { ...options, parameters: { ...options.parameters, synchronous_commit: 'on' } }
}

function openExternal({ server, rolePassword }: Extract<OverlayOptions, { kind: 'external' }>): Overlay {
  const { password: _, ...reached } = server
  const password = rolePassword === undefined ? {} : { password: rolePassword }
  return {
    options: (user, database) => ({ ...reached, ...password, user, database }),
    connectAdmin: (database, signal) => connectServer(lasting({ ...server, database }), signal),
    self: undefined,
    closed: new Promise(() => undefined),
    close: async () => undefined,
    destroy: () => undefined,
  }
}

/** How text of a database is compared and sorted. */
export interface DatabaseLocale {
  /** `c` libc, `i` ICU, `b` built in. */
  readonly provider: 'c' | 'i' | 'b'
  readonly collate: string
  readonly ctype: string
  /** Of ICU and the built-in provider. */
  readonly locale: string | undefined
}

/**
 * Makes a database with the locale of upstream's, so that both sort alike. Its encoding is UTF8, in which upstream's rows come, whatever
 * its own is. Where the overlay's machine has no such libc locale, ICU takes
 * its place: the caller compares fingerprints (`collation.ts`).
 */
export async function createDatabase(admin: ServerConnection, name: string, locale: DatabaseLocale): Promise<void> {
  const create = (provider: string): string =>
    `CREATE DATABASE ${quoteName(name)} TEMPLATE template0 ENCODING 'UTF8' ${provider}`
  const text = (value: string): string => `'${value.replaceAll("'", "''")}'`
  const libc = `LC_COLLATE ${text(locale.collate)} LC_CTYPE ${text(locale.ctype)}`
  if (locale.provider === 'b') {
    await admin.query(
      create(`LOCALE_PROVIDER builtin BUILTIN_LOCALE ${text(locale.locale ?? 'C.UTF-8')} LC_COLLATE 'C' LC_CTYPE 'C'`),
    )
  } else if (locale.provider === 'i') {
    await admin.query(
      create(`LOCALE_PROVIDER icu ICU_LOCALE ${text(locale.locale ?? 'und')} LC_COLLATE 'C' LC_CTYPE 'C'`),
    )
  } else {
    await admin.query(create(`LOCALE_PROVIDER libc ${libc}`)).catch(async () => {
      await admin.query(create(fallbackOf(locale)))
    })
  }
}

function fallbackOf({ collate }: DatabaseLocale): string {
  const language = (collate.split('.')[0] ?? 'und').replace('_', '-')
  if (/^(C|POSIX)$/i.test(language))
    return `LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LC_COLLATE 'C' LC_CTYPE 'C'`
  return `LOCALE_PROVIDER icu ICU_LOCALE '${language.replaceAll("'", '')}' LC_COLLATE 'C' LC_CTYPE 'C'`
}
