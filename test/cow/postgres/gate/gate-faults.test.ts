import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { postgresErrorOf } from '../../../../src/wire/postgres/error-fields.ts'
import { POSTGRES_ABSENT } from '../../../support/postgres.ts'
import { startTcpTarget } from '../../../support/targets.ts'
import {
  type Overlay,
  type Production,
  READER,
  rowsOf,
  startGate,
  startOverlay,
  startProduction,
  type TestGate,
} from './gate-setup.ts'

describe.skipIf(POSTGRES_ABSENT)('a gate in trouble', () => {
  let production: Production
  let overlay: Overlay
  let first: TestGate
  const gates: TestGate[] = []

  beforeAll(async () => {
    production = await startProduction()
    first = await startGate(production.server)
    overlay = await startOverlay(first.gate)
  })

  afterEach(async () => {
    for (const gate of gates.splice(0)) await gate.close()
  })

  afterAll(async () => {
    await overlay.close()
    await first.close()
    await production.close()
  })

  const open = async (options: Parameters<typeof startGate>[1] = {}): Promise<TestGate> => {
    const gate = await startGate(production.server, options)
    gates.push(gate)
    await overlay.pointTo(gate.gate)
    return gate
  }

  const failureOf = async (work: Promise<unknown>): Promise<string> => {
    const thrown: unknown = await work.then(
      () => undefined,
      (error: unknown) => error,
    )
    return `${postgresErrorOf(thrown)?.code ?? ''} ${String(thrown)}`
  }

  it('says why a wrong password does not get in', async () => {
    const { port } = production.server
    const upstream = { address: { host: '127.0.0.1', port }, user: READER, database: 'postgres', password: 'wrong' }
    await expect(open({ upstream })).rejects.toThrow(/28P01/)
  })

  it('says of a server that takes connections and says nothing that it does not answer', async () => {
    const silent = await startTcpTarget(() => undefined)
    const upstream = { address: { host: '127.0.0.1', port: silent.port }, user: READER, database: 'postgres' }
    await expect(open({ upstream, waitTimeoutMs: 200 })).rejects.toThrow('it does not answer')
    await silent.close()
  })

  it('refuses a role that may write, by name of what it may, unless it is trusted', async () => {
    const { port, superuser, password } = production.server
    const address = { host: '127.0.0.1', port }
    const asSuperuser = { address, user: superuser, database: 'postgres', password }
    await expect(open({ upstream: asSuperuser })).rejects.toThrow(/it is a superuser/)
    await production.admin.query(`CREATE ROLE writer LOGIN PASSWORD 'w' REPLICATION; GRANT SELECT ON customer TO writer;
      GRANT UPDATE (name) ON customer TO writer; GRANT USAGE ON SEQUENCE ticket TO writer; GRANT pg_write_all_data TO writer;
      CREATE TABLE owned (a int); ALTER TABLE owned OWNER TO writer`)
    const asWriter = { address, user: 'writer', database: 'postgres', password: 'w' }
    const refusal = await failureOf(open({ upstream: asWriter }))
    for (const reason of [
      /REPLICATION/,
      /pg_write_all_data/,
      /owns public.owned/,
      /public.customer/,
      /public.ticket/,
    ]) {
      expect(refusal).toMatch(reason)
    }
    const trusted = await open({ upstream: asWriter, trustUpstreamRole: true })
    expect(trusted.gate.role.refused).toHaveLength(5)
    expect((await open()).gate.role.warned.join()).toMatch(/SECURITY DEFINER function public.sneak/)
  })

  it('goes on when production was restarted under it', async () => {
    const gate = await open()
    const session = await overlay.connect()
    expect(await rowsOf(session, 'SELECT count(*) FROM base.customer')).toEqual([['500']])
    await production.server.restart()
    expect(await rowsOf(session, 'SELECT count(*) FROM base.customer')).toEqual([['500']])
    await session.query('BEGIN; DECLARE c CURSOR FOR SELECT * FROM base.wide; FETCH 5 FROM c')
    await production.server.restart('immediate')
    expect(await failureOf(session.query('FETCH ALL FROM c'))).toMatch(/^(08006|57P0\d|40001)/)
    await session.query('ROLLBACK')
    expect(await rowsOf(session, 'SELECT count(*) FROM base.customer')).toEqual([['500']])
    await session.end()
    await expect.poll(() => gate.gate.counters().busy).toBe(0)
  })

  it('says that production is down, and works again when it is back', async () => {
    await open()
    const session = await overlay.connect()
    await session.query('SELECT * FROM base.customer WHERE id = 1')
    await production.server.halt()
    expect(await failureOf(session.query('SELECT count(*) FROM base.customer'))).toMatch(/08006.*refused/)
    await production.server.restart()
    expect(await rowsOf(session, 'SELECT count(*) FROM base.customer')).toEqual([['500']])
    await session.end()
  })

  it('ends a scan that takes longer than the statement timeout', async () => {
    await open({ statementTimeoutMs: 2000 })
    const session = await overlay.connect()
    const text = 'SELECT count(*) FROM base.wide a JOIN base.wide b ON a.id <> b.id + 1 AND a.filler < b.filler'
    expect(await failureOf(session.query(`SET postgres_fdw.application_name = 'x'; ${text}`))).toMatch(/57014/)
    await session.end()
  })

  it('cancels the scan on production when the client cancels its statement', async () => {
    const gate = await open()
    const session = await overlay.connect()
    const running = failureOf(
      session.query('SELECT count(*) FROM base.wide a JOIN base.wide b ON a.id <> b.id + 1 AND a.filler < b.filler'),
    )
    await expect.poll(() => gate.gate.counters().busy).toBe(1)
    await session.cancel()
    expect(await running).toMatch(/57014/)
    await expect.poll(() => gate.gate.counters().busy).toBe(0)
    const active = `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mesh cow' AND state <> 'idle'`
    await expect.poll(() => adminRows(active)).toEqual([['0']])
    expect(await rowsOf(session, 'SELECT count(*) FROM base.customer')).toEqual([['500']])
    await session.end()
  })

  it('frees its connection when a session of the overlay is killed', async () => {
    const gate = await open()
    const session = await overlay.connect()
    await session.query('BEGIN; DECLARE c CURSOR FOR SELECT * FROM base.wide; FETCH 5 FROM c')
    expect(gate.gate.counters().busy).toBe(1)
    session.destroy()
    await expect.poll(() => gate.gate.counters().busy).toBe(0)
  })

  it('fails with 53300 and a hint when cursors hold all connections, but serves our own', async () => {
    const gate = await open({ poolSize: 3, waitTimeoutMs: 4000 })
    const holders = await Promise.all([overlay.connect(), overlay.connect()])
    for (const holder of holders)
      await holder.query('BEGIN; DECLARE c CURSOR FOR SELECT * FROM base.wide; FETCH 5 FROM c')
    const session = await overlay.connect()
    const failure = await failureOf(session.query('SELECT count(*) FROM base.customer'))
    expect(failure).toMatch(/^53300 .*all 3 are in use/)
    expect((await gate.gate.query('SELECT count(*) FROM public.customer')).rows).toEqual([['500']])
    expect(gate.gate.counters()).toMatchObject({ timedOut: 1, mostOpen: 3 })
    for (const connection of [...holders, session]) await connection.end()
  })

  it('ends a snapshot and a cursor that are older than allowed, with 40001', async () => {
    // Longer than it takes to begin one, on a machine that has other things to do.
    const gate = await open({ maxTransactionMs: 2000 })
    const session = await overlay.connect()
    const [[pid] = []] = await rowsOf(session, 'SELECT pg_backend_pid()')
    gate.gate.beginSnapshot(`mesh ${pid}`)
    await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM base.customer')
    await expect.poll(() => gate.gate.counters().busy).toBe(0)
    expect(await failureOf(session.query('SELECT count(*) FROM base.customer'))).toMatch(/^40001/)
    await session.query('ROLLBACK')
    gate.gate.endSnapshot(`mesh ${pid}`)
    await session.query('BEGIN; DECLARE c CURSOR FOR SELECT * FROM base.wide; FETCH 5 FROM c')
    await expect.poll(() => gate.gate.counters().busy).toBe(0)
    expect(await failureOf(session.query('FETCH ALL FROM c'))).toMatch(/^40001/)
    await session.query('ROLLBACK')
    await session.end()
  })

  it('closes connections that nobody uses', async () => {
    const gate = await open({ idleTimeoutMs: 50 })
    await gate.gate.query('SELECT 1')
    await expect.poll(() => gate.gate.counters().open).toBe(0)
    expect((await gate.gate.query('SELECT $1::int + 1', ['41'])).rows).toEqual([['42']])
  })

  async function adminRows(text: string): Promise<readonly (readonly (string | null)[])[]> {
    const { connectAdmin } = await import('./gate-setup.ts')
    const admin = await connectAdmin(production.server)
    const rows = await rowsOf(admin, text)
    await admin.end()
    return rows
  }
})
