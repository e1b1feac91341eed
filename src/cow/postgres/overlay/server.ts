import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chown, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { MeshError, systemCode, toMeshError } from '../../../core/errors.ts'
import type { Account } from './account.ts'
import type { PostgresBinaries } from './binaries.ts'
import { makeStateFolder } from '../state-folder.ts'
import { ADMIN_ROLE } from './names.ts'

/** What an embedded server is started with. */
export interface EmbeddedServerOptions {
  readonly binaries: PostgresBinaries
  /** Holds `data`, `socket` and `server.log`; made where it is missing. */
  readonly folder: string
  /** Where the Unix socket is, a path of at most 90 bytes. */
  readonly socketFolder: string
  /** Who runs it; undefined: we ourselves. */
  readonly account: Account | undefined
  /** Settings beyond our own, by name. */
  readonly settings?: Readonly<Record<string, string>>
  /**
   * After this long an orderly stop becomes an immediate one, after half as much again a kill: processes that are stopped heed
   * nothing else. Default 10 s.
   */
  readonly stopTimeoutMs?: number
}

/** A running embedded PostgreSQL, reached by its Unix socket only. */
export interface EmbeddedServer {
  readonly socketFolder: string
  readonly port: number
  /** Settles when the server is gone, with the reason where nobody asked for it. */
  readonly closed: Promise<MeshError | undefined>
  /** Ends its sessions and shuts it down: what was committed stays. */
  close(): Promise<void>
  /** Stops it at once, as a crash would: it recovers at the next start. */
  destroy(): void
}

/** Part of the socket's name only: nothing listens on TCP. */
export const EMBEDDED_PORT = 5432
/** A first start takes 1 s, a recovery after a crash some more. */
const START_TIMEOUT_MS = 60_000
/** How often the server's own file is looked at for `ready`. */
const POLL_MS = 10
const DEFAULT_STOP_TIMEOUT_MS = 10_000

/**
 * Room for 200 clients, the copy-up connection that each may open, and our own. Commits are not waited for on the disk:
 * a crash, of the machine or of one of the server's processes, may lose the last rows that clients wrote to a branch, half a second of
 * them, never its consistency. What mesh itself does is waited for (overlay.ts).
 */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  port: String(EMBEDDED_PORT),
  max_connections: '450',
  shared_buffers: '128MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  synchronous_commit: 'off',
  max_locks_per_transaction: '512',
  jit: 'off',
  log_min_messages: 'warning',
  log_min_error_statement: 'panic',
}

/**
 * Starts the server of a folder, making its database cluster at the first time. A server that an earlier mesh left behind is
 * stopped first. The caller holds the folder's lock.
 *
 * @throws MeshError with the last words of the server's log where it does not start.
 */
export async function startServer(options: EmbeddedServerOptions, signal: AbortSignal): Promise<EmbeddedServer> {
  const { folder, socketFolder, account } = options
  const data = join(folder, 'data')
  await ownFolder(folder, account)
  await ownFolder(socketFolder, account)
  if (await isMissing(join(data, 'PG_VERSION'))) await createCluster(options, data, signal)
  else await stopLeftover(options, data)
  const log = join(folder, 'server.log')
  const child = await launch(options, data, log)
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  await waitUntilReady(child, data, log, signal)
  return runningServer(child, ended, options, log)
}

function runningServer(
  child: ChildProcess,
  ended: Promise<void>,
  { socketFolder, stopTimeoutMs = DEFAULT_STOP_TIMEOUT_MS }: EmbeddedServerOptions,
  log: string,
): EmbeddedServer {
  let asked = false
  const closed = ended.then(() => {
    if (asked) return undefined
    const how = child.signalCode === null ? 'stopped by itself' : `was ended by ${child.signalCode}`
    return lastWords(log, `the overlay PostgreSQL ${how}`)
  })
  return {
    socketFolder,
    port: EMBEDDED_PORT,
    closed,
    close: async () => {
      asked = true
      child.ref()
      child.kill('SIGINT')
      const killAfter = (signal: NodeJS.Signals, delayMs: number): void =>
        AbortSignal.timeout(delayMs).addEventListener('abort', () => child.kill(signal), { once: true })
      killAfter('SIGQUIT', stopTimeoutMs)
      killAfter('SIGKILL', stopTimeoutMs * 1.5)
      await ended
    },
    destroy: () => {
      asked = true
      child.kill('SIGQUIT')
    },
  }
}

async function ownFolder(folder: string, account: Account | undefined): Promise<void> {
  await makeStateFolder(folder, 0o700)
  if (account === undefined) return
  await chown(folder, account.userId, account.groupId).catch((error: unknown) => {
    throw toMeshError(error, folder)
  })
}

function identity(account: Account | undefined): { uid?: number; gid?: number } {
  return account === undefined ? {} : { uid: account.userId, gid: account.groupId }
}

