import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MeshError } from '../../../../src/core/errors.ts'
import type { PassedStatement } from '../../../../src/cow/postgres/gate/passed.ts'
import type { Cancellable } from '../../../../src/cow/postgres/gate/result-limit.ts'
import { Pool } from '../../../../src/cow/postgres/gate/pool.ts'
import { ShortHistory } from '../../../../src/cow/postgres/gate/short-history.ts'
import { type ShortOutcome, ShortReads } from '../../../../src/cow/postgres/gate/short-reads.ts'
import { UpstreamConnection } from '../../../../src/cow/postgres/gate/upstream-connection.ts'
import { connectServer } from '../../../../src/cow/postgres/server-connection.ts'
import { POSTGRES_ABSENT } from '../../../support/postgres.ts'
import {
  connectAdmin,
  passed,
  type Production,
  READER,
  READER_PASSWORD,
  RowTaker,
  rowsOf,
  startGate,
  startProduction,
  type TestGate,
} from './gate-setup.ts'

const NAME = 'SELECT name FROM customer WHERE id = $1'
const SHARE = 'SELECT total / $1::text::int FROM orders WHERE id = 1'
const WIDE = 'SELECT id FROM wide WHERE id = $1'

/** Connections of mesh's to production, without a gate around them. */
function poolTo({ server: { port } }: Production): Pool {
  const upstream = {
    address: { host: '127.0.0.1', port },
    user: READER,
    database: 'postgres',
    password: READER_PASSWORD,
  }
  return new Pool({
    connect: async (signal) => new UpstreamConnection(await connectServer(upstream, signal), 60_000),
    size: 6,
    waitTimeoutMs: 10_000,
    idleTimeoutMs: 60_000,
  })
}

