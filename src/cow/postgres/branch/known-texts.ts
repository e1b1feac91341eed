/** Texts that are remembered together have at most this many characters. */
const MAX_CHARS = 8 * 1024 * 1024

/** A text that the overlay has parsed without complaint, with what it said of its parameters and rows. */
export interface KnownText {
  /** ParameterDescription and RowDescription (or NoData), as they came; undefined where nobody asked. */
  description: Uint8Array | undefined
}

/** Which texts the overlay takes, by text, declared types, search_path and role. Good until the schema changes. */
export class KnownTexts {
  readonly #texts = new Map<string, KnownText>()
  #chars = 0

  get(key: string): KnownText | undefined {
    return this.#texts.get(key)
  }

  add(key: string): KnownText {
    const known = this.#texts.get(key)
    if (known !== undefined) return known
    const added: KnownText = { description: undefined }
    this.#chars += key.length
    if (this.#chars > MAX_CHARS) {
      this.#texts.clear()
      this.#chars = key.length
    }
    this.#texts.set(key, added)
    return added
  }
}
