import { describe, expect, it } from 'vitest'
import { latin1, NO_BYTES } from '../../src/core/bytes.ts'
import { emptyLedger, ledgerImbalance, addLedger, type Ledger } from '../../src/core/ledger.ts'
import { HELD_OVERHEAD_BYTES } from '../../src/capture/held-exchange.ts'
import type { Protocol } from '../../src/wire/protocol.ts'
import {
  answered,
  asked,
  captureBench,
  closed,
  hungUp,
  lost,
  ms,
  opened,
  shown,
  shownMessage,
} from '../support/capture-bench.ts'
import { lineProtocol } from '../support/line-protocol.ts'

/** The rows of a ledger without their zeros. */
function counted(ledger: Ledger): Record<string, Record<string, number>> {
  const { connections, requests, responses, bytes } = ledger
  const rows = { connections, requests, responses, bytes }
  return Object.fromEntries(
    Object.entries(rows).map(([unit, row]) => [
      unit,
      Object.fromEntries(Object.entries(row).filter(([, count]) => count !== 0)),
    ]),
  )
}

/** Connection `connection` with one exchange: 6 + 7 bytes, of which 2 are framing. */
function exchange(connection: number, atMs = 0): ReturnType<typeof opened>[] {
  return [
    opened(atMs, connection),
    asked('0 a:q\n', atMs, connection),
    answered('0 ok:r\n', atMs + 1, connection),
    ...hungUp(atMs + 2, connection),
  ]
}

describe('the stages', () => {
  it('settle an exchange that is not meant as filtered, with its bytes', () => {
    const { pipeline, writer, ledger } = captureBench({
      stages: { matches: ({ connection }) => connection === 1 },
    })
    pipeline.feed([...exchange(0), ...exchange(1)])
    expect(writer.exchanges.map(({ connection, id }) => [connection, id])).toEqual([[1, 0]])
    expect(counted(ledger.total())).toEqual({
      connections: { seen: 2, whole: 2 },
      requests: { seen: 2, whole: 1, filtered: 1 },
      responses: { seen: 2, whole: 1, filtered: 1 },
      bytes: { seen: 26, whole: 11, filtered: 11, framing: 4 },
    })
    expect(ledger.total().reasons.get('requests.filtered.match')).toBe(1)
  })

  it('sample by session, and by connection where there is no key', () => {
    const asksFor: string[] = []
    const { pipeline, writer, ledger } = captureBench({
      stages: {
        session: ({ connection }) => (connection === 0 ? 'ann' : ''),
        keeps: (session) => {
          asksFor.push(session)
          return session === 'ann'
        },
      },
    })
    pipeline.feed([...exchange(0), ...exchange(7)])
    expect(asksFor).toEqual(['ann', 'connection 7'])
    expect(writer.exchanges.map(({ session }) => session)).toEqual(['ann'])
    expect(counted(ledger.total())['requests']).toEqual({ seen: 2, whole: 1, sampled: 1 })
  })

  it('drop what bears the mark of a replay, unless told to keep it', () => {
    for (const keepReplayed of [false, true]) {
      const { pipeline, writer, ledger } = captureBench({ protocol: markEveryHead(), stages: { keepReplayed } })
      pipeline.feed(exchange(0))
      expect(writer.exchanges).toHaveLength(keepReplayed ? 1 : 0)
      expect(ledger.total().reasons.get('requests.filtered.replayed')).toBe(keepReplayed ? undefined : 1)
    }
  })

  it('mask last, so that matching sees what was on the wire, and late responses too', () => {
    const { pipeline, writer } = captureBench({
      stages: {
        matches: ({ request }) => latin1(request.body) === 'secret',
        session: ({ request }) => latin1(request.body),
        mask: (exchange) => ({ ...exchange, session: '***', request: { ...exchange.request, body: NO_BYTES } }),
        maskLate: (late) => ({ ...late, response: { ...late.response, body: NO_BYTES } }),
      },
    })
    pipeline.feed([opened(), asked('0 a:secret\n'), opened(10_000, 1), answered('0 ok:secret\n', 10_001)])
    expect(writer.exchanges.map((exchange) => [exchange.session, shown(exchange)])).toEqual([
      ['***', '0 a:| -> (late)'],
    ])
    expect(writer.late.map(({ response }) => shownMessage(response))).toEqual(['0 ok:|'])
  })

  it('lose the exchange, counted, where one of them throws: nothing unmasked is written', () => {
    const fail = (): never => {
      throw new Error('cannot be masked')
    }
    const { pipeline, writer, ledger } = captureBench({ stages: { mask: fail, maskLate: fail } })
    pipeline.feed(exchange(0))
    expect(writer.exchanges).toEqual([])
    expect(counted(ledger.total())['requests']).toEqual({ seen: 1, dropped: 1 })
    expect(ledger.total().reasons.get('requests.dropped.stage-failed')).toBe(1)
  })

  it('let a late response share the fate of an exchange that was left out', () => {
    const { pipeline, writer, ledger } = captureBench({ stages: { matches: () => false } })
    pipeline.feed([opened(), asked('0 a:\n'), answered('0 ok:x', 5), opened(10_000, 1)])
    expect(counted(ledger.total())['responses']).toEqual({ seen: 1, filtered: 1 })
    pipeline.feed([answered('yz\n', 20_000), ...hungUp(20_001)])
    expect(writer.late).toEqual([])
    expect(counted(ledger.total())['bytes']).toEqual({ seen: 14, filtered: 12, framing: 2 })
  })
})