describe.skipIf(POSTGRES_ABSENT)('short statements of several clients', () => {
  let production: Production
  let gate: TestGate

  beforeAll(async () => {
    production = await startProduction()
    gate = await startGate(production.server)
  })

  afterAll(async () => {
    await gate.close()
    await production.close()
  })

  /** Runs a text by itself until it is known to be short. */
  async function trusted(text: string): Promise<void> {
    for (let run = 0; run < 100; run++) {
      const probe = short(passed(text, ['1']))
      if (probe !== undefined) {
        await probe.ended
        return
      }
      await gate.gate.pass(passed(text, ['1']), new RowTaker())
    }
    throw new Error(`${text} never was short`)
  }

  interface Sent {
    readonly handle: Cancellable
    readonly taker: RowTaker
    readonly ended: Promise<ShortOutcome>
  }

  function short(statement: PassedStatement): Sent | undefined {
    const taker = new RowTaker()
    let resolve = (_outcome: ShortOutcome): void => undefined
    const ended = new Promise<ShortOutcome>((settle) => {
      resolve = settle
    })
    const handle = gate.gate.passShort(statement, taker, (outcome) => resolve(outcome))
    return handle === undefined ? undefined : { handle, taker, ended }
  }

  function shortly(statement: PassedStatement): Sent {
    const sent = short(statement)
    if (sent === undefined) throw new Error('expected it to be short')
    return sent
  }

  it('are known only after they have been short by themselves, and never where they are refused', async () => {
    expect(short(passed('SELECT id FROM customer WHERE id = 4'))).toBeUndefined()
    expect(short(passed('SELECT pg_sleep(0)'))).toBeUndefined()
    for (let run = 0; run < 5; run++) await gate.gate.pass(passed('SELECT id FROM wide'), new RowTaker())
    expect(short(passed('SELECT id FROM wide'))).toBeUndefined()
    expect(short({ ...passed(NAME, ['1']), settings: new Map([['role', 'postgres']]) })).toBeUndefined()
  })

  it('share a transaction, each with its own rows, description and line in the audit log', async () => {
    await trusted(NAME)
    const before = gate.gate.counters()
    const all = Array.from({ length: 12 }, (_, index) => shortly(passed(NAME, [String(index + 1)])))
    for (const [index, { taker, ended }] of all.entries()) {
      expect(await ended).toEqual({ kind: 'complete', tag: 'SELECT 1', rows: 1 })
      expect(taker.rowsTaken).toEqual([[`customer ${index + 1}`]])
      expect(taker.fields).toEqual(['name'])
    }
    const after = gate.gate.counters()
    expect(after.sent.T0 - before.sent.T0).toBe(12)
    expect(after.connected).toBe(before.connected)
  })

  it('fail by themselves: those in front have their rows, those behind are to be run again', async () => {
    await trusted(NAME)
    await trusted(SHARE)
    const before = gate.gate.counters()
    const first = shortly(passed(NAME, ['1']))
    const failing = shortly(passed(SHARE, ['0']))
    const behind = shortly(passed(NAME, ['2']))
    expect(await first.ended).toMatchObject({ kind: 'complete' })
    expect(await failing.ended).toMatchObject({ kind: 'failed', error: { code: '22012' } })
    expect(await behind.ended).toEqual({ kind: 'again' })
    expect(behind.taker.rowsTaken).toEqual([])
    expect(await gate.gate.pass(passed(NAME, ['2']), behind.taker)).toMatchObject({ kind: 'complete' })
    const after = gate.gate.counters()
    expect([after.sent.T0 - before.sent.T0, after.failed - before.failed]).toEqual([3, 1])
    const outcomes = (): unknown[] =>
      gate
        .audit()
        .slice(-4)
        .map(({ failed, skipped }) => failed ?? skipped)
    await expect.poll(outcomes).toEqual([undefined, '22012', true, undefined])
  })

  it('are not sent any more once they could not be recorded', async () => {
    const pool = poolTo(production)
    const recorded: unknown[] = []
    let failure: MeshError | undefined
    const log = {
      get failure() {
        return failure
      },
      record: (sent: unknown) => void recorded.push(sent),
    }
    const reads = new ShortReads({ pool, log, maxResultBytes: 1024 * 1024, maxShortMs: 60_000 })
    const ended = new Promise((resolve) => {
      reads.add(passed(NAME, ['1']), new ShortHistory({ shortMs: 10, maxShortMs: 200 }), new RowTaker(), resolve)
    })
    failure = new MeshError('MESH_ERR_DISK_FULL', { what: 'expected room on the disk, found none' })
    expect(await ended).toMatchObject({
      kind: 'failed',
      error: { message: expect.stringContaining('room on the disk') },
    })
    expect(recorded).toEqual([])
    await pool.close()
  })

  it('do not wait for one that waits for a lock', async () => {
    await trusted(NAME)
    await trusted(WIDE)
    const locker = await connectAdmin(production.server)
    await locker.query('BEGIN; LOCK TABLE wide IN ACCESS EXCLUSIVE MODE')
    const waiting = shortly(passed(WIDE, ['1']))
    const behind = shortly(passed(NAME, ['2']))
    expect(await Promise.all([waiting.ended, behind.ended])).toEqual([{ kind: 'again' }, { kind: 'again' }])
    expect(short(passed(WIDE, ['1']))).toBeUndefined()
    await locker.query('ROLLBACK')
    await locker.end()
  })

  it('are cancelled one by one', async () => {
    await trusted(NAME)
    const first = shortly(passed(NAME, ['1']))
    const second = shortly(passed(NAME, ['2']))
    first.handle.cancel()
    expect(await first.ended).toMatchObject({ kind: 'failed', error: { code: '57014' } })
    expect(await second.ended).toMatchObject({ kind: 'complete' })
    const [third, fourth, fifth] = ['3', '4', '5'].map((id) => shortly(passed(NAME, [id])))
    // They are on their way, and one in the middle is given up: the others neither wait for it nor end with it.
    await new Promise((resolve) => setImmediate(resolve))
    fourth?.handle.cancel()
    expect(await fourth?.ended).toMatchObject({ kind: 'failed', error: { code: '57014' } })
    expect(fourth?.taker.rowsTaken).toEqual([])
    expect([await third?.ended, await fifth?.ended]).toMatchObject([{ kind: 'complete' }, { kind: 'complete' }])
    expect(fifth?.taker.rowsTaken).toEqual([['customer 5']])
  })

  it('run under the settings of their clients', async () => {
    const text = 'SELECT made FROM orders WHERE id = $1'
    await trusted(text)
    const [tokyo, plain] = [
      shortly(passed(text, ['1'], { settings: new Map([['TimeZone', 'Asia/Tokyo']]) })),
      shortly(passed(text, ['1'])),
    ]
    await Promise.all([tokyo.ended, plain.ended])
    expect(tokyo.taker.rowsTaken[0]?.[0]).toContain('+09')
    expect(plain.taker.rowsTaken[0]?.[0]).not.toContain('+09')
  })

  it('begin and commit once for many', async () => {
    const text = 'SELECT now() FROM customer WHERE id = $1'
    await trusted(text)
    const all = Array.from({ length: 12 }, (_, index) => shortly(passed(text, [String(index + 1)])))
    await Promise.all(all.map(({ ended }) => ended))
    expect(new Set(all.map(({ taker }) => taker.rowsTaken[0]?.[0])).size).toBe(1)
  })

  it('wait where two transactions are under way, for the end of one or for a moment, and share the next', async () => {
    const pool = poolTo(production)
    const log = { failure: undefined, record: () => undefined }
    const startReads = (maxWaitMs: number): ((text: string) => Promise<readonly (string | null)[] | undefined>) => {
      const reads = new ShortReads({ pool, log, maxResultBytes: 1024 * 1024, maxShortMs: 60_000, maxWaitMs })
      return (text) => {
        const taker = new RowTaker()
        return new Promise((resolve) => {
          const history = new ShortHistory({ shortMs: 10, maxShortMs: 200 })
          reads.add(passed(text), history, taker, () => resolve(taker.rowsTaken[0]))
        })
      }
    }
    const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))
    const sleeping = `FROM pg_stat_activity WHERE usename = '${READER}' AND query LIKE '%pg_sleep%' AND state = 'active'`
    const waitFor = async (count: string): Promise<void> => {
      await expect.poll(async () => rowsOf(production.admin, `SELECT count(*) ${sleeping}`)).toEqual([[count]])
    }
    const [patient, hasty] = [startReads(60_000), startReads(1)]
    for (const read of [patient, hasty]) {
      const sleepers: Promise<unknown>[] = []
      for (let count = 1; count <= 2; count++) {
        sleepers.push(read(`SELECT pg_sleep(60), '${count}'`))
        await waitFor(String(count))
      }
      const waiting: Promise<readonly (string | null)[] | undefined>[] = []
      for (let count = 0; count < 3; count++) {
        waiting.push(read('SELECT now()'))
        await nextTurn()
      }
      if (read === hasty) await Promise.all(waiting)
      await rowsOf(production.admin, `SELECT pg_cancel_backend(pid) ${sleeping} AND query LIKE '%''1''%'`)
      const times = await Promise.all(waiting)
      if (read === patient) expect(new Set(times.map((row) => row?.[0])).size).toBe(1)
      await rowsOf(production.admin, `SELECT pg_cancel_backend(pid) ${sleeping}`)
      await Promise.all(sleepers)
    }
    await pool.close()
  })
})
