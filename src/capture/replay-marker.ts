import { LF } from '../core/bytes.ts'

/**
 * The mark of traffic that this tool sent: the header `x-mesh-replay`, and `mesh-replay` among the members of `baggage`, which
 * tracing libraries pass on to services further down. A recorder drops marked requests, so that no replay is recorded and
 * replayed again.
 */
const REPLAY_HEADER = 'x-mesh-replay'
const REPLAY_BAGGAGE = 'mesh-replay'

const BAGGAGE_HEADER = 'baggage'
const COLON = 0x3a
const LOWER_CASE = 0x20

/** Does this head bear the mark? Reads bytes, not text: every recorded request passes here. */
export function bearsReplayMark(head: Uint8Array): boolean {
  let lineStart = head.indexOf(LF) + 1
  while (lineStart > 0 && lineStart < head.length) {
    const first = (head[lineStart] ?? 0) | LOWER_CASE
    if (first === 0x78 && isHeader(head, lineStart, REPLAY_HEADER)) return true
    if (first === 0x62 && isHeader(head, lineStart, BAGGAGE_HEADER) && baggageIsMarked(head, lineStart)) return true
    lineStart = head.indexOf(LF, lineStart) + 1
  }
  return false
}

/** Is the line at `start` a header of this name, compared without case? */
function isHeader(head: Uint8Array, start: number, name: string): boolean {
  if (head[start + name.length] !== COLON) return false
  for (let index = 0; index < name.length; index++) {
    const character = head[start + index] ?? 0
    const folded = character >= 0x41 && character <= 0x5a ? character | LOWER_CASE : character
    if (folded !== name.charCodeAt(index)) return false
  }
  return true
}

/** Members are separated by commas, each `key=value;properties` with optional white space (W3C Baggage 3.3.1). */
function baggageIsMarked(head: Uint8Array, start: number): boolean {
  let end = head.indexOf(LF, start)
  if (end < 0) end = head.length
  let value = ''
  for (let index = start + BAGGAGE_HEADER.length + 1; index < end; index++) {
    value += String.fromCharCode(head[index] ?? 0)
  }
  return value.split(',').some((member) => member.split('=', 1)[0]?.trim() === REPLAY_BAGGAGE && member.includes('='))
}
