import { afterEach, describe, expect, it } from 'vitest'

import { monotonicNs } from '../../src/core/clock.ts'
import { DEFAULT_BREAKER_LIMITS } from '../../src/replay/error-breaker.ts'
import { Fleet, type FleetOptions } from '../../src/replay/fleet.ts'
import { packShots } from '../../src/replay/shot-batch.ts'
import { compiled } from './compiled.ts'
import { replayOptions, shot } from './senders/shots.ts'
import { deadPort, reply, type Script, type ScriptedTarget, startTarget, targetAt } from './senders/targets.ts'

const MS = 1e6
const entry = compiled('replay/worker-main.ts')
const started: ScriptedTarget[] = []

async function target(script: Script): Promise<ScriptedTarget> {
  const fresh = await startTarget(script)
  started.push(fresh)
  return fresh
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.close()))
})

function fleetOptions(options: Partial<FleetOptions> & Pick<FleetOptions, 'options'>): FleetOptions {
  return {
    workers: 2,
    entry: entry(),
    routeCount: 4,
    onInterval: () => undefined,
    ...options,
  }
}

/** One shot a millisecond, each on a connection of its own. */
const batch = (from: number, count: number): ReturnType<typeof packShots> =>
  packShots(
    Array.from({ length: count }, (_, index) => shot(from + index, { connection: index, dueNs: (from + index) * MS })),
  )

describe('Fleet', () => {
  it('sends each shard from a thread of its own, and adds up to everything', async () => {
    const server = await target(({ socket }) => socket.write(reply()))
    const snapshots: number[] = []
    const outcomes = [0, 0]
    const fleet = await Fleet.open(
      fleetOptions({
        options: replayOptions(server.target),
        onInterval: ({ worker, snapshot }) => {
          snapshots.push(worker)
          outcomes[worker] = (outcomes[worker] ?? 0) + (snapshot?.outcomes ?? 0)
        },
      }),
    )
    const early = batch(0, 50)
    expect(await fleet.submit(0, early)).toBe(true)
    expect(early.bytes.length).toBe(0)
    fleet.begin(monotonicNs() + 50 * MS)
    expect(await fleet.submit(1, batch(0, 50))).toBe(true)
    expect(await fleet.submit(1, batch(50, 20))).toBe(true)
    fleet.end()
    const summary = await fleet.finished
    expect(summary.ending).toBe('finished')
    expect(summary.workers.map(({ counters }) => counters.answered)).toEqual([50, 70])
    expect(outcomes).toEqual([50, 70])
    expect(new Set(snapshots)).toEqual(new Set([0, 1]))
    expect(summary.health.threads.map(({ name }) => name)).toEqual(['sender 0', 'sender 1'])
    expect(server.received).toHaveLength(120)
  })

  it('keeps a feeder from running ahead, and lets it go when the run is stopped', async () => {
    const server = await target(({ socket }) => socket.write(reply()))
    const fleet = await Fleet.open(fleetOptions({ workers: 1, options: replayOptions(server.target) }))
    fleet.begin(monotonicNs())
    let submitted = 0
    let ahead: () => void = () => undefined
    const farEnough = new Promise<void>((resolve) => {
      ahead = resolve
    })
    const feeding = (async () => {
      while (await fleet.submit(0, packShots([shot(0, { dueNs: 60e9 + submitted * 1e9 })]))) {
        if (++submitted === 4) ahead()
      }
    })()
    await farEnough
    fleet.stop()
    await feeding
    expect(submitted).toBeLessThan(12)
    expect(await fleet.finished).toMatchObject({ ending: 'stopped', workers: [{ counters: { offered: 0 } }] })
  })

  it('throws the reason of its signal to a feeder that waits', async () => {
    const server = await target(({ socket }) => socket.write(reply()))
    const fleet = await Fleet.open(fleetOptions({ workers: 1, options: replayOptions(server.target) }))
    const controller = new AbortController()
    const feeding = (async () => {
      for (;;) await fleet.submit(0, packShots([shot(0, { dueNs: 60e9 })]), controller.signal)
    })()
    controller.abort(new Error('enough'))
    await expect(feeding).rejects.toThrow('enough')
    fleet.abandon()
    await fleet.finished
  })

  it('stops all threads when one trips the breaker', async () => {
    const options = replayOptions(targetAt(await deadPort()), { breaker: DEFAULT_BREAKER_LIMITS })
    const fleet = await Fleet.open(fleetOptions({ options }))
    fleet.begin(monotonicNs())
    await fleet.submit(0, batch(0, 1_000))
    await fleet.submit(1, packShots([shot(0, { dueNs: 60e9 })]))
    const summary = await fleet.finished
    expect(summary.ending).toBe('breaker')
    expect(summary.reason).toContain('100 % of the last 100 shots')
  })

  it('abandons what is in flight', async () => {
    const fleet: { made?: Fleet } = {}
    const server = await target(() => fleet.made?.abandon())
    fleet.made = await Fleet.open(fleetOptions({ workers: 1, options: replayOptions(server.target) }))
    fleet.made.begin(monotonicNs())
    await fleet.made.submit(0, batch(0, 1))
    expect(await fleet.made.finished).toMatchObject({ ending: 'abandoned', workers: [{ counters: { ended: 1 } }] })
  })

  it('hands on what a thread failed with', async () => {
    const server = await target(() => undefined)
    const tls = { serverName: '', verify: true, cert: 'not PEM', key: 'neither' }
    const options = replayOptions({ ...server.target, tls })
    const fleet = await Fleet.open(fleetOptions({ workers: 1, options }))
    fleet.begin(monotonicNs())
    await expect(fleet.finished).rejects.toMatchObject({ code: 'MESH_ERR_TLS' })
  })

  it('says that a thread died, when one does', async () => {
    const server = await target(() => undefined)
    const entry = new URL('data:text/javascript,process.exit(7)')
    const options = replayOptions(server.target)
    const open = Fleet.open({ workers: 1, entry, options, routeCount: 1, onInterval: () => undefined })
    await expect(open).rejects.toMatchObject({ code: 'MESH_ERR_WORKER_DIED', where: 'sender 0' })
  })
})
