import { monotonicNs } from '../../../src/core/clock.ts'
import { getEventListeners } from 'node:events'
import type { Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'

import { responseTimeNs } from '../../../src/core/outcome.ts'
import { noCounts } from '../../../src/replay/senders/sender.ts'
import { sendShots, shot, until } from './shots.ts'
import { deadPort, reply, type Script, type ScriptedTarget, startTarget, targetAt } from './targets.ts'

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

/** Three shots on one connection. */
const three = (): ReturnType<typeof shot>[] => [shot(0), shot(1), shot(2)]

describe('the end of a connection', () => {
  it('is `refused` where nobody listens, for every shot', async () => {
    const shots = Array.from({ length: 20 }, (_, index) => shot(index, { connection: index }))
    const { list, summary } = await sendShots(shots, targetAt(await deadPort()))
    expect(new Set(list.results)).toEqual(new Set(['refused']))
    expect(summary.counters).toMatchObject({ ended: 20, connected: 0 })
  })

  it('holds attempts back from a target that refuses them, with an outcome for each shot', async () => {
    const shots = Array.from({ length: 2_000 }, (_, index) => shot(index))
    const { list, summary } = await sendShots(shots, targetAt(await deadPort()))
    expect(list.results).toEqual(shots.map(() => 'refused'))
    expect(summary.counters.sent + summary.counters.heldBack).toBe(2_000)
    expect(summary.counters.sent).toBeLessThan(1_000)
  })

  it('is found again when the target comes back', async () => {
    const port = await deadPort()
    const counters = noCounts()
    const shots = Array.from({ length: 300 }, (_, index) => shot(index))
    let back = false
    let notBeforeNs = 0
    // One every 5 ms: shots that are held back end at once, and all of them would be over before the next attempt is allowed.
    const ready = (index: number): boolean => {
      if (counters.ended !== index || (index >= 5 && (!back || monotonicNs() < notBeforeNs))) return false
      notBeforeNs = monotonicNs() + 5e6
      return true
    }
    const running = sendShots(shots, targetAt(port), {}, { counters, ready })
    await until(() => counters.ended === 5)
    started.push(await startTarget(({ socket }) => socket.write(reply()), undefined, port))
    back = true
    const { list } = await running
    expect(list.results[0]).toBe('refused')
    expect(list.results.at(-1)).toBe(200)
  })

  it('is `reset` where the target resets it inside the reply', async () => {
    const server = await target(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab')
      setTimeout(() => socket.resetAndDestroy(), 20)
    })
    const { outcomes } = await sendShots([shot(0)], server.target)
    expect(outcomes).toMatchObject([{ error: 'reset', status: 200, bytesReceived: 41 }])
  })

  it('is `closed` where the target closes it inside the reply, or before it', async () => {
    const server = await target(({ socket, path }) => {
      socket.end(path === '/0' ? '' : 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab')
    })
    const { list } = await sendShots([shot(0), shot(1, { connection: 1 })], server.target)
    expect(list.results).toEqual(['closed', 'closed'])
  })

  it('is `reset_reused`, and the request not sent again, where a connection that has served dies under a request', async () => {
    const server = await target(({ socket, request }) => {
      if (request === 0) socket.write(reply())
      else socket.resetAndDestroy()
    })
    const { list } = await sendShots(three(), server.target)
    expect(list.results).toEqual([200, 'reset_reused', 200])
    expect(server.received.map(({ path }) => path)).toEqual(['/0', '/1', '/2'])
  })

  it.each(['connection', 'none'] as const)(
    'of an idle one leads to another, and is counted (order %s)',
    async (order) => {
      const server = await target(({ socket }) => {
        socket.write(reply())
        setTimeout(() => socket.end(), 5)
      })
      const counters = noCounts()
      const ready = (index: number): boolean => counters.closedByTarget === index
      const { list } = await sendShots(three(), server.target, { order }, { counters, ready })
      expect(list.results).toEqual([200, 200, 200])
      expect(counters).toMatchObject({ connected: 3, closedByTarget: 2, reconnected: 2 })
    },
  )

  it.each([
    ['asks for it', reply(200, 'ok', 'Connection: close')],
    ['is HTTP/1.0', reply().replace('HTTP/1.1', 'HTTP/1.0')],
  ])('is ours where the reply %s', async (_, text) => {
    const server = await target(({ socket }) => socket.write(text))
    const { list, summary } = await sendShots([shot(0), shot(1), shot(2)], server.target)
    expect(list.results).toEqual([200, 200, 200])
    expect(summary.counters).toMatchObject({ connected: 3, closedByTarget: 0 })
  })
})

describe('a reply', () => {
  it('ends with the connection where it has no other end', async () => {
    const server = await target(({ socket }) => socket.end('HTTP/1.1 200 OK\r\n\r\nuntil the end'))
    const { outcomes } = await sendShots([shot(0), shot(1)], server.target)
    expect(outcomes).toMatchObject([
      { error: 'none', status: 200, bytesReceived: 32 },
      { error: 'none', status: 200 },
    ])
  })

  it('to HEAD has no body, whatever it says', async () => {
    const server = await target(({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n'))
    const { list, summary } = await sendShots(
      [shot(0, { headRequest: true }), shot(1, { headRequest: true })],
      server.target,
    )
    expect(list.results).toEqual([200, 200])
    expect(summary.counters.connected).toBe(1)
  })

  it('follows interim ones', async () => {
    const server = await target(({ socket }) => socket.write(`HTTP/1.1 100 Continue\r\n\r\n${reply(201)}`))
    const { list } = await sendShots([shot(0), shot(1)], server.target)
    expect(list.results).toEqual([201, 201])
  })

  it.each([
    ['is not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['is longer than it says', `${reply()}and more`],
    ['has two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    ['has a head without end', `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(60_000)}`],
  ])('that %s is a `bad_reply`, and its connection is not used again', async (_, text) => {
    const server = await target(({ socket, path }) => socket.write(path === '/0' ? text : reply()))
    const { list, summary } = await sendShots([shot(0), shot(1)], server.target)
    expect(list.results).toEqual(['bad_reply', 200])
    expect(summary.counters.connected).toBe(2)
  })

  it('that nobody asked for closes its connection, and is counted', async () => {
    const sockets: Socket[] = []
    const server = await target(({ socket, path }) => {
      sockets.push(socket)
      socket.write(reply())
      if (path === '/1') sockets[0]?.write(reply())
    })
    const counters = noCounts()
    const shots = [0, 1, 2].map((index) => shot(index, { connection: index % 2 }))
    const ready = (index: number): boolean => counters.answered === index && (index < 2 || counters.unsolicited === 1)
    const { list } = await sendShots(shots, server.target, {}, { counters, ready })
    expect(list.results).toEqual([200, 200, 200])
    expect(counters).toMatchObject({ unsolicited: 1, connected: 3 })
  })

  it('that never comes, or never ends, is a `timeout`, and takes its connection along', async () => {
    const server = await target(({ socket, path }) => {
      if (path === '/1') socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
      const drip = setInterval(() => path === '/1' && socket.write('1\r\nx\r\n'), 10)
      socket.on('close', () => clearInterval(drip))
      if (path === '/2') socket.write(reply())
    })
    const { list, outcomes } = await sendShots([shot(0), shot(1), shot(2)], server.target, { timeoutNs: 400 * MS })
    expect(list.results.slice(0, 2)).toEqual(['timeout', 'timeout'])
    // Answered at once, which a machine that has other things to do may read too late as well.
    expect([200, 'timeout']).toContain(list.results[2])
    expect(server.received.map(({ path, connection }) => [path, connection])).toEqual([
      ['/0', 0],
      ['/1', 1],
      ['/2', 2],
    ])
    for (const outcome of outcomes.slice(0, 2)) expect(outcome.doneNs - outcome.sentNs).toBeGreaterThanOrEqual(400 * MS)
    const [first, , third] = outcomes
    expect(third === undefined || first === undefined || responseTimeNs(third) > responseTimeNs(first)).toBe(true)
  })
})

describe('a target that does not read', () => {
  it('gets no more than the bytes we may hold for it; the rest is shed', async () => {
    const deaf = await startTarget(() => undefined)
    started.push(deaf)
    deaf.onConnection((socket) => socket.pause())
    const bytes = Buffer.concat([
      Buffer.from('POST / HTTP/1.1\r\nContent-Length: 8388608\r\n\r\n'),
      Buffer.alloc(8_388_608),
    ])
    const shots = Array.from({ length: 12 }, (_, index) => shot(index, { bytes, connection: index }))
    const options = { maxHeldBytes: 32 * 1024 * 1024, timeoutNs: 1_000 * MS }
    const { list } = await sendShots(shots, deaf.target, options)
    expect(new Set(list.results)).toEqual(new Set(['timeout', 'shed']))
    expect(list.results.filter((result) => result === 'shed').length).toBeGreaterThanOrEqual(4)
  })
})

describe('stopping', () => {
  it('lets what is in flight end, aborts what waits, and leaves what is not due unsent', async () => {
    const controller = new AbortController()
    const server = await target(({ socket }) => {
      setTimeout(() => controller.abort(), 10)
      setTimeout(() => socket.write(reply()), 60)
    })
    const shots = [shot(0), shot(1), shot(2, { dueNs: 60e9 }), shot(3, { dueNs: 61e9 })]
    const { list, summary } = await sendShots(shots, server.target, {}, { signal: controller.signal })
    expect(list.results).toEqual([200, 'aborted'])
    expect(summary).toMatchObject({ ending: 'stopped', unsentShots: 2 })
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  })

  it('ends everything at once the second time', async () => {
    const stop = new AbortController()
    const abandon = new AbortController()
    const server = await target(() => {
      stop.abort()
      setTimeout(() => abandon.abort(), 10)
    })
    const shots = [shot(0), shot(1), shot(2, { connection: 1, dueNs: 60e9 })]
    const hooks = { signal: stop.signal, abandon: abandon.signal }
    const { list, summary } = await sendShots(shots, server.target, {}, hooks)
    expect(list.results).toEqual(['aborted', 'aborted'])
    expect(summary).toMatchObject({ ending: 'abandoned', unsentShots: 1 })
  })

  it('before the beginning sends nothing', async () => {
    const server = await target(({ socket }) => socket.write(reply()))
    const { list, summary } = await sendShots([shot(0)], server.target, {}, { signal: AbortSignal.abort() })
    expect(list.outcomes).toEqual([])
    expect(summary.ending).toBe('stopped')
    expect(server.connections).toBe(0)
  })
})
