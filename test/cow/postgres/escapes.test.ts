import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type GatedProxy,
  type ProductionServer,
  startGatedProxy,
  startProductionServer,
} from '../../support/gated-proxy.ts'
import { compiled } from '../../replay/compiled.ts'
import { RIGHTS, TEXTS } from './escape-rights.ts'
import { CALLS, DISTURBANCES, ESCAPE_DATA, ESCAPE_SCHEMA, WRITES } from './escape-rows.ts'
import { TRICKS } from './escape-tricks.ts'

const thread = compiled('cow/postgres/overlay/pg-dump-thread.ts')

/** Before PostgreSQL 15 counters arrive some time later, by a process of their own: transaction ids have to do there. */
const COUNTERS_SINCE = 150_000

/** Everything of production that a write, a lock, a number drawn or a setting would change; counters of rows once all sessions are over. */
const FINGERPRINT = `SELECT
  (SELECT string_agg(concat(relname, ' ', n_tup_ins, ',', n_tup_upd, ',', n_tup_del), '; ' ORDER BY relname) FROM pg_stat_user_tables) AS tuples,
  (SELECT string_agg(concat(sequencename, ' ', last_value), '; ' ORDER BY sequencename) FROM pg_sequences) AS sequences,
  (SELECT count(*) FROM pg_class) AS relations, (SELECT count(*) FROM pg_largeobject_metadata) AS large_objects,
  (SELECT md5(string_agg(r::text, '|' ORDER BY rolname)) FROM pg_authid r) AS roles,
  (SELECT md5(string_agg(concat(name, setting), '|' ORDER BY name)) FROM pg_settings WHERE name <> 'application_name') AS settings,
  (SELECT md5(string_agg(s::text, '|' ORDER BY s::text)) FROM pg_db_role_setting s) AS role_settings,
  (SELECT count(*) FROM pg_prepared_xacts) AS prepared, (SELECT count(*) FROM pg_replication_slots) AS slots,
  (SELECT count(*) FROM pg_event_trigger) + (SELECT count(*) FROM pg_foreign_server) + (SELECT count(*) FROM pg_proc) AS objects,
  pg_snapshot_xmax(pg_current_snapshot())::text AS next_transaction`

/** Locks that a reader between its statements does not hold, and transactions that wait for their client. */
const HELD = `SELECT (SELECT count(*) FROM pg_locks WHERE pid <> pg_backend_pid() AND pid <> $1
    AND (locktype = 'advisory' OR mode NOT IN ('AccessShareLock', 'ExclusiveLock')))::int AS locks,
  (SELECT count(*) FROM pg_stat_activity WHERE datname = 'shop' AND state LIKE 'idle in transaction%')::int AS idle`

const ALL = [...WRITES, ...CALLS, ...DISTURBANCES, ...RIGHTS, ...TEXTS, ...TRICKS]

/** More than one statement, or what may be that. */
const SEVERAL = /;.*\S/s

/** Those who ask to be somebody else before their first statement. */
const STARTUPS: readonly (readonly [why: string, code: string, options: Partial<pg.ClientConfig>])[] = [
  ['the administrator of the overlay', '28000', { user: 'mesh_admin' }],
  ["mesh's own role", '28000', { user: 'mesh_copy' }],
  ['nobody that there is', '28000', { user: 'nobody' }],
  ['another database of the overlay', '3D000', { database: 'postgres' }],
  ['a template', '3D000', { database: 'template1' }],
  ['a branch by its database', '3D000', { database: 'shop@other' }],
  ['replica role as an option', '42501', { options: '-c session_replication_role=replica' }],
  ['the administrator as an option', '42501', { options: '-c role=mesh_admin' }],
]

let production: ProductionServer
let admin: pg.Client
let watcher: pg.Client
let watcherId = 0
const proxies: Record<'reader' | 'writer', GatedProxy | undefined> = { reader: undefined, writer: undefined }
let before: unknown
let hash = ''

beforeAll(async () => {
  production = await startProductionServer(ESCAPE_SCHEMA, ESCAPE_DATA)
  admin = await production.admin()
  watcher = await production.admin()
  watcherId = (await watcher.query<{ id: number }>('SELECT pg_backend_pid() AS id')).rows[0]?.id ?? 0
  await watcher.query('LISTEN a')
  before = await fingerprint()
  hash = await production.hash()
  proxies.reader = await startGatedProxy(production, { thread: thread() })
  proxies.writer = await startGatedProxy(production, { thread: thread(), user: 'mesh_writer', trusted: true })
})

