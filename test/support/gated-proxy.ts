import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { Authentication } from '../../src/cow/postgres/front/authentication.ts'
import { type PostgresProxy, startPostgresProxy } from '../../src/cow/postgres/proxy.ts'
import { placeCluster, shareBinaries } from './clusters.ts'
import { hashOf } from './overlay-pair.ts'
import { startTestServer, startUpstreamServer, type TestServer, UPSTREAM_DIFFERS } from './overlay-servers.ts'

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
  /** Of the overlay's postgresql.conf, beside those that mesh sets. */
  readonly overlaySettings?: Readonly<Record<string, string>>
}

/** Production with a schema and data: `shop`, and the same in `plain`, where a client may write for comparison. */
export interface ProductionServer {
  readonly server: TestServer
  admin(database?: string): Promise<pg.Client>
  /** The role `app` on the database that nobody proxies. `options`: of the server, as in a connection string. */
  plain(options?: string): Promise<pg.Client>
  hash(): Promise<string>
  remove(): Promise<void>
}

/** `app` owns everything; `mesh_reader` reads; `mesh_writer` may write all tables and move all sequences. */
const ROLES = `CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; CREATE ROLE mesh_reader LOGIN; CREATE ROLE mesh_writer LOGIN;
  GRANT pg_signal_backend TO mesh_writer;`

/** PostgreSQL 13 has no roles that read or write all data. */
const RIGHTS = `DO $$ DECLARE place text; BEGIN
  IF current_setting('server_version_num')::int >= 140000 THEN
    GRANT pg_read_all_data TO mesh_reader, mesh_writer; GRANT pg_write_all_data TO mesh_writer;
    RETURN;
  END IF;
  FOR place IN SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA %s TO mesh_reader, mesh_writer; GRANT SELECT ON ALL TABLES IN SCHEMA %s TO mesh_reader, mesh_writer;
      GRANT SELECT ON ALL SEQUENCES IN SCHEMA %s TO mesh_reader, mesh_writer;
      GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %s TO mesh_writer; GRANT USAGE, UPDATE ON ALL SEQUENCES IN SCHEMA %s TO mesh_writer',
      place, place, place, place, place);
  END LOOP;
END $$`

/** `encoding`: of the databases. */
export async function startProductionServer(
  schema: string,
  data: string,
  encoding = 'UTF8',
): Promise<ProductionServer> {
  const settings = { autovacuum: 'off', track_activities: 'on' }
  const server = await startUpstreamServer(settings)
  const beside = UPSTREAM_DIFFERS ? await startTestServer(settings) : server
  const all = new Set([server, beside])
  try {
    for (const each of all) await query(each, 'mesh_admin', 'postgres', ROLES)
    await fill(server, 'shop', [schema, data], encoding)
    await fill(beside, 'plain', [schema, data], encoding)
    await query(server, 'mesh_admin', 'shop', RIGHTS)
  } catch (error) {
    for (const each of all) await each.remove()
    throw error
  }
  return {
    server,
    admin: (database = 'shop') => server.client('mesh_admin', database),
    plain: (options) => beside.client('app', 'plain', options),
    hash: () => hashOf(server),
    remove: async () => {
      for (const each of all) await each.remove()
    },
  }
}

async function fill(server: TestServer, name: string, texts: readonly string[], encoding: string): Promise<void> {
  const other = encoding === 'UTF8' ? '' : `TEMPLATE template0 ENCODING '${encoding}' LOCALE_PROVIDER libc LOCALE 'C'`
  await query(server, 'mesh_admin', 'postgres', `CREATE DATABASE ${name} OWNER app ${other}`)
  for (const text of texts) await query(server, 'app', name, text)
}

async function query(server: TestServer, user: string, database: string, text: string): Promise<void> {
  const client = await server.client(user, database)
  try {
    await client.query(text)
  } finally {
    await client.end()
  }
}

/** Starts a proxy before production. As root its folder is one that the overlay's user can enter. */
export async function startGatedProxy(
  { server }: ProductionServer,
  {
    thread,
    user = 'mesh_reader',
    trusted = false,
    authentication,
    poolSize,
    limits,
    overlaySettings,
  }: GatedProxyOptions,
): Promise<GatedProxy> {
  const folder = await mkdtemp(join(tmpdir(), 'mesh-gated-'))
  await chmod(folder, 0o755)
  await shareBinaries(folder)
  await placeCluster('overlay', join(folder, 'overlay'))
  const proxy = await startPostgresProxy(
    {
      upstream: server.options(user, 'shop'),
      overlay: {
        kind: 'embedded',
        stateFolder: folder,
        name: 'overlay',
        settings: { fsync: 'off', ...overlaySettings },
      },
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
