import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { POSTGRES_ABSENT } from '../../../support/postgres.ts'
import { passed, type Production, READER, RowTaker, startGate, startProduction, type TestGate } from './gate-setup.ts'

describe.skipIf(POSTGRES_ABSENT)('a role on production whose settings and rights change under the gate', () => {
  let production: Production
  let gate: TestGate

  beforeAll(async () => {
    production = await startProduction()
    await production.admin.query(`CREATE TABLE dated (id int PRIMARY KEY, at timestamptz);
      INSERT INTO dated VALUES (1, '2026-02-03 04:05:06+00'); CREATE SCHEMA later;
      CREATE TABLE later.dated AS SELECT 2 AS id, now() AS at; GRANT SELECT ON dated TO ${READER};
      GRANT USAGE ON SCHEMA later TO ${READER}; GRANT SELECT ON later.dated TO ${READER}`)
    gate = await startGate(production.server)
  })

  afterAll(async () => {
    await gate.close()
    await production.close()
  })

  /** Each connection is new to production; one that was logging in is not among its sessions at first. */
  const reconnect = async (): Promise<void> => {
    const endAll = async (): Promise<number> => {
      await production.admin.query(
        `SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE usename = '${READER}'`,
      )
      return gate.gate.counters().open
    }
    await expect.poll(endAll).toBe(0)
  }

  const read = async (text: string): Promise<unknown> => {
    const taker = new RowTaker()
    const outcome = await gate.gate.pass(passed(text), taker)
    return outcome.kind === 'failed' ? outcome.error.code : taker.rowsTaken
  }

  it('is read by the names and in the texts of values that it had at the start', async () => {
    const text = 'SELECT id, at FROM dated'
    const before = await read(text)
    expect(before).toEqual([['1', expect.stringContaining('2026-02-03')]])
    await production.admin
      .query(`ALTER ROLE ${READER} SET search_path = later; ALTER ROLE ${READER} SET DateStyle = 'SQL, DMY';
      ALTER ROLE ${READER} SET TimeZone = 'Asia/Tokyo'`)
    await reconnect()
    expect(await read(text)).toEqual(before)
    await production.admin.query(`ALTER ROLE ${READER} RESET ALL; CREATE SCHEMA ${READER};
      CREATE TABLE ${READER}.dated AS TABLE later.dated; GRANT ALL ON SCHEMA ${READER} TO ${READER};
      GRANT SELECT ON ${READER}.dated TO ${READER}`)
    await reconnect()
    expect(await read(text)).toEqual(before)
  })

  it('is refused a table of which rows are hidden from it by then', async () => {
    expect(await read('SELECT id FROM dated')).toEqual([['1']])
    await production.admin.query('ALTER TABLE dated ENABLE ROW LEVEL SECURITY')
    expect(await read('SELECT id FROM dated')).toBe('42501')
  })

  it('reads what its policies let it see, where it had some at the start', async () => {
    await production.admin.query(
      'CREATE POLICY first_only ON dated USING (id = 1); INSERT INTO dated VALUES (3, now())',
    )
    const guarded = await startGate(production.server)
    try {
      const taker = new RowTaker()
      await guarded.gate.pass(passed('SELECT id FROM public.dated'), taker)
      expect(guarded.gate.role.warned.join()).toMatch(/row level security lets it see .*public.dated/)
      expect(taker.rowsTaken).toEqual([['1']])
    } finally {
      await guarded.close()
    }
  })
})
