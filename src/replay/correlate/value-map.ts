import { hashPair, hashText } from '../../core/random.ts'
import { RecentMap } from './recent-map.ts'

interface Entry<Value> {
  readonly check: number
  readonly value: Value
}

/**
 * What is known of values by session, without keeping the values: a hash finds the entry and another one proves it. Of two values of
 * the same first hash the later one stays.
 */
export class ValueMap<Value> {
  readonly #entries: RecentMap<number, Entry<Value>>

  /** `most`: as in `RecentMap`. */
  constructor(most: number) {
    this.#entries = new RecentMap(most)
  }

  /** Sessions are whole numbers from 0 up to 2^52. */
  get(session: number, text: string): Value | undefined {
    const found = this.#entries.get(placeOf(session, text))
    return found !== undefined && found.check === checkOf(session, text) ? found.value : undefined
  }

  set(session: number, text: string, value: Value): void {
    this.#entries.set(placeOf(session, text), { check: checkOf(session, text), value })
  }
}

/**
 * Seeds are hashes themselves: a text's hash begins with its seed and first character, which plain numbers would cancel out. A signed
 * 32-bit number, because maps are slow with greater ones.
 */
function placeOf(session: number, text: string): number {
  return hashText(text, hashPair(session, Math.floor(session / 0x1_0000_0000))) | 0
}

function checkOf(session: number, text: string): number {
  return hashText(text, hashPair(Math.floor(session / 0x1_0000_0000) + 1, session)) | 0
}