describe('the recording pipeline', () => {
  it('settles lost bytes by whose loss they are', () => {
    const { pipeline, ledger } = captureBench()
    pipeline.feed([opened(), lost('request', 5), lost('response', 7, 0, 'ring-full'), lost('response', 9, 0, 'kernel')])
    pipeline.end()
    expect(counted(ledger.total())['bytes']).toEqual({ seen: 21, gap: 5, dropped: 16 })
    expect(ledger.total().reasons.get('bytes.dropped.ring-full')).toBe(7)
    expect(counted(ledger.total())['connections']).toEqual({ seen: 1, cut: 1 })
  })

  it('stops recording at its limit, and says so', () => {
    const { pipeline, writer, ledger } = captureBench({ limit: 2 })
    pipeline.feed([...exchange(0), ...exchange(1)])
    expect(pipeline.limitReached).toBe(true)
    pipeline.feed(exchange(2))
    expect(writer.exchanges.map(({ id }) => id)).toEqual([0, 1])
    expect(counted(ledger.total())['requests']).toEqual({ seen: 3, whole: 2, filtered: 1 })
  })

  it('counts connections of another protocol as opaque, with what was read of them before', () => {
    const { pipeline, writer, ledger } = captureBench()
    pipeline.feed([opened(), asked('0 up:\n'), answered('0 ok:\n', 1), asked('@binary', 2), answered('@more', 3)])
    pipeline.feed([asked('and more', 4), ...hungUp(5)])
    expect(writer.exchanges).toHaveLength(1)
    expect(counted(ledger.total())).toMatchObject({
      connections: { seen: 1, opaque: 1 },
      bytes: { seen: 32, whole: 10, framing: 2, opaque: 20 },
    })
  })

  it('gives up the largest unfinished exchanges at the bound of its memory', () => {
    const maxHeldBytes = 40 * HELD_OVERHEAD_BYTES
    const { pipeline, writer, ledger } = captureBench({ maxHeldBytes })
    const body = 'x'.repeat(4 * HELD_OVERHEAD_BYTES)
    for (let connection = 0; connection < 30; connection++) {
      const large = connection % 5 === 0
      pipeline.feed([opened(connection, connection), asked(`0 a:${large ? body : ''}\n`, connection, connection)])
      expect(pipeline.heldBytes).toBeLessThanOrEqual(maxHeldBytes)
    }
    for (let connection = 0; connection < 30; connection++) pipeline.feed([answered('0 ok:\n', 50, connection)])
    pipeline.end()
    const { requests, responses, reasons } = ledger.total()
    expect(requests.dropped).toBeGreaterThan(0)
    expect(requests.dropped).toBeLessThanOrEqual(6)
    expect(responses.dropped).toBe(requests.dropped)
    expect(reasons.get('requests.dropped.held-limit')).toBe(requests.dropped)
    expect(writer.exchanges.filter(({ request }) => request.bodySize === 0)).toHaveLength(24)
    expect(pipeline.heldBytes).toBe(0)
  })

  it('gives up connections whose heads never end, before exchanges', () => {
    const { pipeline, writer, ledger } = captureBench({ maxHeldBytes: 32 * 1024 })
    pipeline.feed([opened(0, 99), asked('0 a:\n', 0, 99)])
    const head = `0 ${'x'.repeat(6000)}`
    for (let connection = 0; connection < 10; connection++) {
      pipeline.feed([opened(1, connection), asked(head, 1, connection)])
      expect(pipeline.heldBytes).toBeLessThanOrEqual(32 * 1024)
    }
    pipeline.feed([asked('more', 2, 0), answered('0 ok:\n', 2, 99), ...hungUp(3, 99)])
    pipeline.end()
    expect(writer.exchanges).toHaveLength(1)
    const { connections, bytes } = ledger.total()
    expect(connections.dropped).toBeGreaterThan(3)
    expect(bytes.dropped).toBe(connections.dropped * head.length + 4)
    expect(pipeline.heldBytes).toBe(0)
  })

  it('loses a connection whose decoder throws, never the recording', () => {
    const { pipeline, writer, ledger } = captureBench({ protocol: throwingOn('boom') })
    pipeline.feed([opened(0, 0), asked('0 a:\n', 0, 0), asked('boom', 1, 0), asked('more', 2, 0), ...hungUp(3, 0)])
    pipeline.feed(exchange(1))
    expect(writer.exchanges.map(({ connection }) => connection)).toEqual([1])
    expect(counted(ledger.total())).toMatchObject({
      connections: { seen: 2, whole: 1, undecodable: 1 },
      requests: { seen: 2, whole: 1, undecodable: 1 },
    })
    expect(ledgerImbalance(ledger.total()).size).toBe(0)
  })

  it('counts bytes of connections that were never opened, or are over', () => {
    const { pipeline, ledger } = captureBench()
    pipeline.feed([asked('abc'), ...exchange(1), answered('late', 5, 1), lost('request', 3, 6, 'missing', 1)])
    pipeline.feed([opened(7, 2), closed('request', 7, 'fin', 2), asked('zz', 8, 2)])
    pipeline.end()
    expect(counted(ledger.total())['bytes']).toEqual({ seen: 25, whole: 11, framing: 2, undecodable: 9, gap: 3 })
  })

  it('takes deltas that always speak of what the writer has', () => {
    const bench = captureBench()
    const sum = emptyLedger()
    const check = (): void => {
      addLedger(sum, bench.ledger.takeDelta())
      expect(ledgerImbalance(sum).size).toBe(0)
      expect(sum.requests.whole + sum.requests.cut).toBe(bench.writer.exchanges.length)
    }
    const write = bench.writer.write.bind(bench.writer)
    bench.writer.write = (exchange) => {
      write(exchange)
      check()
    }
    for (const segment of [...exchange(0), ...exchange(1), opened(5, 2), asked('0 a:bc', 5, 2)]) {
      bench.pipeline.feed([segment])
      check()
    }
    bench.pipeline.end(ms(6))
    check()
    expect(sum).toEqual(bench.ledger.total())
    expect(sum.bytes.pending).toBe(0)
  })
})