/**
 * Makes the cluster aside and renames it: what a run that was killed left half made is never taken for a whole one. Ends once initdb
 * has, however that is. The system's own locales are not relied on: the default is the built-in C.UTF-8; databases may choose others.
 */
async function createCluster(options: EmbeddedServerOptions, data: string, signal: AbortSignal): Promise<void> {
  const aside = `${data}.${process.pid}`
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  const access = [`--username=${ADMIN_ROLE}`, '--auth=trust', '--no-sync', '--no-instructions']
  const settings = { ...identity(options.account), cwd: '/', env: environment() }
  try {
    await removeUnfinished(data)
    const running = promisify(execFile)(options.binaries.initdb, ['-D', aside, ...access, ...locale], settings)
    const stop = (): unknown => running.child.kill()
    signal.addEventListener('abort', stop)
    if (signal.aborted) stop()
    await running.finally(() => signal.removeEventListener('abort', stop))
    await rename(aside, data)
  } catch (error) {
    if (signal.aborted) throw new MeshError('MESH_ERR_ABORTED', { what: 'stopped while the overlay was made' })
    const said = typeof error === 'object' && error !== null ? String(Reflect.get(error, 'stderr') ?? '').trim() : ''
    throw new MeshError(systemCode(error) === 'EACCES' ? 'MESH_ERR_PERMISSION' : 'MESH_ERR_IO', {
      what: `initdb could not make the overlay${said === '' ? '' : `: ${said}`}`,
      where: data,
      remedy: 'check that the state folder may be written and has room',
      cause: error,
    })
  }
}

/** Of runs that were killed; an initdb of one that still runs has a folder of its own, and fails. */
async function removeUnfinished(data: string): Promise<void> {
  const names = (await readdir(dirname(data))).filter((name) => /^data\.\d+$/.test(name))
  for (const name of names) {
    await rm(join(dirname(data), name), { recursive: true, force: true }).catch(() => undefined)
  }
}

function environment(): NodeJS.ProcessEnv {
  // pg_ctl starts a shell.
  return { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }
}

async function launch(options: EmbeddedServerOptions, data: string, log: string): Promise<ChildProcess> {
  const settings = { ...SETTINGS, unix_socket_directories: options.socketFolder, ...options.settings }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const output = await open(log, 'a', 0o600)
  try {
    const child = spawn(options.binaries.postgres, ['-D', data, ...flags], {
      ...identity(options.account),
      cwd: '/',
      env: environment(),
      stdio: ['ignore', output.fd, output.fd],
      detached: true,
    })
    child.on('error', () => undefined)
    child.unref()
    return child
  } finally {
    await output.close()
  }
}

async function waitUntilReady(child: ChildProcess, data: string, log: string, signal: AbortSignal): Promise<void> {
  const late = AbortSignal.timeout(START_TIMEOUT_MS)
  for (;;) {
    const lines = (await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
    if (lines[0] === String(child.pid) && lines[7]?.trim() === 'ready') return
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
      throw await lastWords(log, 'the overlay PostgreSQL did not start')
    }
    if (signal.aborted || late.aborted) {
      child.kill('SIGQUIT')
      if (signal.aborted) throw new MeshError('MESH_ERR_ABORTED', { what: 'stopped while the overlay was starting' })
      throw await lastWords(log, `the overlay PostgreSQL was not ready within ${START_TIMEOUT_MS / 1000} s`)
    }
    await pause(POLL_MS)
  }
}

/** A server whose mesh was killed still has the data: it is shut down in good order, then started anew as our child. */
async function stopLeftover({ binaries, account }: EmbeddedServerOptions, data: string): Promise<void> {
  const lines = (await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
  const processId = Number(lines[0])
  if (!Number.isInteger(processId) || processId <= 0) return
  const command = await readFile(`/proc/${processId}/cmdline`, 'utf8').catch(() => undefined)
  if (process.platform === 'linux' && !(command ?? '').includes(data)) return
  const settings = { ...identity(account), cwd: '/', env: environment() }
  await promisify(execFile)(binaries.pgCtl, ['stop', '-D', data, '-m', 'fast', '-w', '-t', '30'], settings).catch(
    () => undefined,
  )
}

async function isMissing(file: string): Promise<boolean> {
  return readFile(file).then(
    () => false,
    () => true,
  )
}

async function lastWords(log: string, what: string): Promise<MeshError> {
  const text = await readFile(log, 'utf8').catch(() => '')
  const lines = text.trim().split('\n').slice(-20)
  // Behind what ended it a server tells of its own end, in some lines.
  const cause = lines.findLast((line) => /\b(PANIC|FATAL): /.test(line))
  const last = [...new Set([...(cause === undefined ? [] : [cause]), ...lines.slice(-3)])].join(' | ')
  const full = /No space left on device/i.test(last)
  return new MeshError(full ? 'MESH_ERR_DISK_FULL' : 'MESH_ERR_UNREACHABLE', {
    what: last === '' ? what : `${what}: ${last}`,
    where: log,
    remedy: full ? 'free some room' : 'see the log',
  })
}
