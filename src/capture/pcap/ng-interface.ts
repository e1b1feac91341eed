import { u8, u16, u32 } from './read.ts'

/** Options of a pcapng block: code 2 | length 2 | value, padded to 4. Calls `visit` for each that lies whole in the block. */
export function eachOption(
  bytes: Uint8Array,
  start: number,
  end: number,
  little: boolean,
  visit: (code: number, at: number, length: number) => void,
): void {
  let at = start
  while (at + 4 <= end) {
    const code = u16(bytes, at, little)
    const length = u16(bytes, at + 2, little)
    if (code === 0 || at + 4 + length > end) return
    visit(code, at + 4, length)
    at += 4 + ((length + 3) & ~3)
  }
}

const IF_TSRESOL = 9
const IF_FCSLEN = 13
const IF_TSOFFSET = 14

/** One interface of a pcapng section: how to read its packets' data and times (draft-ietf-opsawg-pcapng 4.2). */
export class NgInterface {
  readonly linkType: number
  /** 0: without a limit. */
  readonly snapLength: number
  fcsBytes = 0
  /** Packets that the capture says it lost here, by its latest statistics. */
  drops = 0
  seconds = 0
  nanoseconds = 0
  #unitsPerSecond = 1e6
  #exactUnitsPerSecond = 1_000_000n
  #offsetSeconds = 0
  #cachedHigh = -1
  #baseSeconds = 0
  #baseUnits = 0

  /** `start` to `end` is the body of the interface description block. */
  constructor(bytes: Uint8Array, start: number, end: number, little: boolean) {
    this.linkType = u16(bytes, start, little)
    this.snapLength = u32(bytes, start + 4, little)
    eachOption(bytes, start + 8, end, little, (code, at, length) => {
      if (code === IF_TSRESOL && length >= 1) this.#exactUnitsPerSecond = unitsPerSecond(u8(bytes, at))
      else if (code === IF_FCSLEN && length >= 1) this.fcsBytes = u8(bytes, at)
      else if (code === IF_TSOFFSET && length >= 8) {
        const [low, high] = little ? [at, at + 4] : [at + 4, at]
        this.#offsetSeconds = Number(
          BigInt.asIntN(64, (BigInt(u32(bytes, high, little)) << 32n) | BigInt(u32(bytes, low, little))),
        )
      }
    })
    this.#unitsPerSecond = Number(this.#exactUnitsPerSecond)
  }

  /**
   * Turns a time of 64 bits into `seconds` and `nanoseconds`, exactly. The division by the resolution is done once for
   * each value of the high half (every four seconds at nanoseconds), because 64 bits need bigints.
   */
  setTime(high: number, low: number): void {
    if (high !== this.#cachedHigh) {
      const units = BigInt(high) << 32n
      this.#baseSeconds = Number(units / this.#exactUnitsPerSecond) + this.#offsetSeconds
      this.#baseUnits = Number(units % this.#exactUnitsPerSecond)
      this.#cachedHigh = high
    }
    const perSecond = this.#unitsPerSecond
    const units = this.#baseUnits + low
    const whole = Math.floor(units / perSecond)
    const rest = units - whole * perSecond
    this.seconds = this.#baseSeconds + whole
    this.nanoseconds = Math.floor(perSecond <= 1e9 ? rest * (1e9 / perSecond) : rest / (perSecond / 1e9))
  }
}

/** if_tsresol: the high bit tells powers of 2 from powers of 10, the rest is the negative exponent. */
function unitsPerSecond(resolution: number): bigint {
  return (resolution & 0x80) === 0 ? 10n ** BigInt(resolution) : 2n ** BigInt(resolution & 0x7f)
}
