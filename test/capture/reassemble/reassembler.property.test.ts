import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Segment } from '../../../src/core/segment.ts'
import { seededRandom } from '../../../src/core/random.ts'
import type { ScriptPacket } from '../../support/tcp-script.ts'
import { TcpScript } from '../../support/tcp-script.ts'

/** A byte for each place in a stream, different in both directions and without short periods. */
function streamText(direction: 'client' | 'server', start: number, end: number): string {
  let text = ''
  for (let at = start; at < end; at++)
    text += String.fromCharCode((at * 7 + (at >> 5) * 3 + (direction === 'client' ? 0 : 101)) & 0xff)
  return text
}

interface Spoken {
  readonly packets: ScriptPacket[]
  readonly length: { readonly client: number; readonly server: number }
}

/** A conversation as both ends send it: each packet acknowledges all that its sender was sent before. */
function conversation(turns: readonly number[]): Spoken {
  const length = { client: 0, server: 0 }
  const packets: ScriptPacket[] = []
  for (const turn of turns) {
    const from = turn % 2 === 0 ? 'client' : 'server'
    const other = from === 'client' ? 'server' : 'client'
    const end = length[from] + 1 + (turn >> 1)
    packets.push({ from, seq: length[from], ack: length[other], data: streamText(from, length[from], end) })
    length[from] = end
  }
  packets.push({ from: 'client', seq: length.client, ack: length.server, flags: 'F' })
  packets.push({ from: 'server', seq: length.server, ack: length.client + 1, flags: 'F' })
  return { packets, length }
}

/** The network's and the capture's doing: repetitions that overlap, packets that overtake others. */
function disturb(spoken: Spoken, seed: number): ScriptPacket[] {
  const random = seededRandom(seed)
  const disturbed: { at: number; packet: ScriptPacket }[] = []
  for (const [index, packet] of spoken.packets.entries()) {
    disturbed.push({ at: index + random() * 6, packet })
    const { seq = 0, data = '' } = packet
    if (data === '' || random() < 0.6) continue
    const start = Math.max(0, seq - Math.floor(random() * 40))
    const end = Math.min(spoken.length[packet.from], seq + data.length + Math.floor(random() * 40))
    const again = { ...packet, seq: start, data: streamText(packet.from, start, end) }
    disturbed.push({ at: index + random() * 12, packet: again })
  }
  return disturbed.sort((one, other) => one.at - other.at).map(({ packet }) => packet)
}

/** The capture misses packets. It sees the FINs, which tell where the streams end. */
function lose(packets: readonly ScriptPacket[], seed: number, percent: number): ScriptPacket[] {
  const random = seededRandom(seed)
  return packets.filter((packet) => packet.flags !== undefined || random() * 100 > percent)
}

/** Checks what every reader relies on, and gives what was handed on: for each direction the bytes, a gap's as undefined. */
function check(segments: readonly Segment[]): Map<string, (string | undefined)[]> {
  const directions = new Map<string, (string | undefined)[]>()
  const lastNs = new Map<string, number>()
  const closed = new Set<string>()
  for (const segment of segments) {
    if (segment.kind === 'open') {
      if (directions.has(`${segment.connection} request`)) throw new Error('a connection was opened twice')
      for (const direction of ['request', 'response']) directions.set(`${segment.connection} ${direction}`, [])
      continue
    }
    const key = `${segment.connection} ${segment.direction}`
    const bytes = directions.get(key)
    if (bytes === undefined) throw new Error('a segment came before its connection was opened')
    if (closed.has(key)) throw new Error('a segment came after the end of its direction')
    if (segment.atNs < (lastNs.get(key) ?? segment.atNs)) throw new Error('time went back within a direction')
    lastNs.set(key, segment.atNs)
    if (segment.kind === 'close') closed.add(key)
    else if (segment.kind === 'gap') for (let count = 0; count < segment.length; count++) bytes.push(undefined)
    else bytes.push(...Buffer.from(segment.bytes).toString('latin1'))
  }
  expect(closed.size).toBe(directions.size)
  return directions
}

const turns = fc.array(fc.nat({ max: 120 }), { minLength: 1, maxLength: 30 })

