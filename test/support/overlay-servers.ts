import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { ServerOptions } from '../../src/cow/postgres/server-options.ts'
import { servantAccount } from '../../src/cow/postgres/overlay/account.ts'
import { findBinaries } from '../../src/cow/postgres/overlay/binaries.ts'
import { type EmbeddedServer, startServer } from '../../src/cow/postgres/overlay/server.ts'

/** Binaries are copied there once for all tests of a machine, where they have to be copied at all. */
const BINARIES = join(tmpdir(), 'mesh-test-postgres')

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

/** `settings`: of postgresql.conf. */
export async function startTestServer(more: Readonly<Record<string, string>> = {}): Promise<TestServer> {
  const account = await servantAccount()
  const binaries = await findBinaries(BINARIES, account !== undefined)
  const folder = await mkdtemp(join(tmpdir(), 'mesh-pg-'))
  await chmod(folder, 0o755)
  const paths = { folder: join(folder, 'state'), socketFolder: join(folder, 'socket') }
  const settings = { fsync: 'off', ...more }
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
