import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { requirePassage, servantAccount } from '../../cow/postgres/overlay/account.ts'
import { findBinaries } from '../../cow/postgres/overlay/binaries.ts'
import { ADMIN_ROLE } from '../../cow/postgres/overlay/names.ts'
import { type EmbeddedServer, startServer } from '../../cow/postgres/overlay/server.ts'
import { connectServer, type ServerConnection } from '../../cow/postgres/server-connection.ts'
import type { ServerOptions } from '../../cow/postgres/server-options.ts'
import { fillShop, SHOP_TABLES } from './postgres-data.ts'

const DATABASE = 'shop'

/** Other users of this machine may knock: they need a password. The socket is in a folder that is closed to them. */
const ACCESS = 'local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n'

/** Nothing of it is meant to last, and it shares a small machine with all the rest. */
const SETTINGS = { fsync: 'off', max_connections: '50', shared_buffers: '32MB', max_locks_per_transaction: '64' }

/** All rows and the sequence, as one text: whatever is written to the shop's data changes its hash. */
const CHECKSUM = `
SELECT left(md5(string_agg(line, E'\\n' ORDER BY line)), 16), count(*) FROM (
  SELECT 'product ' || products::text FROM products UNION ALL SELECT 'order ' || orders::text FROM orders
  UNION ALL SELECT 'next ' || last_value || is_called FROM orders_id_seq) AS lines (line)`

/** What the whole of production's data comes to. */
export interface Checksum {
  readonly hash: string
  readonly rows: number
}

/** The demo's "production": a PostgreSQL with the shop's data. */
export interface Production {
  readonly port: number
  /** Of the roles `app`, which the shop writes with, and `reader`, who may only read. */
  readonly password: string
  /** As the shop connects. */
  readonly options: ServerOptions
  /** As one would give it to `--upstream`; the password is in PGPASSWORD. */
  readonly url: string
  checksum(): Promise<Checksum>
  close(): Promise<void>
}

/**
 * Starts it with its data in a folder that others may enter.
 * @throws MeshError MESH_ERR_TOOL_MISSING where PostgreSQL's programs are not installed; else as `startServer`.
 */
export async function startProduction(folder: string, signal: AbortSignal): Promise<Production> {
  const account = await servantAccount()
  if (account !== undefined) await requirePassage(folder, account)
  const binaries = await findBinaries(folder, account !== undefined)
  const port = await freePort()
  const accessFile = join(folder, 'production.hba')
  await writeFile(accessFile, ACCESS)
  const data = join(folder, 'production')
  const settings = { ...SETTINGS, listen_addresses: '127.0.0.1', port: String(port), hba_file: accessFile }
  const socketFolder = join(data, 'socket')
  const server = await startServer({ binaries, folder: data, socketFolder, account, settings }, signal)
  const address = { socketFolder, port }
  const connect = (database: string): Promise<ServerConnection> =>
    connectServer({ address, user: ADMIN_ROLE, database }, signal)
  const password = randomBytes(12).toString('hex')
  try {
    await fill(connect, password)
    return running(server, port, password, await connect(DATABASE))
  } catch (error) {
    await server.close()
    throw error
  }
}

async function fill(connect: (database: string) => Promise<ServerConnection>, password: string): Promise<void> {
  const server = await connect('postgres')
  await server.query(`CREATE ROLE app LOGIN PASSWORD '${password}'; CREATE ROLE reader LOGIN PASSWORD '${password}';
    GRANT pg_read_all_data TO reader`)
  await server.query(`CREATE DATABASE ${DATABASE}`)
  await server.query(`REVOKE TEMPORARY ON DATABASE ${DATABASE} FROM PUBLIC`)
  await server.end()
  const shop = await connect(DATABASE)
  await shop.query(SHOP_TABLES)
  await fillShop(shop)
  await shop.query('ANALYZE')
  await shop.end()
}

function running(server: EmbeddedServer, port: number, password: string, admin: ServerConnection): Production {
  return {
    port,
    password,
    options: { address: { host: '127.0.0.1', port }, user: 'app', password, database: DATABASE, tls: 'disable' },
    url: `postgres://reader@127.0.0.1:${port}/${DATABASE}`,
    checksum: async () => {
      const [row] = (await admin.query(CHECKSUM))[0]?.rows ?? []
      return { hash: row?.[0] ?? '', rows: Number(row?.[1] ?? 0) - 1 }
    },
    close: async () => {
      admin.destroy()
      await server.close()
    },
  }
}

/** A port of this machine that nobody has: PostgreSQL cannot choose one itself. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
