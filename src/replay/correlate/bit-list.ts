/** Beyond it every number counts as being in the list: 32 MB of bits. */
const MAX_BITS: number = 2 ** 28

/** A set of small whole numbers, a bit each. */
export class BitList {
  #words = new Uint32Array(1_024)

  add(bit: number): void {
    if (bit >= MAX_BITS) return
    const word = bit >>> 5
    if (word >= this.#words.length) {
      const grown = new Uint32Array(2 ** Math.ceil(Math.log2(word + 1)))
      grown.set(this.#words)
      this.#words = grown
    }
    this.#words[word] = (this.#words[word] ?? 0) | (1 << (bit & 31))
  }

  has(bit: number): boolean {
    return bit >= MAX_BITS || ((this.#words[bit >>> 5] ?? 0) & (1 << (bit & 31))) !== 0
  }
}
