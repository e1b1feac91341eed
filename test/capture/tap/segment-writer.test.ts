import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NO_BYTES } from '../../../src/core/bytes.ts'
import { monotonicNs } from '../../../src/core/clock.ts'
import type { Direction, Endpoint, Segment } from '../../../src/core/segment.ts'
import { SegmentWriter } from '../../../src/capture/tap/segment-writer.ts'
import { readSegment, writeData, writeEvent } from '../../../src/capture/tap/segment-codec.ts'
import { allocateRing, RingConsumer, RingProducer } from '../../../src/net/ring.ts'

const CLIENT: Endpoint = { address: '192.0.2.1', port: 40_000 }
const SERVER: Endpoint = { address: 'shop.example', port: 80 }
const directions: readonly Direction[] = ['request', 'response']

/** A writer with its ring's other end. */
function writerTo(capacityBytes: number): { writer: SegmentWriter; consumer: RingConsumer } {
  const shared = allocateRing(capacityBytes)
  const writer = new SegmentWriter(0)
  writer.attach(new RingProducer(shared))
  return { writer, consumer: new RingConsumer(shared) }
}

/** Reads up to `count` segments and gives their room back. */
function read(consumer: RingConsumer, count = Number.POSITIVE_INFINITY): Segment[] {
  const segments: Segment[] = []
  while (segments.length < count) {
    const at = consumer.next()
    if (at < 0) break
    segments.push(readSegment(consumer, at))
  }
  consumer.release()
  return segments
}

describe('a segment in a ring', () => {
  const endpoint = fc.record({
    address: fc.oneof(fc.ipV4(), fc.ipV6(), fc.string({ maxLength: 60 })),
    port: fc.integer({ min: 0, max: 65_535 }),
  })
  const common = { connection: fc.maxSafeNat(), atNs: fc.maxSafeNat() }
  const direction = fc.constantFrom(...directions)
  const segment = fc.oneof(
    fc.record({
      kind: fc.constant('data' as const),
      ...common,
      direction,
      bytes: fc.uint8Array({ maxLength: 200 }),
      acknowledged: fc.maxSafeNat(),
    }),
    fc.record({
      kind: fc.constant('open' as const),
      ...common,
      client: endpoint,
      server: endpoint,
      midStream: fc.boolean(),
    }),
    fc.record({
      kind: fc.constant('gap' as const),
      ...common,
      direction,
      length: fc.maxSafeNat(),
      reason: fc.constantFrom('missing', 'ring-full', 'kernel', 'limit'),
    }),
    fc.record({ kind: fc.constant('close' as const), ...common, direction, how: fc.constantFrom('fin', 'rst', 'cut') }),
  )

  it('reads as it was written', () => {
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 10 }), (segments) => {
        const shared = allocateRing(65_536)
        const producer = new RingProducer(shared)
        for (const segment of segments) {
          const fits =
            segment.kind === 'data'
              ? writeData(
                  producer,
                  segment.connection,
                  segment.direction,
                  segment.atNs,
                  segment.acknowledged,
                  segment.bytes,
                )
              : writeEvent(producer, segment)
          expect(fits).toBe(true)
        }
        const found = read(new RingConsumer(shared))
        const plain = found.map((each) =>
          each.kind === 'data' ? { ...each, bytes: Uint8Array.from(each.bytes) } : each,
        )
        expect(plain).toEqual(segments)
      }),
    )
  })
})

