import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRowDescription } from '../../../../src/wire/postgres/backend.ts'
import { MessageBuilder } from '../../../../src/wire/postgres/message-builder.ts'
import { POSTGRES_ABSENT } from '../../../support/postgres.ts'
import { passed, type Production, rowsOf, RowTaker, startGate, startProduction, type TestGate } from './gate-setup.ts'

describe.skipIf(POSTGRES_ABSENT)('statements passed to production', () => {
  let production: Production
  let gate: TestGate

  beforeAll(async () => {
    production = await startProduction()
    gate = await startGate(production.server, { maxResultBytes: 20_000_000 })
  })

  afterAll(async () => {
    await gate.close()
    await production.close()
  })

  it('give rows, description and tag, with parameters, again and again', async () => {
    for (let id = 1; id <= 5; id++) {
      const taker = new RowTaker()
      const outcome = await gate.gate.pass(passed('SELECT id, name FROM customer WHERE id = $1', [String(id)]), taker)
      expect(outcome).toEqual({ kind: 'complete', tag: 'SELECT 1', rows: 1 })
      expect(taker.fields).toEqual(['id', 'name'])
      expect(taker.rowsTaken).toEqual([[String(id), `customer ${id}`]])
    }
    // The lists that the gate read at its start took five at once.
    expect(gate.gate.counters().mostOpen).toBeLessThanOrEqual(5)
  })

  it('are described in the formats in which their rows come, whatever was asked for before', async () => {
    const allBinary = new MessageBuilder().int16(0).count(0).int16(1).int16(1).finish()
    const formatsOf = async (more: { readonly bindTail?: Uint8Array }): Promise<readonly number[]> => {
      let formats: readonly number[] = []
      const sink = new RowTaker()
      sink.description = (bytes) => {
        formats = readRowDescription(bytes.subarray(5)).map(({ format }) => format)
      }
      const statement = passed('SELECT id, customer_id FROM orders WHERE id = 2', [], more)
      expect(await gate.gate.pass(statement, sink)).toMatchObject({ kind: 'complete' })
      return formats
    }
    for (let time = 0; time < 4; time++) {
      expect(await formatsOf({})).toEqual([0, 0])
      expect(await formatsOf({ bindTail: allBinary })).toEqual([1, 1])
    }
  })

  it('read dates in their texts by the time zone of each client, however often they are run', async () => {
    const text = `SELECT count(*) FROM orders WHERE made < '2026-01-01 01:00'`
    const countIn = async (zone: string): Promise<unknown> => {
      const taker = new RowTaker()
      await gate.gate.pass(passed(text, [], { settings: new Map([['TimeZone', zone]]) }), taker)
      return taker.rowsTaken[0]?.[0]
    }
    const before = [await countIn('UTC'), await countIn('Etc/GMT+1')]
    expect(new Set(before).size).toBe(2)
    for (let time = 0; time < 4; time++) expect([await countIn('UTC'), await countIn('Etc/GMT+1')]).toEqual(before)
  })

  it("read 'now' anew each time", async () => {
    const seen = new Set<unknown>()
    for (let time = 0; time < 5; time++) {
      const taker = new RowTaker()
      await gate.gate.pass(passed(`SELECT 'now'::timestamptz FROM customer WHERE id = 1`), taker)
      seen.add(taker.rowsTaken[0]?.[0])
    }
    expect(seen.size).toBe(5)
  })

  it('run under the settings of the client, and leave none behind', async () => {
    const timeOf = async (settings: ReadonlyMap<string, string>): Promise<unknown> => {
      const taker = new RowTaker()
      await gate.gate.pass(passed('SELECT made FROM orders WHERE id = 1', [], { settings }), taker)
      return taker.rowsTaken[0]?.[0]
    }
    const before = await timeOf(new Map())
    expect(
      await timeOf(
        new Map([
          ['TimeZone', 'Asia/Tokyo'],
          ['DateStyle', 'SQL, DMY'],
        ]),
      ),
    ).toBe('01/01/2026 09:01:00 JST')
    expect(await timeOf(new Map())).toBe(before)
    const role = await gate.gate.pass(
      passed('SELECT id FROM orders', [], { settings: new Map([['role', 'postgres']]) }),
      new RowTaker(),
    )
    expect(role.kind).toBe('refused')
  })

  it('come in parts where the portal has a row limit, and give the connection back at the end or when closed', async () => {
    const taker = new RowTaker()
    const first = await gate.gate.pass(passed('SELECT id FROM customer ORDER BY id', [], { rowLimit: 300 }), taker)
    if (first.kind !== 'suspended') throw new Error(`expected rows to be left, found ${first.kind}`)
    expect(gate.gate.counters().busy).toBe(1)
    expect(await first.portal.more(300, taker)).toMatchObject({ kind: 'complete', rows: 200 })
    expect(taker.rowsTaken).toHaveLength(500)
    const second = await gate.gate.pass(passed('SELECT id FROM customer', [], { rowLimit: 3 }), taker)
    if (second.kind === 'suspended') second.portal.close()
    await expect.poll(() => gate.gate.counters().busy).toBe(0)
    expect(
      await gate.gate.pass(passed('SELECT id FROM customer WHERE id < 3', [], { rowLimit: 3 }), taker),
    ).toMatchObject({
      kind: 'complete',
    })
    await expect.poll(() => gate.gate.counters().busy).toBe(0)
  })

  it('give the error of production with its SQLSTATE and position, and the next one runs', async () => {
    const outcome = await gate.gate.pass(passed('SELECT nothing FROM customer'), new RowTaker())
    expect(outcome).toMatchObject({ kind: 'failed', error: { code: '42703', position: 8 } })
    expect(await gate.gate.pass(passed('SELECT 1'), new RowTaker())).toMatchObject({ kind: 'complete' })
  })

  it('run once more where a prepared plan is out of date', async () => {
    await production.admin.query(
      'CREATE TABLE changing (a int); GRANT SELECT ON changing TO reader; INSERT INTO changing VALUES (1)',
    )
    const read = async (): Promise<unknown> => {
      const taker = new RowTaker()
      const outcome = await gate.gate.pass(passed('SELECT * FROM changing'), taker)
      return outcome.kind === 'complete' ? taker.rowsTaken : outcome
    }
    for (let time = 0; time < 3; time++) expect(await read()).toEqual([['1']])
    await production.admin.query('ALTER TABLE changing ADD b int DEFAULT 2')
    expect(await read()).toEqual([['1', '2']])
    expect(await read()).toEqual([['1', '2']])
  })

  it('wait for a slow reader without holding its rows, and end at the limit of bytes', async () => {
    let open = (): void => {}
    let taken = 0
    const slow = {
      rows: (bytes: Uint8Array): boolean => {
        taken += bytes.length
        return false
      },
      whenReady: () => new Promise<void>((resolve) => (open = resolve)),
    }
    const running = gate.gate.pass(passed('SELECT filler FROM wide LIMIT 9000'), slow)
    await expect.poll(() => taken).toBeGreaterThan(0)
    const paused = taken
    await gate.gate.query('SELECT 1')
    expect(taken).toBe(paused)
    const reading = setInterval(() => open(), 1)
    expect(await running).toMatchObject({ kind: 'complete', rows: 9000 })
    clearInterval(reading)
    const tooLarge = await gate.gate.pass(
      passed('SELECT filler FROM wide'),
      new RowTaker(),
      new AbortController().signal,
    )
    expect(tooLarge).toMatchObject({ kind: 'failed', error: { code: '54000' } })
    await expect.poll(() => gate.gate.counters().busy).toBe(0)
  })

  it('are cancelled on production by the signal, also while they wait for a connection', async () => {
    const controller = new AbortController()
    const text = 'SELECT count(*) FROM wide a JOIN wide b ON a.id <> b.id + 1 AND a.filler < b.filler'
    const running = Array.from({ length: 12 }, () => gate.gate.pass(passed(text), new RowTaker(), controller.signal))
    await expect.poll(() => gate.gate.counters().busy).toBe(9)
    controller.abort()
    for (const outcome of await Promise.all(running))
      expect(outcome).toMatchObject({ kind: 'failed', error: { code: '57014' } })
    await expect.poll(() => gate.gate.counters().busy).toBe(0)
    const active = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mesh cow' AND state <> 'idle'"
    await expect.poll(() => rowsOf(production.admin, active)).toEqual([['0']])
  })
})
