import { afterEach, describe, expect, it } from 'vitest'

import { blockedNs, serviceTimeNs } from '../../../src/core/outcome.ts'
import { noCounts, type SenderCounters } from '../../../src/replay/senders/sender.ts'
import { notBefore } from '../../support/not-before.ts'
import { sendShots, shot, until } from './shots.ts'
import { reply, type Script, type ScriptedTarget, startTarget } from './targets.ts'

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

/** Answers everybody once so many shots were given. */
const whenOffered =
  (counters: SenderCounters, shots: number): Script =>
  async ({ socket }) => {
    await until(() => counters.offered === shots)
    socket.write(reply())
  }

const answer: Script = ({ socket }) => socket.write(reply())
const slowly =
  (ms: number): Script =>
  ({ socket }) =>
    notBefore(ms, () => socket.write(reply()))

describe('Http1Sender in the order of connections', () => {
  it('gives each recorded connection one to the target, and keeps its order there', async () => {
    const server = await target(answer)
    const shots = Array.from({ length: 40 }, (_, index) => shot(`${index % 4}/${index}`, { connection: index % 4 }))
    const { list, summary } = await sendShots(shots, server.target)
    expect(list.results).toEqual(shots.map(() => 200))
    expect(summary.counters).toMatchObject({ offered: 40, sent: 40, ended: 40, answered: 40, connected: 4 })
    for (let connection = 0; connection < 4; connection++) {
      const paths = server.received.filter((each) => each.connection === connection).map(({ path }) => path)
      const lane = paths[0]?.split('/')[1]
      expect(paths).toEqual(
        shots.map((_, index) => `/${index % 4}/${index}`).filter((path) => path.split('/')[1] === lane),
      )
    }
  })

  it('sends the recorded bytes as they are', async () => {
    const seen: string[] = []
    const server = await target(({ socket }) => socket.write(reply()))
    const odd = 'POST /a%20b HTTP/1.1\r\nhost:x\r\nX-Odd:  two blanks \r\n\r\n'
    server.received.length = 0
    await sendShots([shot('', { bytes: Buffer.from(odd, 'latin1') })], server.target)
    for (const { path } of server.received) seen.push(path)
    expect(seen).toEqual(['/a%20b'])
  })

  it('lets a request wait for its predecessor, as blocked time and not as lag', async () => {
    const server = await target(slowly(60))
    const { outcomes } = await sendShots([shot('a'), shot('b')], server.target)
    const [first, second] = outcomes
    expect(server.connections).toBe(1)
    expect(second?.readyNs).toBeGreaterThanOrEqual(first?.doneNs ?? Infinity)
    expect(second?.sentNs).toBeGreaterThanOrEqual(second?.readyNs ?? Infinity)
    expect(blockedNs(second ?? never())).toBeGreaterThan(60 * MS)
    expect(serviceTimeNs(second ?? never())).toBeGreaterThan(60 * MS)
  })

  it('never has more connections than -c allows, and shares them among the lanes by due time', async () => {
    const server = await target(slowly(5))
    const shots = Array.from({ length: 60 }, (_, index) => shot(index, { connection: index % 20, dueNs: index }))
    const { list, summary } = await sendShots(shots, server.target, { maxConnections: 3 })
    expect(list.results).toEqual(shots.map(() => 200))
    expect(server.peakConnections).toBe(3)
    expect(summary.counters).toMatchObject({ peakConnections: 3, connected: 3 })
    for (let lane = 0; lane < 20; lane++) {
      const order = server.received.map(({ path }) => Number(path.slice(1))).filter((index) => index % 20 === lane)
      expect(order).toEqual([lane, lane + 20, lane + 40])
    }
  })

  it('counts the wait for a free connection as blocked', async () => {
    const server = await target(slowly(60))
    const shots = [shot('a', { connection: 1 }), shot('b', { connection: 2 })]
    const { outcomes } = await sendShots(shots, server.target, { maxConnections: 1 })
    expect(outcomes.map((outcome) => blockedNs(outcome) > 60 * MS)).toEqual([false, true])
  })

  it('closes a connection after the last shot of its lane', async () => {
    const server = await target(answer)
    const shots = [0, 1, 2].flatMap((connection) => [
      shot('a', { connection }),
      shot('b', { connection, lastOnConnection: true }),
      shot('later', { connection: connection + 10, dueNs: 30 * MS }),
    ])
    const sorted = shots.toSorted((a, b) => a.dueNs - b.dueNs)
    const { summary } = await sendShots(sorted, server.target, { maxConnections: 3 })
    expect(summary.counters).toMatchObject({ answered: 9, connected: 6, peakConnections: 3 })
  })

  it('sheds what is beyond the shots it may have in flight, and counts it', async () => {
    const counters = noCounts()
    const server = await target(whenOffered(counters, 10))
    const shots = Array.from({ length: 10 }, (_, index) => shot(index))
    const { list } = await sendShots(shots, server.target, { maxInFlight: 4 }, { counters })
    expect(list.results).toEqual([200, 200, 200, 200, ...Array.from({ length: 6 }, () => 'shed')])
    expect(counters).toMatchObject({ offered: 10, shed: 6, sent: 4, ended: 10, peakInFlight: 4 })
  })

  it('sheds what would hold more bytes than it may', async () => {
    const counters = noCounts()
    const server = await target(whenOffered(counters, 10))
    const bytes = Buffer.from(`GET / HTTP/1.1\r\nX: ${'x'.repeat(1_000)}\r\n\r\n`, 'latin1')
    const shots = Array.from({ length: 10 }, (_, index) => shot(index, { bytes }))
    const { list } = await sendShots(shots, server.target, { maxHeldBytes: 3_000 }, { counters })
    expect(list.results.filter((result) => result === 'shed').length).toBeGreaterThanOrEqual(6)
    expect(list.results.filter((result) => result === 200).length).toBeGreaterThanOrEqual(3)
  })
})