describe('TcpReassembler, for any conversation', () => {
  it('gives the streams as they were sent, however packets are split, repeated, reordered and overlap', () => {
    fc.assert(
      fc.property(turns, fc.nat(), (sizes, seed) => {
        const spoken = conversation(sizes)
        const script = new TcpScript().handshake().play(...disturb(spoken, seed))
        const handedOn = check(script.finish())
        expect(handedOn.get('0 request')?.join('')).toBe(streamText('client', 0, spoken.length.client))
        expect(handedOn.get('0 response')?.join('')).toBe(streamText('server', 0, spoken.length.server))
        expect(script.reassembler.counters).toMatchObject({ gaps: 0, connections: 1 })
      }),
      { numRuns: 200 },
    )
  })

  it('never hands on a segment before what it acknowledges', () => {
    fc.assert(
      fc.property(turns, fc.nat(), fc.nat({ max: 100 }), (sizes, seed, lossPercent) => {
        const script = new TcpScript().handshake().play(...lose(disturb(conversation(sizes), seed), seed, lossPercent))
        const reached = { request: 0, response: 0 }
        for (const segment of script.finish()) {
          if (segment.kind === 'gap') reached[segment.direction] += segment.length
          if (segment.kind !== 'data') continue
          const other = segment.direction === 'request' ? 'response' : 'request'
          if (segment.acknowledged > reached[other]) throw new Error('it acknowledges what has not come')
          reached[segment.direction] += segment.bytes.length
        }
      }),
      { numRuns: 200 },
    )
  })

  it('reports exactly the bytes that were captured nowhere as gaps', () => {
    fc.assert(
      fc.property(turns, fc.nat(), fc.nat({ max: 100 }), (sizes, seed, lossPercent) => {
        const spoken = conversation(sizes)
        const captured = lose(disturb(spoken, seed), seed, lossPercent)
        const script = new TcpScript().handshake().play(...captured)
        const handedOn = check(script.finish())
        for (const [from, direction] of [
          ['client', 'request'],
          ['server', 'response'],
        ] as const) {
          const expected = Array.from<string | undefined>({ length: spoken.length[from] })
          for (const { from: sender, seq = 0, data = '' } of captured) {
            if (sender === from) for (const [index, byte] of [...data].entries()) expected[seq + index] = byte
          }
          expect(handedOn.get(`0 ${direction}`)).toEqual(expected)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('neither throws nor breaks the order of segments for packets that make no sense', () => {
    const packet = fc.record({
      from: fc.constantFrom('client' as const, 'server' as const),
      seq: fc.oneof(fc.integer({ min: -20, max: 60 }), fc.integer()),
      ack: fc.oneof(fc.integer({ min: -20, max: 60 }), fc.integer()),
      flags: fc.constantFrom('', '', '', '', 'S', 'F', 'R', 'SF', 'SFR'),
      data: fc.string({ maxLength: 30 }),
      captured: fc.nat({ max: 5 }),
      incarnation: fc.constantFrom(0, 0, 0, 1),
      atMs: fc.nat({ max: 700_000 }),
    })
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 60 }), (packets) => {
        const limits = { maxHeldBytes: 1_000, maxTotalHeldBytes: 1_500 }
        const script = new TcpScript({ limits })
        for (const one of packets) {
          script.play({ ...one, captured: Math.min(one.captured, one.data.length) })
          const held = script.reassembler.heldBytes
          if (held < 0 || held > limits.maxTotalHeldBytes) throw new Error(`${held} bytes are held`)
        }
        checkOrder(script.finish())
        expect(script.reassembler).toMatchObject({ heldBytes: 0, openConnections: 0 })
      }),
      { numRuns: 500 },
    )
  })
})

/** As `check`, without making bytes of gaps, which may be as long as a gigabyte. */
function checkOrder(segments: readonly Segment[]): void {
  const open = new Map<string, number>()
  for (const segment of segments) {
    if (segment.kind === 'open') {
      for (const direction of ['request', 'response']) {
        open.set(`${segment.connection} ${direction}`, Number.NEGATIVE_INFINITY)
      }
      continue
    }
    const key = `${segment.connection} ${segment.direction}`
    const lastNs = open.get(key)
    if (lastNs === undefined || segment.atNs < lastNs) throw new Error(`a ${segment.kind} is out of order`)
    if (segment.kind === 'close') open.delete(key)
    else open.set(key, segment.atNs)
    if (segment.kind === 'gap' && segment.length <= 0) throw new Error('a gap is empty')
    if (segment.kind === 'data' && segment.bytes.length === 0) throw new Error('data is empty')
  }
  expect([...open.keys()]).toEqual([])
}