afterAll(async () => {
  await Promise.all([proxies.reader?.close(), proxies.writer?.close()])
  await admin?.end()
  await watcher?.end()
  await production?.remove()
})

async function fingerprint(): Promise<unknown> {
  const { rows: versions } = await admin.query<{ version: number }>(
    `SELECT current_setting('server_version_num')::int AS version`,
  )
  const countsAtOnce = (versions[0]?.version ?? 0) >= COUNTERS_SINCE
  if (countsAtOnce) await admin.query('SELECT pg_stat_force_next_flush()')
  await admin.query('SELECT pg_stat_clear_snapshot()')
  const [row] = (await admin.query<Record<string, unknown>>(FINGERPRINT)).rows
  return countsAtOnce ? row : { ...row, tuples: undefined }
}

/** Sends the texts one after the other; the first SQLSTATE, or that all of them ran. */
async function answerTo(proxy: GatedProxy, texts: readonly string[], extended: boolean): Promise<string> {
  const client = await proxy.client()
  try {
    for (const text of texts) {
      const named = text.replaceAll(':watcher', String(watcherId))
      // `queryMode` is not in the types of the driver.
      const query = extended ? { text: named, queryMode: 'extended' } : { text: named }
      await client.query(query)
    }
    return 'runs'
  } catch (error) {
    return error instanceof pg.DatabaseError ? (error.code ?? 'none') : String(error)
  } finally {
    await client.end()
  }
}

describe('escape attempts through the proxy', () => {
  it.each(ALL)('leaves production alone: %s', async (_why, answer, ...texts) => {
    for (const proxy of [proxies.reader, proxies.writer]) {
      if (proxy === undefined) throw new Error('no proxy')
      const simple = await answerTo(proxy, texts, false)
      const extended = await answerTo(proxy, texts, true)
      // A Parse takes one statement, by the protocol.
      const several = texts.some((text) => SEVERAL.test(text)) && extended === '42601'
      expect([simple, several ? answer : extended]).toEqual([answer, answer])
    }
    // A session's last transaction on production ends after its client has gone.
    const held = async (): Promise<unknown> => (await admin.query(HELD, [watcherId])).rows
    await expect.poll(held).toEqual([{ locks: 0, idle: 0 }])
  })

  it.each(STARTUPS)('refuses at the door: %s', async (_why, code, options) => {
    for (const proxy of [proxies.reader, proxies.writer]) {
      await expect(proxy?.client(options)).rejects.toMatchObject({ code })
    }
  })

  it('takes a client that says it replicates for an ordinary one', async () => {
    const client = await proxies.reader?.client({ replication: 'database' } as pg.ClientConfig)
    await expect(client?.query('IDENTIFY_SYSTEM')).rejects.toMatchObject({ code: '42601' })
    await client?.end()
  })

  it('leaves no transaction open in production behind clients that vanish inside theirs', async () => {
    for (const isolation of ['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE']) {
      const client = await proxies.reader?.client()
      await client?.query(
        `BEGIN ISOLATION LEVEL ${isolation}; SELECT count(*) FROM orders; DECLARE c CURSOR FOR SELECT * FROM customer; FETCH 1 FROM c`,
      )
      // The socket goes without a Terminate.
      const { stream } = (client as unknown as { connection: { stream: { destroy(): void } } }).connection
      stream.destroy()
    }
    let idle = 1
    while (idle > 0) {
      idle = (await admin.query<{ idle: number }>(HELD, [watcherId])).rows[0]?.idle ?? 0
    }
    expect(idle).toBe(0)
  })

  it('has ended nobody in production, told nobody, and nothing is idle in a transaction', async () => {
    const heard: unknown[] = []
    watcher.on('notification', (message) => heard.push(message))
    expect((await watcher.query('SELECT 1 AS alive')).rows).toEqual([{ alive: 1 }])
    expect(heard).toEqual([])
  })

  it('leaves rows, counters, sequences, relations, roles, settings and transaction ids as they were', async () => {
    await Promise.all([proxies.reader?.close(), proxies.writer?.close()])
    expect(await production.hash()).toBe(hash)
    expect(await fingerprint()).toEqual(before)
  })
})