describe('Http1Sender without order', () => {
  it('takes a spare connection, or opens another, instead of waiting', async () => {
    const counters = noCounts()
    const server = await target(whenOffered(counters, 8))
    const shots = Array.from({ length: 8 }, (_, index) => shot(index))
    const { outcomes } = await sendShots(shots, server.target, { order: 'none' }, { counters })
    expect(counters.connected).toBe(8)
    expect(outcomes.every((outcome) => blockedNs(outcome) === 0)).toBe(true)
  })

  it('uses idle connections again', async () => {
    const server = await target(answer)
    const counters = noCounts()
    const ready = (index: number): boolean => counters.answered === index
    const shots = Array.from({ length: 8 }, (_, index) => shot(index, { connection: index }))
    await sendShots(shots, server.target, { order: 'none' }, { counters, ready })
    expect(counters).toMatchObject({ answered: 8, connected: 1 })
  })

  it('waits for a connection where -c allows no more, as blocked time', async () => {
    const server = await target(slowly(40))
    const { outcomes, summary } = await sendShots([shot(0), shot(1), shot(2)], server.target, {
      order: 'none',
      maxConnections: 2,
    })
    expect(summary.counters).toMatchObject({ answered: 3, peakConnections: 2 })
    expect(outcomes.filter((outcome) => blockedNs(outcome) > 40 * MS)).toHaveLength(1)
  })

  it('sheds what is beyond the shots it may have in flight', async () => {
    const counters = noCounts()
    const server = await target(whenOffered(counters, 10))
    const shots = Array.from({ length: 10 }, (_, index) => shot(index))
    const { list } = await sendShots(shots, server.target, { order: 'none', maxInFlight: 4 }, { counters })
    expect(list.results.filter((result) => result === 'shed')).toHaveLength(6)
  })
})

describe('Http1Sender as a closed loop', () => {
  it.each(['connection', 'none'] as const)(
    'keeps -c connections busy, whatever is due when (order %s)',
    async (order) => {
      const server = await target(slowly(5))
      const shots = Array.from({ length: 60 }, (_, index) =>
        shot(index, { connection: index % 30, dueNs: index * 1e9, lastOnConnection: index >= 30 }),
      )
      const options = { order, loop: 'closed', maxConnections: 4 } as const
      const { outcomes, summary } = await sendShots(shots, server.target, options)
      expect(summary.counters).toMatchObject({ answered: 60, shed: 0, connected: 4, peakConnections: 4 })
      expect(server.peakConnections).toBe(4)
      for (const outcome of outcomes) {
        expect(outcome.readyNs).toBe(outcome.dueNs)
        expect(outcome.sentNs).toBe(outcome.dueNs)
      }
    },
  )

  it('keeps the order of each recorded connection', async () => {
    const server = await target(slowly(2))
    const shots = Array.from({ length: 60 }, (_, index) => shot(index, { connection: index % 7 }))
    await sendShots(shots, server.target, { loop: 'closed', maxConnections: 3 })
    for (let lane = 0; lane < 7; lane++) {
      const order = server.received.map(({ path }) => Number(path.slice(1))).filter((index) => index % 7 === lane)
      expect(order).toEqual(order.toSorted((a, b) => a - b))
    }
    expect(server.received).toHaveLength(60)
  })
})

function never(): never {
  throw new Error('expected an outcome, found none')
}
