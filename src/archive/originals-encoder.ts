import { latin1, utf8Bytes } from '../core/bytes.ts'
import type { Change, MessageOriginals, Originals } from '../core/originals.ts'
import { ByteBuilder, varintLength } from './byte-builder.ts'

/** Memory that is kept between chunks. */
const KEPT_BYTES = 64 * 1024

/** Tags, each of a field with a length, but for the three numbers. */
export const BOX = 0x0a
export const VALUE = 0x0a
export const ENTRY = 0x12
export const EXCHANGE_ID = 0x08
export const REQUEST = 0x12
export const RESPONSE = 0x1a
export const SESSION = 0x20
export const HEAD = 0x0a
export const BODY = 0x12
export const TRAILERS = 0x1a
export const WAS_WHOLE = 0x20

/** More than the tags and lengths of an entry take. */
const FIXED_BYTES = 64
const MAX_VARINT_BYTES = 8

const NO_NUMBERS: readonly number[] = []

/** A value of more bytes is hardly met again, and not looked for. */
const MAX_SHARED_BYTES = 16 * 1024

/**
 * `mesh.v1.Originals` of one chunk in the making, written by hand as exchanges are (a test compares it with protobufjs). Each distinct
 * value stands in it once: a session's cookies come with each of its requests. It is not compressed: how well secrets
 * compress beside what a client chose would tell of them; which of them are equal is what their pseudonyms tell already.
 */
export class OriginalsEncoder {
  readonly #bytes = new ByteBuilder(KEPT_BYTES)
  readonly #known = new Map<string, number>()
  #values = 0

  /** Bytes so far. */
  get length(): number {
    return this.#bytes.length
  }

  /** Copies what it needs. */
  add(exchangeId: number, { session, request, response }: Originals): void {
    const requestNumbers = this.#numbersOf(request)
    const responseNumbers = this.#numbersOf(response)
    const sessionNumber = session === undefined ? 0 : 1 + this.#indexOf(utf8Bytes(session))
    const requestLength = lengthOf(requestNumbers)
    const responseLength = lengthOf(responseNumbers)
    const bytes = this.#bytes
    bytes.reserve(FIXED_BYTES + requestLength + responseLength)
    bytes.byte(ENTRY)
    bytes.varint(
      numberLength(exchangeId) + sizedLength(requestLength) + sizedLength(responseLength) + numberLength(sessionNumber),
    )
    writeNumber(bytes, EXCHANGE_ID, exchangeId)
    writeMessage(bytes, REQUEST, requestNumbers, requestLength)
    writeMessage(bytes, RESPONSE, responseNumbers, responseLength)
    writeNumber(bytes, SESSION, sessionNumber)
  }

  /** What was added, borrowed: valid until the next call. */
  borrow(): Uint8Array {
    return this.#bytes.borrow()
  }

  reset(): void {
    this.#bytes.reset(KEPT_BYTES)
    this.#known.clear()
    this.#values = 0
  }

  #numbersOf(message: MessageOriginals | undefined): MessageNumbers | undefined {
    if (message === undefined) return undefined
    const { head, body, trailers, wasWhole } = message
    return {
      head: this.#changeNumbers(head),
      body: this.#changeNumbers(body),
      trailers: this.#changeNumbers(trailers),
      wasWhole,
    }
  }

  /** Three a change: where it starts and how long it is in the masked bytes, and which value stood there. */
  #changeNumbers(changes: readonly Change[]): readonly number[] {
    if (changes.length === 0) return NO_NUMBERS
    const numbers: number[] = []
    for (const { start, end, original } of changes) numbers.push(start, end - start, this.#indexOf(original))
    return numbers
  }

  #indexOf(value: Uint8Array): number {
    const key = value.length <= MAX_SHARED_BYTES ? latin1(value) : undefined
    const known = key === undefined ? undefined : this.#known.get(key)
    if (known !== undefined) return known
    this.#bytes.reserve(1 + MAX_VARINT_BYTES + value.length)
    this.#bytes.byte(VALUE)
    this.#bytes.varint(value.length)
    this.#bytes.append(value)
    if (key !== undefined) this.#known.set(key, this.#values)
    return this.#values++
  }
}

/** A message's changes as the numbers that are written. */
interface MessageNumbers {
  readonly head: readonly number[]
  readonly body: readonly number[]
  readonly trailers: readonly number[]
  readonly wasWhole: boolean
}

function lengthOf(message: MessageNumbers | undefined): number {
  if (message === undefined) return 0
  const { head, body, trailers, wasWhole } = message
  return packedLength(head) + packedLength(body) + packedLength(trailers) + numberLength(wasWhole ? 1 : 0)
}

function writeMessage(bytes: ByteBuilder, tag: number, message: MessageNumbers | undefined, length: number): void {
  if (message === undefined || length === 0) return
  bytes.byte(tag)
  bytes.varint(length)
  writePacked(bytes, HEAD, message.head)
  writePacked(bytes, BODY, message.body)
  writePacked(bytes, TRAILERS, message.trailers)
  writeNumber(bytes, WAS_WHOLE, message.wasWhole ? 1 : 0)
}

/** proto3 leaves out what is zero. */
function writeNumber(bytes: ByteBuilder, tag: number, number: number): void {
  if (number === 0) return
  bytes.byte(tag)
  bytes.varint(number)
}

function numberLength(number: number): number {
  return number === 0 ? 0 : 1 + varintLength(number)
}

function writePacked(bytes: ByteBuilder, tag: number, numbers: readonly number[]): void {
  if (numbers.length === 0) return
  bytes.byte(tag)
  bytes.varint(contentLength(numbers))
  for (const number of numbers) bytes.varint(number)
}

function packedLength(numbers: readonly number[]): number {
  return sizedLength(contentLength(numbers))
}

function contentLength(numbers: readonly number[]): number {
  let length = 0
  for (const number of numbers) length += varintLength(number)
  return length
}

function sizedLength(length: number): number {
  return length === 0 ? 0 : 1 + varintLength(length) + length
}

/** `mesh.v1.Sealed` around an encrypted `mesh.v1.Originals`. The caller owns the result. */
export function encodeSealed(box: Uint8Array): Uint8Array {
  const bytes = new ByteBuilder(1 + MAX_VARINT_BYTES + box.length)
  bytes.byte(BOX)
  bytes.varint(box.length)
  bytes.append(box)
  return bytes.borrow()
}
