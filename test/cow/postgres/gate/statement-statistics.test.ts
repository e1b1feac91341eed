import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StatementCounts } from '../../../../src/cow/postgres/gate/counters.ts'
import { StatementStatistics } from '../../../../src/cow/postgres/gate/statement-statistics.ts'
import { connectServer, type ServerConnection } from '../../../../src/cow/postgres/server-connection.ts'
import { POSTGRES_ABSENT, startPostgres, type TestPostgres } from '../../../support/postgres.ts'

const never = new AbortController().signal

describe.skipIf(POSTGRES_ABSENT !== false)('StatementStatistics', () => {
  let production: TestPostgres
  const connect = (user: string): Promise<ServerConnection> =>
    connectServer(
      { address: { socketFolder: production.socketFolder, port: production.port }, user, database: 'postgres' },
      never,
    )

  beforeAll(async () => {
    production = await startPostgres({ settings: { shared_preload_libraries: 'pg_stat_statements' } })
    const admin = await connect(production.superuser)
    await admin.query('CREATE ROLE reader LOGIN; CREATE TABLE t (n int); GRANT ALL ON t TO reader')
    await admin.end()
  })

  afterAll(() => production.stop())

  it('is not there where production has no such extension, or does not let us read it', async () => {
    const reader = await connect('reader')
    const query = (text: string): ReturnType<ServerConnection['execute']> => reader.execute(text, [])
    expect(await StatementStatistics.begin({ query })).toBeUndefined()
    const admin = await connect(production.superuser)
    await admin.query('CREATE SCHEMA "Mon itor"; CREATE EXTENSION pg_stat_statements SCHEMA "Mon itor"')
    expect(await StatementStatistics.begin({ query })).toBeUndefined()
    await admin.query('GRANT USAGE ON SCHEMA "Mon itor" TO reader')
    expect(await StatementStatistics.begin({ query })).toBeDefined()
    await Promise.all([reader.end(), admin.end()])
  })

  it("counts our role's calls since its beginning, and tells the writes among them", async () => {
    const [reader, other] = [await connect('reader'), await connect(production.superuser)]
    await reader.query('INSERT INTO t VALUES (0)')
    const statistics = await StatementStatistics.begin({ query: (text) => reader.execute(text, []) })
    const reads = [
      '/* a: b */ -- insert\n SELECT * FROM t',
      '(SELECT 1) UNION (SELECT 2)',
      'WITH a AS (SELECT n FROM t) SELECT * FROM a',
      'EXPLAIN SELECT 3',
      'EXPLAIN (ANALYZE) SELECT 4',
      'EXPLAIN INSERT INTO t VALUES (2)',
      'PREPARE p AS SELECT 5',
      'EXECUTE p',
      `SELECT 'into'`,
      'START TRANSACTION READ ONLY',
      'TABLE t',
      'COMMIT',
    ]
    for (const text of reads) await reader.query(text)
    expect(await statistics?.since()).toMatchObject({ writes: 0 })
    await other.query('INSERT INTO t VALUES (1)')
    for (const text of [
      'INSERT INTO t VALUES (2)',
      'WITH a AS (DELETE FROM t RETURNING n) SELECT * FROM a',
      '/**/ UPDATE t SET n = 1',
      'EXPLAIN (ANALYZE, COSTS OFF) INSERT INTO t VALUES (3)',
      'SELECT n INTO TEMP made FROM t',
      'CREATE TEMP TABLE made_as AS SELECT n FROM t',
    ])
      await reader.query(text)
    const report = await statistics?.since()
    if (typeof report !== 'object') throw new Error(`expected a count, found ${report}`)
    // What EXPLAIN ANALYZE runs is one more where production counts nested statements.
    expect(report.writes).toBeGreaterThanOrEqual(6)
    expect(report.calls).toBeGreaterThanOrEqual(reads.length + 6)
    await other.query('SELECT "Mon itor".pg_stat_statements_reset()')
    for (let call = 0; call <= report.calls + 10; call++) await reader.query('SELECT 1')
    expect(await statistics?.since()).toBe('unreadable')
    await Promise.all([reader.end(), other.end()])
  })

  it('takes a text that production hides for unreadable, not for a read', async () => {
    const answers = [
      ['Mon itor', 't'],
      ['5', '0', '0', ''],
      ['9', '0', '1', ''],
    ]
    const query = (): ReturnType<ServerConnection['execute']> =>
      Promise.resolve({ fields: [], rows: [answers.shift() ?? []], tag: 'SELECT 1' })
    expect(await (await StatementStatistics.begin({ query }))?.since()).toBe('unreadable')
  })
})

describe('StatementCounts', () => {
  it.each([
    ['SELECT 5', 0],
    ['EXPLAIN', 0],
    ['FETCH 10', 0],
    ['RESET', 0],
    ['', 0],
    ['INSERT 0 1', 1],
    ['UPDATE 3', 1],
    ['MERGE 1', 1],
    ['CREATE TABLE', 1],
    ['COPY 7', 1],
    ['CALL', 1],
  ])('counts what production reported as "%s" as %i writes', (tag, writes) => {
    const counts = new StatementCounts()
    const statement = { text: '', parameterTypes: [], bindTail: new Uint8Array() }
    const end = { kind: 'complete', tag, rows: 0 } as const
    counts.count({ lane: 'scan', statement, isContinued: false, processId: 1, durationNs: 0, end })
    expect(counts.writes).toBe(writes)
  })
})
