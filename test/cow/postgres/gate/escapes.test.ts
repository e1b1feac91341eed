import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresErrorOf } from '../../../../src/wire/postgres/error-fields.ts'
import { connectServer, type ServerConnection } from '../../../../src/cow/postgres/server-connection.ts'
import { POSTGRES_ABSENT } from '../../../support/postgres.ts'
import {
  fingerprint,
  passed,
  type Production,
  READER,
  RowTaker,
  startGate,
  startProduction,
  type TestGate,
} from './gate-setup.ts'

/** Ways out, with the reason for each row. None may be sent to production as it is. */
const ESCAPES: readonly (readonly [why: string, text: string])[] = [
  ['two statements', 'SELECT 1; INSERT INTO witness VALUES (1)'],
  ['a comment that hides the second', 'SELECT 1 /* ; */; DELETE FROM witness'],
  ['a nested comment', 'SELECT 1 /* /* */ ; */; DELETE FROM witness'],
  ['end of transaction, then a write', 'COMMIT; INSERT INTO witness VALUES (1)'],
  ['plain writes', 'INSERT INTO public.witness VALUES (1)'],
  ['update', 'UPDATE public.witness SET n = 2'],
  ['delete', 'DELETE FROM public.customer'],
  [
    'merge',
    'MERGE INTO public.witness w USING public.customer c ON w.n = c.id WHEN NOT MATCHED THEN INSERT VALUES (1)',
  ],
  ['truncate', 'TRUNCATE public.witness'],
  ['a write in a CTE', 'WITH w AS (INSERT INTO public.witness VALUES (1) RETURNING n) SELECT n FROM w'],
  ['select into', 'SELECT 1 AS a INTO public.made'],
  ['create table as', 'CREATE TABLE public.made AS SELECT 1 AS a'],
  ['create temp table', 'CREATE TEMP TABLE made (a int)'],
  ['row locks', 'SELECT n FROM public.witness FOR UPDATE'],
  ['row locks in a sub-select', 'SELECT * FROM (SELECT id FROM public.customer FOR SHARE) s'],
  ['table locks', 'LOCK TABLE public.customer'],
  ['a sequence', "SELECT nextval('public.ticket')"],
  ['a sequence, set', "SELECT pg_catalog.setval('public.ticket', 99)"],
  ['a transaction id', 'SELECT txid_current()'],
  ['a transaction id, newer', 'SELECT pg_catalog.pg_current_xact_id()'],
  ['an advisory lock', 'SELECT pg_advisory_lock(1)'],
  ['an advisory lock, tried', 'SELECT pg_try_advisory_lock_shared(1)'],
  ['another session', 'SELECT pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity'],
  ['another statement', 'SELECT pg_cancel_backend(1)'],
  ['a notification', "SELECT pg_notify('a', 'b')"],
  ['notify', "NOTIFY a, 'b'"],
  ['listen', 'LISTEN a'],
  ['a large object', 'SELECT lo_create(1)'],
  ['a large object, put', "SELECT lo_from_bytea(0, 'x')"],
  ['a setting', "SELECT set_config('transaction_read_only', 'off', false)"],
  ['the access mode', 'SET TRANSACTION READ WRITE'],
  ['the access mode of the session', 'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE'],
  ['the default access mode', 'SET default_transaction_read_only = off'],
  ['a transaction that writes', 'START TRANSACTION READ WRITE'],
  ['begin', 'BEGIN'],
  ['a role', 'SET ROLE postgres'],
  ['a search path', 'SET search_path = public'],
  ['reset', 'RESET ALL'],
  ['discard', 'DISCARD ALL'],
  ['a user function', 'SELECT public.sneak()'],
  ['a user function, unqualified', 'SELECT sneak()'],
  ['a user function as a table', 'SELECT * FROM public.sneak()'],
  ['a user function as a column', 'SELECT (c).sneak FROM public.customer c'],
  ['a domain with a check', "SELECT '1'::public.positive"],
  ['explain analyze', 'EXPLAIN ANALYZE SELECT 1'],
  ['explain of a write', 'EXPLAIN ANALYZE DELETE FROM public.customer'],
  ['a block', 'DO $$ BEGIN INSERT INTO witness VALUES (1); END $$'],
  ['a call', 'CALL public.sneak()'],
  ['copy to a program', "COPY public.customer TO PROGRAM 'cat'"],
  ['copy from a program', "COPY public.witness FROM PROGRAM 'echo 1'"],
  ['copy to stdout', 'COPY public.customer TO STDOUT'],
  ['prepare', 'PREPARE p AS DELETE FROM public.customer'],
  ['execute', 'EXECUTE p'],
  ['declare twice', 'DECLARE c1 CURSOR FOR SELECT 1; DELETE FROM public.customer'],
  ['declare over a write', 'DECLARE c1 CURSOR FOR DELETE FROM public.customer RETURNING id'],
  ['a holdable cursor', 'DECLARE c1 CURSOR WITH HOLD FOR SELECT 1'],
  ['text run by a function', "SELECT query_to_xml('SELECT public.sneak()', true, true, '')"],
  ['a relation in a string', "SELECT table_to_xml('public.customer', true, true, '')"],
  ['files', "SELECT pg_read_file('/etc/passwd')"],
  ['sleep', 'SELECT pg_sleep(10)'],
  ['a checkpoint', 'CHECKPOINT'],
  ['vacuum', 'VACUUM public.customer'],
  ['analyze', 'ANALYZE public.customer'],
  ['statistics reset', 'SELECT pg_stat_reset()'],
  ['configuration reload', 'SELECT pg_reload_conf()'],
  ['an exported snapshot', 'SELECT pg_export_snapshot()'],
  ['replication', "SELECT pg_create_physical_replication_slot('s')"],
  ['wal', "SELECT pg_logical_emit_message(true, 'a', 'b')"],
  ['grant', 'GRANT ALL ON public.customer TO PUBLIC'],
  ['two-phase', "PREPARE TRANSACTION 'x'"],
  ['quoting', `SELECT 'a\\'; DELETE FROM public.customer; --'`],
  ['dollar quoting', 'SELECT $a$ $b$; DELETE FROM public.customer; SELECT $b$ $a$; DELETE FROM public.witness'],
  ['unicode quoting', `SELECT U&'\\0027'; DELETE FROM public.customer`],
]

