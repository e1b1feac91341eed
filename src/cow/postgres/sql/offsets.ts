/** Characters in three currencies: UTF-16 (ours), UTF-8 bytes (the parser's tree), code points (ErrorResponse). */

/** One checkpoint for so many UTF-16 units: a search, then a walk of at most these. */
const CHECKPOINT_UNITS = 256

/** From UTF-8 offsets of a text to UTF-16 ones. A text of ASCII alone needs no table. */
export function utf8Offsets(text: string): (byte: number) => number {
  if (Buffer.byteLength(text) === text.length) return (byte) => byte
  const checkpoints: number[] = []
  let bytes = 0
  for (let unit = 0; unit < text.length; unit++) {
    if (unit % CHECKPOINT_UNITS === 0) checkpoints.push(bytes)
    bytes += bytesOf(text, unit)
  }
  return (byte) => offsetOf(text, checkpoints, byte)
}

function offsetOf(text: string, checkpoints: readonly number[], byte: number): number {
  let low = 0
  let high = checkpoints.length
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if ((checkpoints[middle] ?? 0) <= byte) low = middle
    else high = middle
  }
  let bytes = checkpoints[low] ?? 0
  let unit = low * CHECKPOINT_UNITS
  while (bytes < byte && unit < text.length) bytes += bytesOf(text, unit++)
  return isPairEnd(text, unit) ? unit + 1 : unit
}

/** UTF-8 bytes of one UTF-16 unit: the first of a pair carries all four, its second none; a lone one is U+FFFD. */
function bytesOf(text: string, unit: number): number {
  const code = text.charCodeAt(unit)
  if (code < 0x80) return 1
  if (code < 0x800) return 2
  if (code < 0xd800 || code > 0xdfff) return 3
  const high = code <= 0xdbff
  const other = text.charCodeAt(high ? unit + 1 : unit - 1)
  const paired = high ? other >= 0xdc00 && other <= 0xdfff : other >= 0xd800 && other <= 0xdbff
  return paired ? (high ? 4 : 0) : 3
}

/** The number of the character at a UTF-16 offset, from 1: as an ErrorResponse counts. */
export function characterAt(text: string, offset: number): number {
  let characters = 1
  for (let unit = 0; unit < offset && unit < text.length; unit++) if (!isPairEnd(text, unit)) characters++
  return characters
}

/** The UTF-16 offset of a character counted from 1. */
export function offsetOfCharacter(text: string, character: number): number {
  let unit = 0
  for (let left = character - 1; left > 0 && unit < text.length; left--) unit += isPairEnd(text, unit + 1) ? 2 : 1
  return unit
}

function isPairEnd(text: string, unit: number): boolean {
  const code = text.charCodeAt(unit)
  if (code < 0xdc00 || code > 0xdfff || unit === 0) return false
  const before = text.charCodeAt(unit - 1)
  return before >= 0xd800 && before <= 0xdbff
}
