import { afterEach, describe, expect, it } from 'vitest'

import { monotonicNs } from '../../src/core/clock.ts'
import { lagNs, responseTimeNs, serviceTimeNs } from '../../src/core/outcome.ts'
import { DEFAULT_BREAKER_LIMITS } from '../../src/replay/error-breaker.ts'
import { runReplay } from '../../src/replay/replay.ts'
import { packShots, type ShotBatch } from '../../src/replay/shot-batch.ts'
import { notBefore } from '../support/not-before.ts'
import { inBatches, numbered, OutcomeList, replayOptions, sendShots, shot, until } from './senders/shots.ts'
import { deadPort, reply, type Script, type ScriptedTarget, startTarget, targetAt } from './senders/targets.ts'

const MS = 1e6
const started: ScriptedTarget[] = []

async function target(script: Script): Promise<ScriptedTarget> {
  const fresh = await startTarget(script)
  started.push(fresh)
  return fresh
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.close()))
})

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

describe('runReplay', () => {
  it.each(['precise', 'eco'] as const)(
    'sends no shot before it is due, and all of them (pacing %s)',
    async (pacing) => {
      const server = await target(({ socket }) => socket.write(reply()))
      const shots = Array.from({ length: 200 }, (_, index) =>
        shot(index, { connection: index % 10, dueNs: index * 2 * MS }),
      )
      const { outcomes, summary } = await sendShots(shots, server.target, { pacing })
      expect(outcomes).toHaveLength(200)
      expect(summary).toMatchObject({ ending: 'finished', unsentShots: 0 })
      for (const outcome of outcomes) expect(lagNs(outcome)).toBeGreaterThanOrEqual(0)
      expect(outcomes.map(({ dueNs }) => dueNs)).toEqual(shots.map((each) => expect.closeTo(each.dueNs, -3)))
    },
  )

  it('reports a target that always takes 50 ms as taking 50 ms, at a fixed rate', async () => {
    const server = await target(({ socket }) => notBefore(50, () => socket.write(reply())))
    const shots = Array.from({ length: 300 }, (_, index) => shot(index, { connection: index, dueNs: index * 4 * MS }))
    const { outcomes } = await sendShots(shots, server.target, { order: 'none', pacing: 'precise' })
    const serviceNs = median(outcomes.map(serviceTimeNs))
    expect(serviceNs).toBeGreaterThan(50 * MS)
    expect(outcomes.map(responseTimeNs).every((each) => each > 50 * MS)).toBe(true)
  })

  it('shows a stall of the target in the response times of all who waited, in the service time of those under way only, and in no lag', async () => {
    const originNs = monotonicNs()
    let [stalled, endNs] = [false, 0]
    const held: (() => void)[] = []
    const server = await target(({ socket, path }) => {
      if (path === '/100') {
        stalled = true
        // Everything is due by then.
        notBefore(Math.max(0, 800 - (monotonicNs() - originNs) / MS), () => {
          stalled = false
          endNs = monotonicNs() - originNs
          for (const answer of held) answer()
        })
      }
      if (stalled) held.push(() => socket.write(reply()))
      else socket.write(reply())
    })
    const shots = Array.from({ length: 400 }, (_, index) =>
      shot(index, { connection: index % 4, dueNs: index * 2 * MS }),
    )
    const { outcomes } = await sendShots(shots, server.target, { pacing: 'precise', originNs })
    const underWay = outcomes.filter(({ sentNs, doneNs }) => sentNs < endNs && doneNs >= endNs)
    expect(underWay.length).toBeLessThanOrEqual(4)
    expect(underWay.length).toBeGreaterThan(0)
    // At least those that came after the request that stalled, on its connection; of the others some may have been ahead of it.
    const after = outcomes.filter((_, index) => index > 100 && index % 4 === 0)
    const waited = outcomes.filter(({ sentNs }) => sentNs >= endNs)
    expect(waited).toEqual(expect.arrayContaining(after))
    for (const outcome of waited) {
      expect(responseTimeNs(outcome)).toBeGreaterThan(endNs - outcome.dueNs)
      // Until then it was blocked: its lag begins after.
      expect(outcome.readyNs).toBeGreaterThanOrEqual(endNs)
    }
  })

  it('goes on sending while batches come late, and ends with the last', async () => {
    const server = await target(({ socket }) => socket.write(reply()))
    async function* trickling(): AsyncGenerator<ShotBatch> {
      for (const each of numbered([shot(0), shot(1), shot(2)])) {
        await new Promise((resolve) => setTimeout(resolve, 15))
        yield packShots([each])
        yield packShots([])
      }
    }
    const list = new OutcomeList()
    await runReplay(trickling(), replayOptions(server.target), list, new AbortController().signal)
    expect(list.results).toEqual([200, 200, 200])
  })

  it('throws what the source of shots throws, after ending what was in flight', async () => {
    const server = await target(() => undefined)
    async function* failing(): AsyncGenerator<ShotBatch> {
      yield packShots([shot(0)])
      await until(() => server.received.length === 1)
      throw new Error('the recording broke')
    }
    const list = new OutcomeList()
    const run = runReplay(failing(), replayOptions(server.target), list, new AbortController().signal)
    await expect(run).rejects.toThrow('the recording broke')
    expect(list.results).toEqual(['aborted'])
  })

  it('is stopped by its signal while it waits for shots that do not come', async () => {
    const server = await target(({ socket }) => socket.write(reply()))
    const controller = new AbortController()
    async function* stuck(): AsyncGenerator<ShotBatch> {
      yield packShots([shot(0)])
      await new Promise(() => undefined)
    }
    const list = new OutcomeList(() => controller.abort())
    const summary = await runReplay(stuck(), replayOptions(server.target), list, controller.signal)
    expect(summary.ending).toBe('stopped')
    expect(list.results).toEqual([200])
  })

  it('reads a bounded number of batches ahead of what is due', async () => {
    const server = await target(({ socket }) => socket.write(reply()))
    let made = 0
    async function* endless(): AsyncGenerator<ShotBatch> {
      for (;;) yield packShots([shot(0, { dueNs: 60e9 + made++ })])
    }
    const controller = new AbortController()
    const run = runReplay(endless(), replayOptions(server.target), new OutcomeList(), controller.signal)
    await until(() => made > 0)
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    controller.abort()
    await run
    expect(made).toBeLessThanOrEqual(4)
  })

  it('ends at its duration, whatever is still to come', async () => {
    const server = await target(({ socket }) => socket.write(reply()))
    async function* endless(): AsyncGenerator<ShotBatch> {
      for (;;) yield* inBatches(Array.from({ length: 100 }, (_, index) => shot(index, { connection: index })))
    }
    const list = new OutcomeList()
    const options = replayOptions(server.target, { loop: 'closed', maxConnections: 2, durationNs: 100 * MS })
    const summary = await runReplay(endless(), options, list, new AbortController().signal)
    expect(summary.ending).toBe('finished')
    expect(list.outcomes.length).toBe(summary.counters.answered)
    expect(summary.endNs).toBeGreaterThanOrEqual(100 * MS)
  })

  it.each([
    ['one lane', 1],
    ['fewer lanes than connections', 5],
    ['more lanes than connections', 40],
  ])('has no more in flight in a closed loop than its connections carry, with %s', async (_, lanes) => {
    const server = await target(({ socket }) => setTimeout(() => socket.write(reply()), 2))
    const shots = Array.from({ length: 400 }, (__, index) => shot(index, { connection: index % lanes }))
    const { summary, list } = await sendShots(shots, server.target, { loop: 'closed', maxConnections: 10 })
    expect(list.results).toEqual(shots.map(() => 200))
    expect(summary.counters.peakInFlight).toBeLessThanOrEqual(Math.min(lanes, 10))
    expect(summary.counters.peakConnections).toBe(Math.min(lanes, 10))
  })

  it.each(['connection', 'none'] as const)(
    'sends nothing that waits when the time of a closed loop is over, and ends what is in flight (order %s)',
    async (order) => {
      const seen: string[] = []
      const originNs = monotonicNs()
      const server = await target(({ socket, path }) => {
        seen.push(path)
        // After the time is over.
        notBefore(600 - (monotonicNs() - originNs) / MS, () => socket.write(reply()))
      })
      const shots = Array.from({ length: 20 }, (_, index) => shot(index, { connection: index % 2 }))
      const options = { loop: 'closed', maxConnections: 4, durationNs: 500 * MS, order, originNs } as const
      const { summary, list } = await sendShots(shots, server.target, options)
      // Fewer where the time was over before they could be sent.
      const carried = seen.length
      expect(carried).toBeLessThanOrEqual(order === 'connection' ? 2 : 4)
      expect(list.results).toEqual(Array.from({ length: carried }, () => 200))
      expect(summary).toMatchObject({ ending: 'finished', unsentShots: 20 - carried })
      expect(summary.counters).toMatchObject({ offered: carried, sent: carried, ended: carried, answered: carried })
    },
  )

  it('forgets what waits when a closed loop is stopped', async () => {
    const controller = new AbortController()
    const server = await target(({ socket }) => {
      controller.abort()
      setTimeout(() => socket.write(reply()), 20)
    })
    const shots = Array.from({ length: 20 }, (_, index) => shot(index))
    const options = { loop: 'closed', maxConnections: 4 } as const
    const { summary, list } = await sendShots(shots, server.target, options, { signal: controller.signal })
    expect(list.results).toEqual([200])
    expect(summary).toMatchObject({ ending: 'stopped', counters: { offered: 1, ended: 1 } })
  })

  it('stops when too many shots fail, and says why', async () => {
    const shots = Array.from({ length: 5_000 }, (_, index) =>
      shot(index, { connection: index, dueNs: index < 200 ? 0 : 60e9 }),
    )
    const options = { breaker: DEFAULT_BREAKER_LIMITS }
    const reasons: string[] = []
    const hooks = { onTrip: (reason: string) => reasons.push(reason) }
    const { summary, outcomes } = await sendShots(shots, targetAt(await deadPort()), options, hooks)
    expect(summary.ending).toBe('breaker')
    expect(summary.reason).toBe('100 % of the last 100 shots (10 s) were errors, more than the 50 % allowed')
    expect(reasons).toEqual([summary.reason])
    expect(outcomes.length).toBeLessThanOrEqual(200)
  })
})
