import fc from 'fast-check'
import { latin1Bytes } from '../../src/core/bytes.ts'
import type { CloseReason, Direction, GapSegment, Segment } from '../../src/core/segment.ts'
import { CLIENT, SERVER } from './capture-bench.ts'

/** What a connection says, direction by direction, before it is damaged and taken apart. */
export interface Conversation {
  readonly request: string
  readonly response: string
}

/** A step of one direction: some bytes, some bytes that are lost, or time that passes. */
interface Step {
  readonly connection: number
  readonly direction: Direction
  readonly what: 'data' | 'lose' | 'damage' | 'close'
  readonly size: number
  readonly passMs: number
  readonly reason: GapSegment['reason']
  readonly how: CloseReason
}

const step: fc.Arbitrary<Step> = fc.record({
  connection: fc.nat(2),
  direction: fc.constantFrom<Direction>('request', 'response'),
  what: fc.constantFrom('data', 'data', 'data', 'data', 'data', 'data', 'data', 'lose', 'damage', 'close'),
  size: fc.integer({ min: 1, max: 120 }),
  passMs: fc.constantFrom(0, 0, 1, 5, 3000),
  reason: fc.constantFrom<GapSegment['reason']>('missing', 'ring-full', 'kernel', 'limit'),
  how: fc.constantFrom<CloseReason>('fin', 'rst', 'cut'),
})

/**
 * Segments of up to three connections as a source may yield them: opened (or met in the middle), their bytes cut anywhere,
 * interleaved, damaged, lost in part, closed or left open. What a direction says comes from `conversation`.
 */
export function segmentStreams(conversation: fc.Arbitrary<Conversation>): fc.Arbitrary<Segment[]> {
  const conversations = fc.array(fc.tuple(conversation, fc.boolean()), { minLength: 3, maxLength: 3 })
  return fc.tuple(conversations, fc.array(step, { minLength: 5, maxLength: 80 })).map(([said, steps]) => {
    const segments: Segment[] = said.map(([, midStream], connection) => {
      return {
        kind: 'open',
        connection,
        atNs: 0,
        client: CLIENT,
        server: SERVER,
        midStream: midStream && connection > 0,
      }
    })
    const at = new Map<string, number>()
    let atNs = 0
    for (const next of steps) {
      atNs += next.passMs * 1e6
      segments.push(...segmentsOf(next, said[next.connection]?.[0], at, atNs))
    }
    return segments
  })
}

function segmentsOf(next: Step, said: Conversation | undefined, at: Map<string, number>, atNs: number): Segment[] {
  const { connection, direction } = next
  const key = `${connection} ${direction}`
  const from = at.get(key) ?? 0
  if (next.what === 'close') return [{ kind: 'close', connection, direction, atNs, how: next.how }]
  const text = said?.[direction].slice(from, from + next.size) ?? ''
  if (text === '') return []
  at.set(key, from + text.length)
  if (next.what === 'lose')
    return [{ kind: 'gap', connection, direction, atNs, length: text.length, reason: next.reason }]
  const bytes = latin1Bytes(text)
  if (next.what === 'damage') bytes[bytes.length >> 1] = next.size * 2
  const other = direction === 'request' ? 'response' : 'request'
  return [{ kind: 'data', connection, direction, atNs, bytes, acknowledged: at.get(`${connection} ${other}`) ?? 0 }]
}

/** Bytes that a source yielded and those it said were lost: what a ledger must have seen. */
export function streamBytes(segments: readonly Segment[]): number {
  let total = 0
  for (const segment of segments) {
    if (segment.kind === 'data') total += segment.bytes.length
    else if (segment.kind === 'gap') total += segment.length
  }
  return total
}
