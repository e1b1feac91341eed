import { inflateSync } from 'node:zlib'

/** Four bytes that begin an HdrHistogram of version 2: compressed, and the one inside it. */
const COMPRESSED_COOKIE = 0x1c849314
const PLAIN_COOKIE = 0x1c849313
const COMPRESSED_HEADER_BYTES = 8
const PLAIN_HEADER_BYTES = 40

/** What an encoded histogram may unpack to: all counters of ours at their longest are 310 kB. */
const MAX_UNPACKED_BYTES = 4 * 1024 * 1024

/** The last byte of a nine-byte number has eight bits of it, the others seven. */
const MAX_NUMBER_BYTES = 9

/**
 * Visits the counters of an HdrHistogram (V2, compressed, base64) that are not zero, with the middle of the values that each one
 * stands for. The format is that of HdrHistogram's `encodeIntoCompressedByteBuffer` (Java, `AbstractHistogram`). By hand, because
 * the library's way builds 34,000 counters for some hundred that are there: an hour's run has 7,200 histograms, and reading
 * them has to take less than a second.
 *
 * @throws RangeError or Error where the text is not such a histogram.
 */
export function forEachHdrCount(text: string, visit: (value: number, count: number) => void): void {
  const packed = Buffer.from(text, 'base64')
  if (packed.length < COMPRESSED_HEADER_BYTES || packed.readInt32BE(0) !== COMPRESSED_COOKIE) {
    throw new RangeError('not a compressed HdrHistogram of version 2')
  }
  const length = packed.readInt32BE(4)
  const end = COMPRESSED_HEADER_BYTES + length
  if (length < 0 || end > packed.length) throw new RangeError('it ends early')
  const bytes = inflateSync(packed.subarray(COMPRESSED_HEADER_BYTES, end), { maxOutputLength: MAX_UNPACKED_BYTES })
  if (bytes.length < PLAIN_HEADER_BYTES || bytes.readInt32BE(0) !== PLAIN_COOKIE) {
    throw new RangeError('not an HdrHistogram of version 2')
  }
  const scale = new Scale(bytes.readInt32BE(12), Number(bytes.readBigInt64BE(16)))
  const countsEnd = PLAIN_HEADER_BYTES + bytes.readInt32BE(4)
  // The normalizing offset before the digits is passed over, as the library does: it writes 1 there without shifting anything.
  if (countsEnd > bytes.length) throw new RangeError('it ends early')
  visitCounts(bytes.subarray(PLAIN_HEADER_BYTES, countsEnd), scale, visit)
}

/** Counters, zigzag-coded: a negative number is so many counters of zero. */
function visitCounts(bytes: Uint8Array, scale: Scale, visit: (value: number, count: number) => void): void {
  let index = 0
  let place = 0
  while (place < bytes.length) {
    let coded = 0
    let weight = 1
    for (let position = 0; ; position++) {
      const byte = bytes[place++]
      if (byte === undefined) throw new RangeError('it ends within a number')
      const isLast = position === MAX_NUMBER_BYTES - 1
      coded += (isLast ? byte : byte & 0x7f) * weight
      if (isLast || byte < 0x80) break
      weight *= 128
    }
    // Odd: negative.
    if (coded % 2 === 1) index += (coded + 1) / 2
    else {
      if (coded > 0) visit(scale.middleOf(index), coded / 2)
      index += 1
    }
  }
}

/** Shifts by more would lose bits or turn negative. */
const MAX_SHIFT = 30

/** Which values the counters of an HdrHistogram stand for. */
class Scale {
  readonly #unit: number
  /** Counters of the first octave's upper half, and of each octave behind it: a power of two. */
  readonly #half: number

  constructor(significantDigits: number, lowest: number) {
    if (!(significantDigits >= 0 && significantDigits <= 5 && lowest >= 1)) {
      throw new RangeError(`${significantDigits} digits from ${lowest} on`)
    }
    this.#unit = 2 ** Math.floor(Math.log2(lowest))
    this.#half = 2 ** (Math.ceil(Math.log2(2 * 10 ** significantDigits)) - 1)
  }

  /** The median of the values that are counted at this place. */
  middleOf(index: number): number {
    const half = this.#half
    if (index < 2 * half) return index * this.#unit + Math.floor(this.#unit / 2)
    const octave = Math.floor(index / half) - 1
    const step = (index % half) + half
    // Some hundred times a histogram, thousands of histograms a run: a power is dear.
    const width = this.#unit * (octave < MAX_SHIFT ? 1 << octave : 2 ** octave)
    return step * width + Math.floor(width / 2)
  }
}
