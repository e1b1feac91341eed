import { hashPair, hashText } from '../../core/random.ts'

/** A number for a value of a session: 52 bits of hash, so that values need not be kept. Sessions are whole, and may be negative. */
export function valueKey(session: number, value: string): number {
  const low = session >>> 0
  const high = Math.floor(session / 0x1_0000_0000)
  // The seeds are hashes themselves: a text's hash begins with its seed and first character, which plain numbers would cancel out.
  const first = hashText(value, hashPair(low, high))
  const second = hashText(value, hashPair(high, low) ^ 0x5bd1_e995)
  return first * 0x10_0000 + (second >>> 12)
}
