import { NO_BYTES } from '../core/bytes.ts'
import type { CutReason, Message, Response } from '../core/exchange.ts'

/**
 * One message while its pieces arrive. Keeps copies of head, trailers and the first `maxBodyBytes` of the body; counts the rest.
 * Copies of less than 4 KiB come from Node's pool: about ten times cheaper than memory of their own.
 */
export class MessageAssembly {
  readonly firstNs: number
  lastNs: number
  /** Bytes of the stream that belong to it and that the ledger still has as pending. */
  pendingBytes = 0
  /** No piece of it comes any more. */
  done = false
  #head: Uint8Array = NO_BYTES
  #trailers: Uint8Array = NO_BYTES
  /** Room for the body; `#bodyLength` of it is filled. */
  #body: Uint8Array = NO_BYTES
  #bodyLength = 0
  #bodySize = 0
  #cut: CutReason | undefined

  constructor(firstNs: number) {
    this.firstNs = firstNs
    this.lastNs = firstNs
  }

  addHead(bytes: Uint8Array): void {
    this.#head = copyBytes(bytes)
  }

  addTrailers(bytes: Uint8Array): void {
    this.#trailers = copyBytes(bytes)
  }

  addBody(bytes: Uint8Array, maxBodyBytes: number): void {
    this.#bodySize += bytes.length
    const room = maxBodyBytes - this.#bodyLength
    if (room <= 0) return
    const kept = bytes.length <= room ? bytes : bytes.subarray(0, room)
    if (this.#bodyLength === 0) {
      this.#body = copyBytes(kept)
    } else {
      const needed = this.#bodyLength + kept.length
      if (needed > this.#body.length) this.#growBody(Math.min(maxBodyBytes, Math.max(needed, this.#body.length * 2)))
      this.#body.set(kept, this.#bodyLength)
    }
    this.#bodyLength += kept.length
  }

  /** It is over. A body that was not kept whole is cut by `limit`, unless worse happened to it. */
  finish(lastNs: number, cut: CutReason | undefined): void {
    this.done = true
    this.lastNs = Math.max(this.firstNs, lastNs)
    this.#cut = cut ?? (this.#bodySize > this.#bodyLength ? 'limit' : undefined)
  }

  /** Memory that its content takes. */
  get heldBytes(): number {
    return this.#head.length + this.#body.length + this.#trailers.length
  }

  /** The message as it is. The caller owns its bytes; the assembly is not used again. */
  message(): Message {
    return {
      head: this.#head,
      body: this.#keptBody(),
      trailers: this.#trailers,
      bodySize: this.#bodySize,
      cut: this.#cut,
    }
  }

  response(): Response {
    return {
      head: this.#head,
      body: this.#keptBody(),
      trailers: this.#trailers,
      bodySize: this.#bodySize,
      cut: this.#cut,
      firstNs: this.firstNs,
      lastNs: this.lastNs,
    }
  }

  /** Forgets the content. */
  release(): void {
    this.#head = NO_BYTES
    this.#body = NO_BYTES
    this.#trailers = NO_BYTES
    this.#bodyLength = 0
  }

  #keptBody(): Uint8Array {
    return this.#bodyLength === this.#body.length ? this.#body : this.#body.subarray(0, this.#bodyLength)
  }

  #growBody(capacity: number): void {
    const grown = Buffer.allocUnsafe(capacity)
    grown.set(this.#body)
    this.#body = grown
  }
}

function copyBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return NO_BYTES
  const copy = Buffer.allocUnsafe(bytes.length)
  copy.set(bytes)
  return copy
}
