import { MeshError } from '../../core/errors.ts'

/**
 * Where messages of PostgreSQL's protocol 3 begin and end (PostgreSQL manual 54.7). The same framing in both directions:
 *
 *     typed     | type: 1 byte | length: int32, itself included, type excluded | payload |
 *     startup   |                length: int32, itself included | code: int32 | payload |
 */

/** Bounds of what a message may be. */
export interface FramerLimits {
  /** A longer message is refused. Default 1 GiB: PostgreSQL's own bound of a message (PQ_LARGE_MESSAGE_LIMIT). */
  readonly maxMessageBytes: number
  /** A longer message is given as pieces, so that a huge row or statement passes without being held. Default 16 MiB. */
  readonly maxHeldBytes: number
  /** A longer startup message is refused. Default 10,000: PostgreSQL's own bound (MAX_STARTUP_PACKET_LENGTH). */
  readonly maxStartupBytes: number
}

export const DEFAULT_FRAMER_LIMITS: FramerLimits = {
  maxMessageBytes: 1024 * 1024 * 1024,
  maxHeldBytes: 16 * 1024 * 1024,
  maxStartupBytes: 10_000,
}

export interface FramerOptions extends Partial<FramerLimits> {
  /** The stream begins with a client's untyped messages. After an SSLRequest or GSSENCRequest another one follows. Default false. */
  readonly startup?: boolean
  /**
   * Types whose consecutive whole messages are given as one piece, where the reader only passes them on: DataRow, CopyData.
   * Default none.
   */
  readonly runTypes?: readonly number[]
}

/** One whole message. Views are borrowed: valid until the next `push`, copied by whoever keeps them. */
export interface PgMessage {
  /** The ASCII code of its type; 0 for the untyped messages that open a connection. */
  readonly type: number
  /** The whole message, header included. */
  readonly bytes: Uint8Array
  /** Without type and length. */
  readonly payload: Uint8Array
  readonly piece?: undefined
}

/**
 * Bytes to pass on without being read: a part of a message that is too long to be held, or several whole messages of one
 * type (`first` and `last` are both true then). Borrowed as in a message. All pieces of a message, put together, are its bytes.
 */
export interface PgPiece {
  readonly type: number
  readonly piece: Uint8Array
  /** The piece starts with a message's header. */
  readonly first: boolean
  /** The piece ends with a message's last byte. */
  readonly last: boolean
  /** How many messages end in this piece. */
  readonly messages: number
}

export type PgFrame = PgMessage | PgPiece

const TYPED_HEADER_BYTES = 5
const LENGTH_BYTES = 4
/** An untyped message has a length and a code at least. */
const MIN_STARTUP_BYTES = 8
const SSL_REQUEST_CODE = 80_877_103
const GSS_REQUEST_CODE = 80_877_104

/** Views are made when they are asked for, and once: whoever only looks at a type, or passes messages on, does not pay for them. */
class WholeMessage implements PgMessage {
  readonly type: number
  readonly #buffer: Uint8Array
  readonly #start: number
  readonly #end: number
  #bytes: Uint8Array | undefined
  #payload: Uint8Array | undefined

  constructor(type: number, buffer: Uint8Array, start: number, end: number) {
    this.type = type
    this.#buffer = buffer
    this.#start = start
    this.#end = end
  }

  get bytes(): Uint8Array {
    this.#bytes ??= this.#buffer.subarray(this.#start, this.#end)
    return this.#bytes
  }

  get payload(): Uint8Array {
    const headerBytes = this.type === 0 ? LENGTH_BYTES : TYPED_HEADER_BYTES
    this.#payload ??= this.#buffer.subarray(this.#start + headerBytes, this.#end)
    return this.#payload
  }
}

/**
 * Cuts a stream of bytes into messages; any split of it gives the same whole messages. The caller pushes a chunk, then takes
 * frames until there is none. A pushed chunk is read in place, and must not be written to while the framer has it.
 * Throws `MESH_ERR_POSTGRES` at a length that no message can have; the stream cannot be read on after that.
 */
export class MessageFramer {
  readonly #limits: FramerLimits
  #runTypes: ReadonlySet<number>
  #startup: boolean
  #buffer: Uint8Array = new Uint8Array(0)
  #start = 0
  #end = 0
  /** The buffer is our own: it may be written behind `#end`. */
  #owned = false
  /** Of the message that is given in pieces: its type, and the bytes of it to come; 0 where there is none. */
  #pieceType = 0
  #pieceRemaining = 0

