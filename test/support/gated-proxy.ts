import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { Authentication } from '../../src/cow/postgres/front/authentication.ts'
import { type PostgresProxy, startPostgresProxy } from '../../src/cow/postgres/proxy.ts'
import { hashOf } from './overlay-pair.ts'
import { startTestServer, type TestServer } from './overlay-servers.ts'

/** A proxy as the command line starts it: gate, overlay of its own, listener. */
export interface GatedProxy {
  readonly proxy: PostgresProxy
  readonly port: number
  readonly url: string
  /** A client of the proxy, `app` where nothing else is said. Errors of its connection are swallowed. */
  client(options?: Partial<pg.ClientConfig>): Promise<pg.Client>
  close(): Promise<void>
}

export interface GatedProxyOptions {
  /** The compiled pg-dump-thread.js. */
  readonly thread: URL
  /** Role of the gate on production. Default: `mesh_reader`. */
  readonly user?: string
  /** Start though that role may write. */
  readonly trusted?: boolean
  readonly authentication?: Authentication
  readonly poolSize?: number
  readonly limits?: { readonly maxCopyUpRows: number }
}

/** Production with a schema and data: `shop`, and the same in `plain`, where a client may write for comparison. */
export interface ProductionServer {
  readonly server: TestServer
  admin(database?: string): Promise<pg.Client>
  /** The role `app` on the database that nobody proxies. `options`: of the server, as in a connection string. */
  plain(options?: string): Promise<pg.Client>
  hash(): Promise<string>
}

/** `app` owns everything; `mesh_reader` reads; `mesh_writer` may write all tables and move all sequences. */
const ROLES = `CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; CREATE ROLE mesh_reader LOGIN; GRANT pg_read_all_data TO mesh_reader;
  CREATE ROLE mesh_writer LOGIN; GRANT pg_read_all_data, pg_write_all_data, pg_signal_backend TO mesh_writer;`

/** `encoding`: of the databases. */
export async function startProductionServer(
  schema: string,
  data: string,
  encoding = 'UTF8',
): Promise<ProductionServer> {
  const server = await startTestServer({ autovacuum: 'off', track_activities: 'on' })
  try {
    return await filled(server, schema, data, encoding)
  } catch (error) {
    await server.remove()
    throw error
  }
}

async function filled(server: TestServer, schema: string, data: string, encoding: string): Promise<ProductionServer> {
  const admin = (database = 'shop'): Promise<pg.Client> => server.client('mesh_admin', database)
  const first = await admin('postgres')
  await first.query(ROLES)
  const other = encoding === 'UTF8' ? '' : `TEMPLATE template0 ENCODING '${encoding}' LOCALE_PROVIDER libc LOCALE 'C'`
  for (const name of ['shop', 'plain']) await first.query(`CREATE DATABASE ${name} OWNER app ${other}`)
  await first.end()
  for (const name of ['shop', 'plain']) {
    const owner = await server.client('app', name)
    await owner.query(schema)
    await owner.query(data)
    await owner.end()
  }
  return { server, admin, plain: (options) => server.client('app', 'plain', options), hash: () => hashOf(server) }
}

/** Starts a proxy before production. As root its folder is one that the overlay's user can enter. */
export async function startGatedProxy(
  { server }: ProductionServer,
  { thread, user = 'mesh_reader', trusted = false, authentication, poolSize, limits }: GatedProxyOptions,
): Promise<GatedProxy> {
  const folder = await mkdtemp(join(tmpdir(), 'mesh-gated-'))
  await chmod(folder, 0o755)
  const proxy = await startPostgresProxy(
    {
      upstream: server.options(user, 'shop'),
      overlay: { kind: 'embedded', stateFolder: folder, name: 'overlay', settings: { fsync: 'off' } },
      stateFolder: folder,
      branch: '',
      listen: { address: '127.0.0.1', port: 0 },
      authentication: authentication ?? { method: 'trust', passwordOf: () => undefined },
      maxClients: 100,
      trustUpstreamRole: trusted,
      dumpThread: thread,
      poolSize,
      ...(limits === undefined ? {} : { limits }),
    },
    new AbortController().signal,
  ).catch(async (error: unknown) => {
    await rm(folder, { recursive: true, force: true })
    throw error
  })
  const { port } = proxy.endpoint
  return {
    proxy,
    port,
    url: `postgres://app@127.0.0.1:${port}/shop`,
    async client(options = {}) {
      const client = new pg.Client({ host: '127.0.0.1', port, user: 'app', database: 'shop', ...options })
      client.on('error', () => undefined)
      await client.connect()
      return client
    },
    async close() {
      await proxy.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