describe('a segment writer', () => {
  it('says for each chunk how much of the other direction had been passed on', () => {
    const { writer, consumer } = writerTo(4096)
    const connection = writer.open(CLIENT, SERVER, 1)
    connection.data('request', Buffer.from('question'), 2)
    connection.data('response', Buffer.from('answer'), 3)
    connection.data('request', Buffer.from('again'), 4)
    const data = read(consumer).filter((segment) => segment.kind === 'data')
    expect(data.map((segment) => [segment.direction, segment.atNs, segment.acknowledged])).toEqual([
      ['request', 2, 0],
      ['response', 3, 8],
      ['request', 4, 6],
    ])
  })

  it('accounts for every byte and loses no open or close, however full the ring', async () => {
    const step = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({ on: fc.nat(5), direction: fc.constantFrom(...directions), size: fc.nat(1_500) }),
      },
      { weight: 1, arbitrary: fc.record({ close: fc.nat(5), direction: fc.constantFrom(...directions) }) },
      { weight: 2, arbitrary: fc.record({ read: fc.nat(8) }) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 200 }), async (steps) => {
        const { writer, consumer } = writerTo(4096)
        const connections = Array.from({ length: 6 }, () => writer.open(CLIENT, SERVER, monotonicNs()))
        const sent = new Map<string, number[]>()
        const closed = new Set<string>()
        const found: Segment[] = []
        let value = 0
        for (const step of steps) {
          if ('read' in step) {
            found.push(...read(consumer, step.read))
            continue
          }
          const ordinal = 'close' in step ? step.close : step.on
          const key = `${ordinal} ${step.direction}`
          if (closed.has(key)) continue
          if ('close' in step) {
            closed.add(key)
            connections[ordinal]?.close(step.direction, 'fin', monotonicNs())
            continue
          }
          const bytes = Buffer.from(Array.from({ length: step.size }, () => value++ & 0xff))
          sent.set(key, [...(sent.get(key) ?? []), ...bytes])
          connections[ordinal]?.data(step.direction, bytes, monotonicNs())
        }
        for (const [ordinal, connection] of connections.entries()) {
          for (const direction of directions) {
            if (!closed.has(`${ordinal} ${direction}`)) connection.close(direction, 'cut', monotonicNs())
          }
        }
        const ended = writer.end()
        while (!consumer.finished) {
          found.push(...read(consumer))
          await new Promise((resolve) => {
            setImmediate(resolve)
          })
        }
        await ended
        expectExact(found, sent)
        const lost = found.reduce((sum, each) => sum + (each.kind === 'gap' ? each.length : 0), 0)
        expect(lost).toBe(writer.losses.ringFullBytes)
      }),
      { numRuns: 60 },
    )
  })

  it('keeps a gap in its place: before what came after it', () => {
    const { writer, consumer } = writerTo(4096)
    const connection = writer.open(CLIENT, SERVER, 0)
    connection.data('request', Buffer.alloc(3_000), 1)
    connection.data('request', Buffer.alloc(3_000), 2)
    connection.data('request', Buffer.alloc(2_000), 3)
    read(consumer)
    connection.data('request', Buffer.from('later'), 4)
    expect(read(consumer)).toMatchObject([
      { kind: 'gap', direction: 'request', length: 5_000, atNs: 2, reason: 'ring-full' },
      { kind: 'data', direction: 'request', atNs: 4 },
    ])
    expect(writer.losses).toEqual({ ringFullBytes: 5_000, ringFullChunks: 2, unheardBytes: 0 })
  })

  it('counts what nobody hears and announces open connections to a new reader as mid-stream', async () => {
    const { writer } = writerTo(4096)
    const early = writer.open(CLIENT, SERVER, 0)
    early.data('response', Buffer.alloc(10), 1)
    writer.detach()
    early.data('request', Buffer.alloc(100), 2)
    early.close('request', 'fin', 3)
    const over = writer.open(CLIENT, SERVER, 4)
    over.close('request', 'fin', 5)
    over.close('response', 'fin', 5)
    expect(writer.losses.unheardBytes).toBe(100)
    const next = allocateRing(4096)
    writer.attach(new RingProducer(next))
    early.data('response', Buffer.from('rest'), 6)
    early.close('response', 'fin', 7)
    await writer.end()
    const consumer = new RingConsumer(next)
    expect(read(consumer)).toMatchObject([
      { kind: 'open', connection: 0, midStream: true, client: CLIENT, server: SERVER },
      { kind: 'close', direction: 'request', how: 'fin', atNs: 3 },
      // Counted from where this reader began: nothing of the other direction.
      { kind: 'data', direction: 'response', acknowledged: 0 },
      { kind: 'close', direction: 'response', how: 'fin' },
    ])
    expect(consumer.finished).toBe(true)
  })

  it('ends although the reader died with losses unsaid', async () => {
    const { writer } = writerTo(4096)
    const connection = writer.open(CLIENT, SERVER, 0)
    for (let chunk = 0; chunk < 3; chunk++) connection.data('request', Buffer.alloc(3_000), 1)
    const ended = writer.end()
    writer.detach()
    await expect(ended).resolves.toBeUndefined()
    connection.data('request', Buffer.from(NO_BYTES), 1)
  })
})

/** Each stream holds what was sent, byte for byte, gaps aside; each connection one open first and two closes last. */
function expectExact(found: readonly Segment[], sent: ReadonlyMap<string, readonly number[]>): void {
  for (let ordinal = 0; ordinal < 6; ordinal++) {
    const own = found.filter((each) => each.connection === ordinal)
    expect(own[0]?.kind).toBe('open')
    expect(own.filter((each) => each.kind === 'open')).toHaveLength(1)
    for (const direction of directions) {
      const stream = own.filter((each) => each.kind !== 'open').filter((each) => each.direction === direction)
      const bytes = sent.get(`${ordinal} ${direction}`) ?? []
      let offset = 0
      for (const each of stream) {
        if (each.kind === 'gap') offset += each.length
        if (each.kind !== 'data') continue
        expect([...each.bytes]).toEqual(bytes.slice(offset, offset + each.bytes.length))
        offset += each.bytes.length
      }
      expect(offset).toBe(bytes.length)
      expect(stream.filter((each) => each.kind === 'close')).toHaveLength(1)
      expect(stream.at(-1)?.kind).toBe('close')
    }
  }
}