  constructor(options: FramerOptions = {}) {
    this.#limits = {
      maxMessageBytes: options.maxMessageBytes ?? DEFAULT_FRAMER_LIMITS.maxMessageBytes,
      maxHeldBytes: Math.max(options.maxHeldBytes ?? DEFAULT_FRAMER_LIMITS.maxHeldBytes, TYPED_HEADER_BYTES),
      maxStartupBytes: options.maxStartupBytes ?? DEFAULT_FRAMER_LIMITS.maxStartupBytes,
    }
    this.#runTypes = new Set(options.runTypes)
    this.#startup = options.startup === true
  }

  /** Bytes that were pushed and not yet given. After an SSLRequest there must be none: they would be unencrypted (CVE-2021-23222). */
  get heldBytes(): number {
    return this.#end - this.#start
  }

  /** Gives up the bytes that were pushed and not yet given, for another reader. A view, borrowed as in a message. */
  takeHeld(): Uint8Array {
    return this.#take(this.heldBytes)
  }

  /** Changes `runTypes` from the next frame on. */
  setRunTypes(types: readonly number[]): void {
    this.#runTypes = new Set(types)
  }

  /** Adds bytes behind those not yet given. */
  push(chunk: Uint8Array): void {
    const held = this.#end - this.#start
    if (held === 0) {
      this.#buffer = chunk
      this.#start = 0
      this.#end = chunk.length
      this.#owned = false
      return
    }
    const needed = held + chunk.length
    if (!this.#owned || this.#end + chunk.length > this.#buffer.length) this.#makeRoom(held, needed)
    this.#buffer.set(chunk, this.#end)
    this.#end += chunk.length
  }

  /** The next frame, or undefined where more bytes are needed. */
  next(): PgFrame | undefined {
    if (this.#pieceRemaining > 0) return this.#takePiece(false)
    if (this.#startup) return this.#takeStartup()
    const held = this.#end - this.#start
    if (held < TYPED_HEADER_BYTES) return undefined
    const type = this.#buffer[this.#start] ?? 0
    const size = this.#typedSize(this.#start)
    if (size > this.#limits.maxHeldBytes) {
      this.#pieceType = type
      this.#pieceRemaining = size
      return this.#takePiece(true)
    }
    if (held < size) return undefined
    if (this.#runTypes.size > 0 && this.#runTypes.has(type)) return this.#takeRun(type, size)
    return this.#takeWhole(type, size)
  }

  #takeWhole(type: number, size: number): PgMessage {
    const start = this.#start
    this.#start += size
    return new WholeMessage(type, this.#buffer, start, this.#start)
  }

  #makeRoom(held: number, needed: number): void {
    // Twice the size each time: a message that trickles in is copied a bounded number of times.
    const fits = this.#owned && needed <= this.#buffer.length / 2
    const size = Math.max(needed, Math.min(2 * held, this.#limits.maxHeldBytes))
    const target = fits ? this.#buffer : Buffer.allocUnsafeSlow(size)
    target.set(this.#buffer.subarray(this.#start, this.#end))
    this.#buffer = target
    this.#owned = true
    this.#start = 0
    this.#end = held
  }

  #take(size: number): Uint8Array {
    const bytes = this.#buffer.subarray(this.#start, this.#start + size)
    this.#start += size
    return bytes
  }

  #takeStartup(): PgMessage | undefined {
    const held = this.#end - this.#start
    if (held < LENGTH_BYTES) return undefined
    const size = this.#int32(this.#start)
    if (size < MIN_STARTUP_BYTES || size > this.#limits.maxStartupBytes) {
      throw badLength('a startup message', MIN_STARTUP_BYTES, this.#limits.maxStartupBytes, size)
    }
    if (held < size) return undefined
    const code = this.#int32(this.#start + LENGTH_BYTES)
    this.#startup = code === SSL_REQUEST_CODE || code === GSS_REQUEST_CODE
    return this.#takeWhole(0, size)
  }

  #takePiece(first: boolean): PgPiece | undefined {
    const size = Math.min(this.#end - this.#start, this.#pieceRemaining)
    if (size === 0) return undefined
    this.#pieceRemaining -= size
    const last = this.#pieceRemaining === 0
    return { type: this.#pieceType, piece: this.#take(size), first, last, messages: last ? 1 : 0 }
  }

  #takeRun(type: number, firstSize: number): PgPiece {
    let at = this.#start + firstSize
    let messages = 1
    while (this.#end - at >= TYPED_HEADER_BYTES && this.#buffer[at] === type) {
      const size = this.#typedSize(at)
      if (size > this.#limits.maxHeldBytes || this.#end - at < size) break
      at += size
      messages++
    }
    return { type, piece: this.#take(at - this.#start), first: true, last: true, messages }
  }

  /** Size of the whole message whose type is at this place. */
  #typedSize(at: number): number {
    const length = this.#int32(at + 1)
    if (length < LENGTH_BYTES || length >= this.#limits.maxMessageBytes) {
      const type = String.fromCharCode(this.#buffer[at] ?? 0)
      throw badLength(`a message of type ${JSON.stringify(type)}`, LENGTH_BYTES, this.#limits.maxMessageBytes, length)
    }
    return length + 1
  }

  #int32(at: number): number {
    const bytes = this.#buffer
    return ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)
  }
}

function badLength(what: string, least: number, most: number, found: number): MeshError {
  return new MeshError('MESH_ERR_POSTGRES', {
    what: `expected ${what} to have a length of ${least} to ${most}, found ${found}`,
    remedy: 'is this PostgreSQL on both sides?',
  })
}
