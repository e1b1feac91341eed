import { latin1, latin1Bytes } from '../core/bytes.ts'

/** Bytes of which parts are replaced, from front to back. Nothing is copied until the first is. */
export class Splice {
  readonly #bytes: Uint8Array
  #text: string | undefined
  #spliced = ''
  #copied = 0
  #changed = false

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** The bytes as they were, one character a byte; made when it is first asked for. */
  get text(): string {
    this.#text ??= latin1(this.#bytes)
    return this.#text
  }

  /** Puts a text in the place of the bytes from `start` to `end`, which are behind those replaced before. */
  replace(start: number, end: number, text: string): void {
    if (end - start === text.length && this.text.startsWith(text, start)) return
    this.#spliced += this.text.slice(this.#copied, start) + text
    this.#copied = end
    this.#changed = true
  }

  /** The bytes with their parts replaced; the same array where none was. */
  bytes(): Uint8Array {
    return this.#changed ? latin1Bytes(this.#spliced + this.text.slice(this.#copied)) : this.#bytes
  }
}
