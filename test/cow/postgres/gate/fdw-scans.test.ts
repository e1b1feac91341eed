import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectServer } from '../../../../src/cow/postgres/server-connection.ts'
import { POSTGRES_ABSENT } from '../../../support/postgres.ts'
import {
  type Overlay,
  type Production,
  rowsOf,
  startGate,
  startOverlay,
  startProduction,
  type TestGate,
} from './gate-setup.ts'

/** What production's own view of its sessions says of ours. */
const OUR_SESSIONS = `SELECT state, count(*), bool_or(backend_xmin IS NOT NULL) FROM pg_stat_activity
  WHERE application_name = 'mesh cow' GROUP BY state ORDER BY state`

describe.skipIf(POSTGRES_ABSENT)('foreign scans through the gate', () => {
  let production: Production
  let gate: TestGate
  let overlay: Overlay

  beforeAll(async () => {
    production = await startProduction()
    gate = await startGate(production.server)
    overlay = await startOverlay(gate.gate)
  })

  afterAll(async () => {
    await overlay.close()
    await gate.close()
    await production.close()
  })

  /** Statements sent while something was done. */
  const sentBy = async (work: () => Promise<unknown>): Promise<{ readonly scan: number; readonly explain: number }> => {
    const before = gate.gate.counters().sent
    await work()
    const after = gate.gate.counters().sent
    return { scan: after.scan - before.scan, explain: after.explain - before.explain }
  }

  it('gives the rows of a table, more than one fetch of them', async () => {
    const session = await overlay.connect()
    expect(await rowsOf(session, 'SELECT count(*), sum(id), min(name) FROM base.customer')).toEqual([
      ['500', '125250', 'customer 1'],
    ])
    const rows = await rowsOf(session, 'SELECT id FROM base.orders ORDER BY made')
    expect(rows.map(([id]) => Number(id))).toEqual(Array.from({ length: 5000 }, (_, index) => index + 1))
    await session.end()
  })

  it('gives exactly one fetch of rows, and none', async () => {
    const session = await overlay.connect()
    expect(
      await rowsOf(session, 'SELECT count(id) FROM (SELECT id FROM base.orders WHERE id <= 1000 OFFSET 0) s'),
    ).toEqual([['1000']])
    expect(await rowsOf(session, 'SELECT id FROM base.orders WHERE id < 0')).toEqual([])
    await session.end()
  })

  it('keeps several cursors of one statement on one connection to production', async () => {
    const session = await overlay.connect()
    // What the sessions before this one had is free again.
    await expect.poll(() => gate.gate.counters().busy).toBe(0)
    const most = gate.gate.counters().mostOpen
    await session.query(`SET enable_hashjoin = off; SET enable_nestloop = off; SET enable_material = off;
      CREATE TEMP TABLE local AS SELECT 1 AS one`)
    const text = `SELECT count(*) FROM base.orders a JOIN base.wide b USING (id) JOIN local ON one = 1 FULL JOIN base.orders c USING (id)`
    expect(await rowsOf(session, text)).toEqual([['5000']])
    expect(gate.gate.counters().mostOpen).toBe(most)
    await expect.poll(() => gate.gate.counters().busy).toBe(0)
    await session.end()
  })

  it('sends one statement for a lookup, with its value as a parameter, and asks for its cost once', async () => {
    const session = await overlay.connect()
    await session.query(
      'PREPARE lookup (int) AS SELECT name FROM base.customer WHERE id = $1; SET plan_cache_mode = force_generic_plan',
    )
    expect(await rowsOf(session, 'EXECUTE lookup (7)')).toEqual([['customer 7']])
    const again = await sentBy(async () => {
      for (const id of [8, 9, 10]) expect(await rowsOf(session, `EXECUTE lookup (${id})`)).toEqual([[`customer ${id}`]])
    })
    expect(again).toEqual({ scan: 3, explain: 0 })
    const literal = await sentBy(async () => {
      await rowsOf(session, 'SELECT name FROM base.customer WHERE id = 11')
      await rowsOf(session, 'SELECT name FROM base.customer WHERE id = 12')
    })
    expect(literal.scan).toBe(2)
    expect(literal.explain).toBeLessThanOrEqual(1)
    await session.end()
  })

  it('looks up the inner side of a nested loop by parameter', async () => {
    const session = await overlay.connect()
    await session.query('CREATE TEMP TABLE wanted AS SELECT g AS id FROM generate_series(1, 20) g; ANALYZE wanted')
    await session.query('SET enable_hashjoin = off; SET enable_mergejoin = off')
    const sent = await sentBy(async () => {
      expect(await rowsOf(session, 'SELECT count(filler) FROM wanted JOIN base.wide USING (id)')).toEqual([['20']])
    })
    expect(sent.scan).toBeLessThanOrEqual(20)
    await session.end()
  })

  it('reads enums, parameters of all kinds and whole-row references', async () => {
    const session = await overlay.connect()
    expect(await rowsOf(session, "SELECT count(*) FROM base.orders WHERE st = 'paid'")).toEqual([['2500']])
    expect(
      await rowsOf(
        session,
        "SELECT id, total, st FROM base.orders WHERE made = '2026-01-01 00:03:00+00' AND total = 4.50",
      ),
    ).toEqual([['3', '4.50', 'paid']])
    expect(await rowsOf(session, 'SELECT c FROM base.customer c WHERE id = 3')).toEqual([['(3,"customer 3")']])
    await session.end()
  })

  it('reads under the settings that the session of the overlay has at that moment', async () => {
    const address = { socketFolder: gate.gate.socketFolder, port: gate.gate.port }
    const connection = await connectServer({ address, user: 'any', database: 'any' }, AbortSignal.timeout(10_000))
    const made = async (): Promise<unknown> => {
      await connection.query('START TRANSACTION ISOLATION LEVEL REPEATABLE READ')
      await connection.query('DECLARE c1 CURSOR FOR SELECT made FROM public.orders WHERE ((id = 1))')
      const [result] = await connection.query('FETCH 10 FROM c1')
      await connection.query('COMMIT TRANSACTION')
      return result?.rows[0]?.[0]
    }
    await connection.query("SET timezone = 'UTC'")
    expect(await made()).toMatch(/\+00$/)
    await connection.query("SET timezone = 'Asia/Tokyo'")
    expect(await made()).toMatch(/\+09$/)
    await connection.end()
  })

  it('leaves nothing idle in transaction on production, not even within a transaction of the client', async () => {
    const session = await overlay.connect()
    await session.query('BEGIN; SELECT count(*) FROM base.orders; SELECT * FROM base.customer WHERE id = 1')
    await expect.poll(() => gate.gate.counters().busy).toBe(0)
    expect(await rowsOf(production.admin, OUR_SESSIONS)).toEqual([['idle', expect.any(String), 'f']])
    // A cursor with rows left keeps its transaction; closing it ends it.
    await session.query('DECLARE many CURSOR FOR SELECT * FROM base.wide; FETCH 10 FROM many')
    expect(gate.gate.counters().busy).toBe(1)
    await session.query('CLOSE many')
    await expect.poll(() => gate.gate.counters().busy).toBe(0)
    await session.query('COMMIT')
    await session.end()
  })

  it('sees what production commits between the statements of a READ COMMITTED transaction, not within REPEATABLE READ', async () => {
    const session = await overlay.connect()
    const [[pid] = []] = await rowsOf(session, 'SELECT pg_backend_pid()')
    await production.admin.query(
      'CREATE TABLE IF NOT EXISTS tick (n int); TRUNCATE tick; INSERT INTO tick VALUES (1); GRANT SELECT ON tick TO reader',
    )
    await session.query('IMPORT FOREIGN SCHEMA public LIMIT TO (tick) FROM SERVER production INTO base')
    await session.query('BEGIN')
    expect(await rowsOf(session, 'SELECT n FROM base.tick')).toEqual([['1']])
    await production.admin.query('UPDATE tick SET n = 2')
    expect(await rowsOf(session, 'SELECT n FROM base.tick')).toEqual([['2']])
    await session.query('COMMIT')

    gate.gate.beginSnapshot(`mesh ${pid}`)
    await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    expect(await rowsOf(session, 'SELECT n FROM base.tick')).toEqual([['2']])
    await production.admin.query('UPDATE tick SET n = 3')
    expect(await rowsOf(session, 'SELECT n FROM base.tick')).toEqual([['2']])
    expect(gate.gate.counters().snapshots).toBe(1)
    await session.query('COMMIT')
    gate.gate.endSnapshot(`mesh ${pid}`)
    await expect.poll(() => gate.gate.counters().busy).toBe(0)
    expect(await rowsOf(session, 'SELECT n FROM base.tick')).toEqual([['3']])

    await session.query('BEGIN ISOLATION LEVEL SERIALIZABLE')
    expect(await rowsOf(session, 'SELECT n FROM base.tick')).toEqual([['3']])
    await production.admin.query('UPDATE tick SET n = 4')
    expect(await rowsOf(session, 'SELECT n FROM base.tick')).toEqual([['3']])
    await session.query('COMMIT')
    expect(await rowsOf(session, 'SELECT n FROM base.tick')).toEqual([['4']])
    await session.end()
  })

  it('goes on after an error on production, and after a savepoint was rolled back', async () => {
    const session = await overlay.connect()
    await expect(session.query('SELECT 1 / (id - 1) FROM base.customer WHERE 10 / (id - 1) > 0')).rejects.toThrow(
      /22012/,
    )
    await session.query(
      'BEGIN; SAVEPOINT a; DECLARE c CURSOR FOR SELECT * FROM base.wide; FETCH 1 FROM c; ROLLBACK TO a',
    )
    await expect.poll(() => gate.gate.counters().busy).toBe(0)
    expect(await rowsOf(session, 'SELECT count(*) FROM base.customer')).toEqual([['500']])
    await expect(session.query('SELECT 10 / (id - 1) FROM base.customer WHERE 10 / (id - 1) > 0')).rejects.toThrow(
      /22012/,
    )
    await session.query('ROLLBACK TO a')
    expect(await rowsOf(session, 'SELECT count(*) FROM base.customer')).toEqual([['500']])
    await session.query('COMMIT')
    await expect.poll(() => gate.gate.counters().busy).toBe(0)
    await session.end()
  })

  it('lets ANALYZE sample production', async () => {
    const session = await overlay.connect()
    await session.query('ANALYZE base.customer')
    expect(await rowsOf(session, "SELECT reltuples FROM pg_class WHERE oid = 'base.customer'::regclass")).toEqual([
      ['500'],
    ])
    await session.end()
  })

  it('serves 50 sessions of the overlay over no more connections than the pool has', async () => {
    const sessions = await Promise.all(Array.from({ length: 50 }, () => overlay.connect()))
    const counts = await Promise.all(
      sessions.map(async (session, index) => {
        const rows = await rowsOf(session, `SELECT count(*) FROM base.orders WHERE customer_id <> ${index}`)
        return Number(rows[0]?.[0])
      }),
    )
    expect(counts.every((count) => count >= 4990)).toBe(true)
    expect(gate.gate.counters().mostOpen).toBeLessThanOrEqual(10)
    expect(gate.gate.counters().foreignSessions).toBeGreaterThanOrEqual(50)
    await Promise.all(sessions.map((session) => session.end()))
    // The one that set the overlay up stays.
    await expect.poll(() => gate.gate.counters().foreignSessions).toBe(1)
  })

  it('writes every statement to a private audit log, without values', async () => {
    const session = await overlay.connect()
    await session.query("SELECT * FROM base.customer WHERE name = 'somebody secret'")
    await session.end()
    await expect.poll(() => gate.audit().some((entry) => String(entry['statement']).includes('name ='))).toBe(true)
    const entries = gate.audit()
    expect(JSON.stringify(entries)).not.toContain('somebody secret')
    expect(entries.every((entry) => /^(?:EXPLAIN )?\s*SELECT/.test(String(entry['statement'])))).toBe(true)
    const { mode } = await import('node:fs').then(({ statSync }) => statSync(gate.auditFile))
    expect(mode & 0o777).toBe(0o600)
  })
})
