import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { postgresErrorOf } from '../../../../src/wire/postgres/error-fields.ts'
import { POSTGRES_ABSENT } from '../../../support/postgres.ts'
import {
  type Overlay,
  passed,
  type Production,
  rowsOf,
  RowTaker,
  startGate,
  startOverlay,
  startProduction,
  type TestGate,
} from './gate-setup.ts'

/** Longer than what is not hung keeps silent, even on a machine that is starved. */
const MAX_SILENCE_MS = 2000

const SILENT = { code: '08006', message: `production has not answered for ${MAX_SILENCE_MS / 1000} s` }
const COUNT = 'SELECT count(*) FROM public.customer'

describe.skipIf(POSTGRES_ABSENT)('a production that hangs', () => {
  let production: Production
  let overlay: Overlay
  let gate: TestGate
  const stopped = new Set<number>()

  beforeAll(async () => {
    production = await startProduction()
    gate = await startGate(production.server, { maxSilenceMs: MAX_SILENCE_MS })
    overlay = await startOverlay(gate.gate)
  })

  afterEach(() => {
    for (const pid of stopped) signal(pid, 'SIGCONT')
    stopped.clear()
  })

  afterAll(async () => {
    await overlay.close()
    await gate.close()
    await production.close()
  })

  /** Stops the backends that serve the gate now; one that is about to go may be gone. */
  const hang = async (which = 'true'): Promise<void> => {
    const text = `SELECT pid FROM pg_stat_activity WHERE application_name = 'mesh cow' AND ${which}`
    const pids = (await rowsOf(production.admin, text)).map(([pid]) => Number(pid))
    for (const pid of pids) if (signal(pid, 'SIGSTOP')) stopped.add(pid)
    expect(stopped.size).toBeGreaterThan(0)
  }

  const signal = (pid: number, name: NodeJS.Signals): boolean => {
    try {
      return process.kill(pid, name)
    } catch {
      return false
    }
  }

  const failureOf = async (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => undefined,
      (thrown: unknown) => postgresErrorOf(thrown),
    )

  const pass = async (signal?: AbortSignal): Promise<unknown> => gate.gate.pass(passed(COUNT), new RowTaker(), signal)

  /** What was hung is given up, and others are served. */
  const goesOn = async (): Promise<void> => {
    expect(await pass()).toMatchObject({ kind: 'complete' })
    await expect.poll(() => gate.gate.counters().busy).toBe(0)
  }

  it('fails a statement that is passed, and no other', async () => {
    await pass()
    await hang()
    expect(await pass()).toMatchObject({ kind: 'failed', error: SILENT })
    await goesOn()
  })

  it('fails short statements in one packet, each once', async () => {
    const short = (): Promise<unknown> =>
      new Promise((resolve) => {
        if (gate.gate.passShort(passed(COUNT), new RowTaker(), resolve) === undefined) resolve('not short')
      })
    // It has to be short by itself first, on a machine that has other things to do.
    while ((await short()) === 'not short') await pass()
    await hang()
    const ends = await Promise.all([short(), short(), short()])
    for (const end of ends) expect(end).toMatchObject({ kind: 'failed', error: SILENT })
    await goesOn()
  })

  it('fails a foreign scan at its start and in its midst, and the session goes on', async () => {
    const session = await overlay.connect()
    expect(await rowsOf(session, 'SELECT count(*) FROM base.customer')).toEqual([['500']])
    await hang()
    expect(await failureOf(session.query('SELECT count(*) FROM base.customer WHERE id > 7'))).toMatchObject(SILENT)
    await session.query('BEGIN; DECLARE c CURSOR FOR SELECT * FROM base.wide; FETCH 5 FROM c')
    await hang()
    expect(await failureOf(session.query('FETCH ALL FROM c'))).toMatchObject(SILENT)
    await session.query('ROLLBACK')
    expect(await rowsOf(session, 'SELECT count(*) FROM base.customer')).toEqual([['500']])
    await session.end()
    await goesOn()
  })

  it('fails the dump of its schema', async () => {
    const dump = await gate.gate.transportForDump()
    await hang()
    const text = new TextEncoder().encode('SELECT 1\0')
    const query = Uint8Array.from([0x51, 0, 0, 0, text.length + 4, ...text])
    await expect(dump.exchange(query)).rejects.toThrow(
      `expected an answer within ${MAX_SILENCE_MS / 1000} s, found none`,
    )
    dump.close()
    await goesOn()
  })

  it('lets a cancelled statement go', async () => {
    const patient = await startGate(production.server)
    const slow = `SELECT count(*) FROM public.wide a JOIN public.wide b ON a.filler < b.filler`
    const cancelling = new AbortController()
    const running = patient.gate.pass(passed(slow), new RowTaker(), cancelling.signal)
    const active = `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mesh cow' AND state = 'active'`
    await expect.poll(() => rowsOf(production.admin, active)).toEqual([['1']])
    await hang("state = 'active'")
    cancelling.abort()
    expect(await running).toMatchObject({ kind: 'failed', error: { code: '57014' } })
    await patient.close()
  })
})
