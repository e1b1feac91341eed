import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import type { ServerOptions } from '../../src/cow/postgres/server-options.ts'
import { type Account, servantAccount } from '../../src/cow/postgres/overlay/account.ts'
import type { PostgresBinaries } from '../../src/cow/postgres/overlay/binaries.ts'
import { type EmbeddedServer, startServer } from '../../src/cow/postgres/overlay/server.ts'
import { type ClusterKind, placeCluster, testBinaries } from './clusters.ts'
import { sharedPrograms } from './postgres.ts'

/** A folder with another PostgreSQL (`bin/postgres`) for production, as CONTRIBUTING says; unset: the one that mesh brings. */
const UPSTREAM = process.env['MESH_TEST_UPSTREAM']

/** True where production is of another major than the overlay: what is compared with it runs on a server like the overlay then. */
export const UPSTREAM_DIFFERS: boolean = UPSTREAM !== undefined

/** An embedded PostgreSQL for a test, in a folder of its own that goes with it. */
export interface TestServer extends EmbeddedServer {
  client(user: string, database: string, options?: string): Promise<pg.Client>
  /** How mesh itself connects to it. */
  options(user: string, database: string): ServerOptions
  /** Stops it; `start` brings it back on the same data and address. */
  halt(): Promise<void>
  start(): Promise<void>
  remove(): Promise<void>
}

/** `more`: settings of postgresql.conf. */
export async function startTestServer(
  more: Readonly<Record<string, string>> = {},
  kind: ClusterKind = 'production',
): Promise<TestServer> {
  const folder = await testFolder()
  await placeCluster(kind, join(folder, 'state'))
  return startIn(folder, await testBinaries(), await servantAccount(), more)
}

/** Production's server: of the major that `MESH_TEST_UPSTREAM` names. */
export async function startUpstreamServer(more: Readonly<Record<string, string>> = {}): Promise<TestServer> {
  if (UPSTREAM === undefined) return startTestServer(more)
  const account = await servantAccount()
  const binaries = programsIn(UPSTREAM)
  const folder = await testFolder()
  // Flags of mesh's own initdb are not those of all majors; a cluster that is there is taken as it is.
  const state = join(folder, 'state')
  await mkdir(state, { mode: 0o700 })
  if (account !== undefined) await chown(state, account.userId, account.groupId)
  const identity = account === undefined ? {} : { uid: account.userId, gid: account.groupId }
  const flags = ['--username=mesh_admin', '--auth=trust', '--no-sync', '--encoding=UTF8', '--locale=C']
  await promisify(execFile)(binaries.initdb, ['-D', join(state, 'data'), ...flags], { ...identity, cwd: '/' })
  return startIn(folder, binaries, account, more)
}

async function testFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mesh-pg-'))
  await chmod(folder, 0o755)
  return folder
}

/** Those of an npm package are copied, for the links between libraries that npm cannot pack. */
function programsIn(folder: string): PostgresBinaries {
  const version = `upstream-${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`
  const home = existsSync(join(folder, 'pg-symlinks.json')) ? sharedPrograms(folder, version) : folder
  const program = (name: string): string => join(home, 'bin', name)
  return { postgres: program('postgres'), initdb: program('initdb'), pgCtl: program('pg_ctl'), version }
}

async function startIn(
  folder: string,
  binaries: PostgresBinaries,
  account: Account | undefined,
  more: Readonly<Record<string, string>>,
): Promise<TestServer> {
  const paths = { folder: join(folder, 'state'), socketFolder: join(folder, 'socket') }
  // Who waits for each other is told so at once, not after a second.
  const settings = { fsync: 'off', deadlock_timeout: '20ms', ...more }
  const run = (): Promise<EmbeddedServer> =>
    startServer({ binaries, account, ...paths, settings }, new AbortController().signal)
  let server = await run()
  return {
    ...server,
    options: (user, database) => ({
      address: { socketFolder: server.socketFolder, port: server.port },
      user,
      database,
    }),
    client: async (user, database, options) => {
      const client = new pg.Client({ host: server.socketFolder, port: server.port, user, database, options })
      client.on('error', () => undefined)
      await client.connect()
      return client
    },
    halt: () => server.close(),
    start: async () => {
      server = await run()
    },
    remove: async () => {
      await server.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
