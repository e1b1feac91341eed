import { afterAll, describe, expect, it, type TestContext } from 'vitest'
import { hasResponse } from '../../src/core/exchange.ts'
import { ClientConnection, CountingClient, getRequest } from '../support/load.ts'
import { runMesh, temporaryFolder } from '../support/mesh.ts'
import { startFaultyTap } from '../support/faulty-taps.ts'
import { pathOf, readRecording } from '../support/recorded.ts'
import { startTap } from '../support/taps.ts'
import type { HttpTarget } from '../support/targets.ts'
import { startHttpTarget } from '../support/targets.ts'
import { MachineWatch, skipWhereDisturbed } from '../support/undisturbed.ts'

/** Chunks are flushed every second; on a busy machine the flush and its write take their time too. */
const MOST_LOST_MS = 2000

/** Twice as long: most of what was answered has to be there. */
const FLOW_MS = 2 * MOST_LOST_MS

/** Flushes come every second: there is a chunk to keep. */
const SHORT_FLOW_MS = 1200

const folder = temporaryFolder()
const targets: HttpTarget[] = []

async function target(): Promise<HttpTarget> {
  const started = await startHttpTarget()
  targets.push(started)
  return started
}

/** Resolves when a client has had replies for so long. */
async function answeredFor(client: CountingClient, milliseconds: number): Promise<void> {
  const startMs = Date.now()
  while (Date.now() - startMs < milliseconds) await client.answered(client.answers + 100)
}

/** The recording was cut, balances, has nothing that was not sent, and all that the client was answered until the last moments. */
async function expectAllButTheLastMoments(
  file: string,
  client: CountingClient,
  cutAtMs: number,
  undisturbed: { readonly context: TestContext; readonly watch: MachineWatch },
): Promise<void> {
  const { ending, exchanges, imbalance, ledger } = await readRecording(file)
  expect(ending).toBe('cut')
  expect(imbalance).toEqual(new Map())
  expect(ledger.requests.dropped + ledger.responses.dropped).toBe(0)
  const recorded = new Set(exchanges.filter(hasResponse).map(pathOf))
  expect(recorded.size).toBe(exchanges.filter(hasResponse).length)
  const answered = client.sent.filter(({ answeredAtMs = Infinity }) => answeredAtMs < cutAtMs)
  const lost = answered.filter(({ path }) => !recorded.has(path))
  const earliestLostMs = lost.reduce(
    (earliest, { answeredAtMs = cutAtMs }) => Math.min(earliest, answeredAtMs),
    cutAtMs,
  )
  const sent = new Set(client.sent.map(({ path }) => path))
  expect(exchanges.map(pathOf).filter((path) => !sent.has(path))).toEqual([])
  skipWhereDisturbed(undisturbed.context, undisturbed.watch)
  expect(cutAtMs - earliestLostMs).toBeLessThan(MOST_LOST_MS)
}

afterAll(async () => {
  await Promise.all(targets.map((started) => started.close()))
  folder.remove()
})

describe('a tap that is killed in full flow', () => {
  it('leaves a recording that opens, balances, and lacks the last moments at most', async (context) => {
    const watch = new MachineWatch()
    const file = folder.path('killed.mcap')
    const tap = await startTap((await target()).port, file)
    const client = new CountingClient(tap.port, 10)
    const running = client.run()
    await answeredFor(client, FLOW_MS)
    const killedAtMs = Date.now()
    tap.signal('SIGKILL')
    expect((await tap.ended).code).toBeNull()
    await running
    await expectAllButTheLastMoments(file, client, killedAtMs, { context, watch })
  })

  it('is told from one that ended in order by inspect --verify, which exits 0', async () => {
    const { code, stdout, stderr } = await runMesh('inspect', '--verify', folder.path('killed.mcap'))
    expect(stderr).toContain('the ledger balances')
    expect(stdout).toContain('CUT: its end is missing')
    expect(code).toBe(0)
  })
})

describe('a tap whose recording thread is lost in full flow', () => {
  it.for([
    ['runs out of memory', 'heap', /the recording thread died: .*memory/],
    ['throws', 'exception', /the recording thread died: .*the fault of a test/],
  ] as const)('passes traffic on when it %s, says so, and ends with exit 1', async ([, fault, death], context) => {
    const watch = new MachineWatch()
    const file = folder.path(`${fault}.mcap`)
    const tap = await startFaultyTap((await target()).port, file, folder.path(`${fault}.fault`))
    const client = new CountingClient(tap.port, 10)
    const running = client.run()
    await answeredFor(client, SHORT_FLOW_MS)
    const struckAtMs = Date.now()
    tap.strike(fault)
    await tap.said(death)
    await client.answered(client.answers + 2000)
    const late = await ClientConnection.open(tap.port)
    expect(await late.ask(getRequest('/late', tap.port))).toContain('200 OK')
    late.close()
    client.stop()
    await running
    expect(client.answers).toBe(client.sent.length)
    tap.signal('SIGTERM')
    const { code, stderr } = await tap.ended
    expect(stderr).toMatch(/\[MESH_ERR_WORKER_DIED\]\n/)
    expect(stderr).toMatch(/\d [KM]iB passed on with no recorder to hear them/)
    expect(stderr).not.toContain('the ledger balances')
    expect(code).toBe(1)
    await expectAllButTheLastMoments(file, client, struckAtMs, { context, watch })
  })

  it('passes traffic on when it hangs, and can be ended', async () => {
    const file = folder.path('hang.mcap')
    const tap = await startFaultyTap((await target()).port, file, folder.path('hang.fault'))
    const client = new CountingClient(tap.port, 10)
    const running = client.run()
    await client.answered(1000)
    tap.strike('hang')
    await client.answered(client.answers + 5000)
    client.stop()
    await running
    expect(client.answers).toBe(client.sent.length)
    tap.signal('SIGTERM')
    await tap.said(/SIGTERM: no new connections/)
    tap.signal('SIGTERM')
    const { code, stderr } = await tap.ended
    expect(stderr).toContain('the recorder was ended before it had written everything')
    expect(code).toBe(1)
  })
})
