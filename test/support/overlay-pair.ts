import type pg from 'pg'
import { createMerge } from '../../src/cow/postgres/overlay/merge.ts'
import { loadCatalog } from '../../src/cow/postgres/overlay/load-catalog.ts'
import { connectServer } from '../../src/cow/postgres/server-connection.ts'
import type { Catalog } from '../../src/cow/postgres/catalog.ts'
import { startTestServer, type TestServer } from './overlay-servers.ts'

/** Production with data, an overlay merged over it without a gate between, and the same data on a plain database beside. */
export interface OverlayPair {
  readonly upstream: TestServer
  readonly overlay: TestServer
  readonly catalog: Catalog
  /** The client's own role on the overlay: no superuser, owner of the tables. */
  app(): Promise<pg.Client>
  /** The same role on a database that holds production's rows as its own. */
  plain(): Promise<pg.Client>
  admin(): Promise<pg.Client>
  /** A hash of all rows of production's tables. */
  upstreamHash(): Promise<string>
  close(): Promise<void>
}

const ROLES = `CREATE ROLE app LOGIN; CREATE ROLE other LOGIN;`

/**
 * Starts both servers. `schema` is run everywhere, as `app`; `data` in production and on the plain database. The foreign
 * server reaches production as a role that may lock rows but not write: without a gate `FOR UPDATE` is sent.
 */
export async function startOverlayPair(schema: string, data: string): Promise<OverlayPair> {
  const [upstream, overlay] = await Promise.all([startTestServer(), startTestServer({}, 'overlay')])
  try {
    return await mergedPair(upstream, overlay, schema, data)
  } catch (error) {
    await Promise.all([upstream.remove(), overlay.remove()])
    throw error
  }
}

async function mergedPair(
  upstream: TestServer,
  overlay: TestServer,
  schema: string,
  data: string,
): Promise<OverlayPair> {
  await onServer(upstream, `${ROLES} CREATE ROLE mesh_reader LOGIN;`)
  await onServer(overlay, ROLES)
  await makeDatabase(upstream, 'shop', schema, data)
  await makeDatabase(overlay, 'plain', schema, data)
  await makeDatabase(overlay, 'shop', schema, '')
  const source = await upstream.client('mesh_admin', 'shop')
  await source.query('GRANT pg_read_all_data, pg_write_all_data TO mesh_reader')
  await source.query('ALTER ROLE mesh_reader SET default_transaction_read_only = off')
  await source.end()
  const admin = await connectServer(overlay.options('mesh_admin', 'shop'), new AbortController().signal)
  const gate = { socketFolder: upstream.socketFolder, port: upstream.port, database: 'shop', user: 'mesh_reader' }
  await createMerge(admin, { gate, self: overlay })
  const catalog = await loadCatalog(admin)
  await admin.end()
  const close = async (): Promise<void> => {
    await Promise.all([upstream.remove(), overlay.remove()])
  }
  return {
    upstream,
    overlay,
    catalog,
    app: () => overlay.client('app', 'shop'),
    plain: () => overlay.client('app', 'plain'),
    admin: () => overlay.client('mesh_admin', 'shop'),
    upstreamHash: () => hashOf(upstream),
    close,
  }
}

async function onServer(server: TestServer, text: string): Promise<void> {
  const client = await server.client('mesh_admin', 'postgres')
  await client.query(text)
  await client.end()
}

async function makeDatabase(server: TestServer, name: string, schema: string, data: string): Promise<void> {
  await onServer(server, `CREATE DATABASE ${name} OWNER app`)
  const client = await server.client('app', name)
  await client.query(schema)
  if (data !== '') await client.query(data)
  await client.end()
}

/** A hash of all rows of the database `shop`. */
export async function hashOf(server: TestServer): Promise<string> {
  const client = await server.client('mesh_admin', 'shop')
  const tables = await client.query<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_class c WHERE relkind = 'r' AND relnamespace::regnamespace::text !~ '^(pg_|information)' ORDER BY 1`,
  )
  const hashes: string[] = []
  for (const { name } of tables.rows) {
    const result = await client.query<{ hash: string }>(
      `SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text COLLATE "C"), '')) AS hash FROM ${name} AS t`,
    )
    hashes.push(`${name} ${result.rows[0]?.hash ?? ''}`)
  }
  await client.end()
  return hashes.join('\n')
}