describe.skipIf(POSTGRES_ABSENT)('escape attempts at the gate', () => {
  let production: Production
  let gate: TestGate
  let mighty: TestGate
  let before = ''

  beforeAll(async () => {
    production = await startProduction()
    gate = await startGate(production.server)
    await production.admin.query("CREATE ROLE mighty SUPERUSER LOGIN PASSWORD 'm'")
    mighty = await startGate(production.server, {
      upstream: {
        address: { host: '127.0.0.1', port: production.server.port },
        user: 'mighty',
        database: 'postgres',
        password: 'm',
      },
      trustUpstreamRole: true,
    })
    before = await fingerprint(production.admin)
  })

  afterAll(async () => {
    await gate.close()
    await mighty.close()
    await production.close()
  })

  const asForeignServer = (target: TestGate): Promise<ServerConnection> => {
    const address = { socketFolder: target.gate.socketFolder, port: target.gate.port }
    return connectServer({ address, user: 'any', database: 'any' }, AbortSignal.timeout(10_000))
  }

  /** Sends a text in each way that a connection of postgres_fdw has; tells which ones were taken. */
  const takenBy = async (connection: ServerConnection, text: string): Promise<readonly string[]> => {
    const ways: readonly [string, () => Promise<unknown>][] = [
      ['query', () => connection.query(text)],
      ['extended', () => connection.execute(text, [])],
      [
        'cursor',
        () => connection.query(`DECLARE c1 CURSOR FOR ${text}`).then(() => connection.query('FETCH 10 FROM c1')),
      ],
      ['explain', () => connection.query(`EXPLAIN ${text}`)],
    ]
    const taken: string[] = []
    for (const [way, send] of ways) {
      const failure = await send().then(
        () => undefined,
        (error: unknown) => postgresErrorOf(error)?.code ?? String(error),
      )
      if (failure === undefined) taken.push(way)
    }
    return taken
  }

  it.each(ESCAPES)('refuses or defuses, from the overlay and from a client: %s', async (why, text) => {
    // Cut off, row locks leave a plain read; a string with a backslash before its end is a plain string.
    const harmless = why === 'row locks' || why === 'quoting'
    for (const target of [gate, mighty]) {
      const connection = await asForeignServer(target)
      const taken = await takenBy(connection, text)
      if (!harmless) expect(taken).toEqual([])
      await connection.end()
      const outcome = await target.gate.pass(
        passed(text, [], { settings: new Map([['search_path', 'public']]) }),
        new RowTaker(),
      )
      if (why !== 'quoting') expect(outcome.kind).toBe('refused')
    }
    expect(await fingerprint(production.admin)).toBe(before)
  })

  it('cannot write through a view that calls a SECURITY DEFINER function, whoever may', async () => {
    for (const target of [gate, mighty]) {
      const outcome = await target.gate.pass(passed('SELECT n FROM public.sneaky'), new RowTaker())
      expect(outcome).toMatchObject({ kind: 'failed', error: { code: '25006' } })
      const connection = await asForeignServer(target)
      await connection.query('DECLARE c1 CURSOR FOR SELECT n FROM public.sneaky')
      await expect(connection.query('FETCH 1 FROM c1')).rejects.toThrow(/25006/)
      await connection.end()
    }
    expect(await fingerprint(production.admin)).toBe(before)
  })

  it('has production read strings as its own parser does, whatever the role is set to there', async () => {
    await production.admin.query(
      `ALTER ROLE ${READER} SET standard_conforming_strings = off; ALTER ROLE ${READER} SET transform_null_equals = on`,
    )
    const set = await startGate(production.server)
    try {
      const taker = new RowTaker()
      // Where a backslash moves the end of a string, the second one's inside is run.
      await set.gate.pass(passed(`SELECT '\\', ' || (SELECT pg_sleep(0)::text) || ', NULL = NULL --'`), taker)
      expect(taker.rowsTaken).toEqual([['\\', ' || (SELECT pg_sleep(0)::text) || ', null]])
    } finally {
      await set.close()
      await production.admin.query(`ALTER ROLE ${READER} RESET ALL`)
    }
  })

  it('sends nothing but reads in read-only transactions, by its own log', () => {
    for (const target of [gate, mighty]) {
      for (const { statement } of target.audit()) expect(String(statement)).toMatch(/^\s*(?:EXPLAIN )?SELECT\b/)
    }
  })
})