/** The line protocol with every request's head marked as a replay's. */
function markEveryHead(): Protocol {
  return {
    ...lineProtocol,
    createDecoder(limits, midStream) {
      const decoder = lineProtocol.createDecoder(limits, midStream)
      const mark = new TextEncoder().encode('GET / HTTP/1.1\r\nx-mesh-replay: run\r\n\r\n')
      return {
        push: (...push) =>
          decoder.push(...push).map((event) => (event.kind === 'head' ? { ...event, bytes: mark } : event)),
        gap: (direction, length) => decoder.gap(direction, length),
        end: (direction, how) => decoder.end(direction, how),
        heldBytes: 0,
      }
    },
  }
}

/** The line protocol with a decoder that is broken: it throws on these bytes. */
function throwingOn(text: string): Protocol {
  return {
    ...lineProtocol,
    createDecoder(limits, midStream) {
      const decoder = lineProtocol.createDecoder(limits, midStream)
      return {
        push(direction, bytes, offset, acknowledged) {
          if (latin1(bytes) === text) throw new RangeError('a decoder with a fault')
          return decoder.push(direction, bytes, offset, acknowledged)
        },
        gap: (direction, length) => decoder.gap(direction, length),
        end: (direction, how) => decoder.end(direction, how),
        heldBytes: 0,
      }
    },
  }
}
