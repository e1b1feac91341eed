import { asBuffer, latin1 } from '../../core/bytes.ts'
import { endOfLine, isHeaderAt } from '../../core/head.ts'

/**
 * The mark of traffic that this tool sent: the header `x-mesh-replay`, and `mesh-replay` among the members of `baggage`, which
 * tracing libraries pass on to services further down. A recorder drops marked requests, so that no replay is recorded and
 * replayed again.
 */
const REPLAY_HEADER = 'x-mesh-replay'
const REPLAY_BAGGAGE = 'mesh-replay'

const BAGGAGE_HEADER = 'baggage'
const LOWER_CASE = 0x20

/** Does this head bear the mark? Reads bytes, not text: every recorded request passes here. */
export function bearsReplayMark(bytes: Uint8Array): boolean {
  const head = asBuffer(bytes)
  let lineStart = endOfLine(head, 0)
  while (lineStart < head.length) {
    const first = (head[lineStart] ?? 0) | LOWER_CASE
    const lineEnd = endOfLine(head, lineStart)
    if (first === 0x78 && isHeaderAt(head, lineStart, REPLAY_HEADER)) return true
    if (first === 0x62 && isHeaderAt(head, lineStart, BAGGAGE_HEADER) && baggageIsMarked(head, lineStart, lineEnd)) {
      return true
    }
    lineStart = lineEnd
  }
  return false
}

/** Members are separated by commas, each `key=value;properties` with optional white space (W3C Baggage 3.3.1). */
function baggageIsMarked(head: Uint8Array, start: number, end: number): boolean {
  return latin1(head, start + BAGGAGE_HEADER.length + 1, end)
    .split(',')
    .some(isReplayMember)
}

/** Is this member of a `baggage` list the mark of a replay? Each is `key=value;properties` (W3C Baggage 3.3.1). */
export function isReplayMember(member: string): boolean {
  const equals = member.indexOf('=')
  return equals > 0 && member.slice(0, equals).trim() === REPLAY_BAGGAGE
}
