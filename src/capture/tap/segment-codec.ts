import type { CloseReason, Direction, GapSegment, OpenSegment, Segment } from '../../core/segment.ts'
import type { RingConsumer, RingProducer } from '../../net/ring.ts'

/**
 * Segments as records of a ring. Numbers are doubles: connection ordinals, times and lengths outgrow 32 bits.
 *
 * ```
 * tag:  bits 0-1 kind, 2 direction (1: response), 3-5 bytes of padding at the end of the payload, 6-7 index of how or why,
 *       8 mid-stream
 * data:  | connection | atNs | acknowledged | bytes …
 * gap:   | connection | atNs | length |
 * close: | connection | atNs |
 * open:  | connection | atNs | client port, server port, client address length, server address length: u32 each | addresses, UTF-8
 * ```
 */

const KIND_OPEN = 0
const KIND_DATA = 1
const KIND_GAP = 2
const KIND_CLOSE = 3
const RESPONSE_BIT = 4
const PADDING_SHIFT = 3
const DETAIL_SHIFT = 6
const MID_STREAM_BIT = 256

const CLOSE_REASONS: readonly CloseReason[] = ['fin', 'rst', 'cut']
const GAP_REASONS: readonly GapSegment['reason'][] = ['missing', 'ring-full', 'kernel', 'limit']

const COMMON_BYTES = 16
const DATA_HEADER_BYTES = 24
const OPEN_HEADER_BYTES = 32

/** Appends bytes of one direction; false where they do not fit now. */
export function writeData(
  ring: RingProducer,
  connection: number,
  direction: Direction,
  atNs: number,
  acknowledged: number,
  bytes: Uint8Array,
): boolean {
  const length = bytes.length
  const tag = KIND_DATA | (direction === 'response' ? RESPONSE_BIT : 0) | ((-length & 7) << PADDING_SHIFT)
  const at = ring.reserve(DATA_HEADER_BYTES + length, tag)
  if (at < 0) return false
  const { doubles } = ring.memory
  const slot = at >>> 3
  doubles[slot] = connection
  doubles[slot + 1] = atNs
  doubles[slot + 2] = acknowledged
  ring.memory.bytes.set(bytes, at + DATA_HEADER_BYTES)
  ring.commit()
  return true
}

/** Appends a segment other than data; false where it does not fit now. */
export function writeEvent(ring: RingProducer, segment: Exclude<Segment, { readonly kind: 'data' }>): boolean {
  if (segment.kind === 'open') return writeOpen(ring, segment)
  const response = segment.direction === 'response' ? RESPONSE_BIT : 0
  const gap = segment.kind === 'gap'
  const detail = gap ? GAP_REASONS.indexOf(segment.reason) : CLOSE_REASONS.indexOf(segment.how)
  const tag = (gap ? KIND_GAP : KIND_CLOSE) | response | (detail << DETAIL_SHIFT)
  const at = ring.reserve(gap ? COMMON_BYTES + 8 : COMMON_BYTES, tag)
  if (at < 0) return false
  const { doubles } = ring.memory
  doubles[at >>> 3] = segment.connection
  doubles[(at >>> 3) + 1] = segment.atNs
  if (gap) doubles[(at >>> 3) + 2] = segment.length
  ring.commit()
  return true
}

function writeOpen(ring: RingProducer, segment: OpenSegment): boolean {
  const client = Buffer.from(segment.client.address, 'utf8')
  const server = Buffer.from(segment.server.address, 'utf8')
  const tag = KIND_OPEN | (segment.midStream ? MID_STREAM_BIT : 0)
  const at = ring.reserve(OPEN_HEADER_BYTES + client.length + server.length, tag)
  if (at < 0) return false
  const { doubles, words, bytes } = ring.memory
  doubles[at >>> 3] = segment.connection
  doubles[(at >>> 3) + 1] = segment.atNs
  words.set([segment.client.port, segment.server.port, client.length, server.length], (at + COMMON_BYTES) >>> 2)
  bytes.set(client, at + OPEN_HEADER_BYTES)
  bytes.set(server, at + OPEN_HEADER_BYTES + client.length)
  ring.commit()
  return true
}

/** The segment whose record's payload is at `at`. Its bytes are a copy: nothing of it is in the ring. */
export function readSegment(ring: RingConsumer, at: number): Segment {
  const tag = ring.tagAt(at)
  const { doubles } = ring.memory
  const connection = doubles[at >>> 3] ?? 0
  const atNs = doubles[(at >>> 3) + 1] ?? 0
  const direction = (tag & RESPONSE_BIT) === 0 ? 'request' : 'response'
  switch (tag & 3) {
    case KIND_DATA: {
      const end = at + ring.lengthAt(at) - ((tag >>> PADDING_SHIFT) & 7)
      const bytes = copyBytes(ring, at + DATA_HEADER_BYTES, end)
      return { kind: 'data', connection, direction, atNs, bytes, acknowledged: doubles[(at >>> 3) + 2] ?? 0 }
    }
    case KIND_GAP: {
      const reason = GAP_REASONS[(tag >>> DETAIL_SHIFT) & 3] ?? 'ring-full'
      return { kind: 'gap', connection, direction, atNs, length: doubles[(at >>> 3) + 2] ?? 0, reason }
    }
    case KIND_CLOSE:
      return { kind: 'close', connection, direction, atNs, how: CLOSE_REASONS[(tag >>> DETAIL_SHIFT) & 3] ?? 'cut' }
    default:
      return readOpen(ring, at, connection, atNs, (tag & MID_STREAM_BIT) !== 0)
  }
}

function readOpen(ring: RingConsumer, at: number, connection: number, atNs: number, midStream: boolean): OpenSegment {
  const { words, bytes } = ring.memory
  const word = (index: number): number => words[((at + COMMON_BYTES) >>> 2) + index] ?? 0
  const clientAt = at + OPEN_HEADER_BYTES
  const serverAt = clientAt + word(2)
  const client = { address: bytes.toString('utf8', clientAt, serverAt), port: word(0) }
  const server = { address: bytes.toString('utf8', serverAt, serverAt + word(3)), port: word(1) }
  return { kind: 'open', connection, atNs, client, server, midStream }
}

/** Small copies share Node's pool of 8 KiB, so that one that is kept keeps no more than that alive. */
function copyBytes(ring: RingConsumer, start: number, end: number): Uint8Array {
  const copy = Buffer.allocUnsafe(end - start)
  copy.set(ring.memory.bytes.subarray(start, end))
  return copy
}
