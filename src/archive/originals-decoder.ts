import { NO_BYTES, utf8 } from '../core/bytes.ts'
import { MeshError } from '../core/errors.ts'
import type { Change, MessageOriginals, Originals } from '../core/originals.ts'
import { ByteCursor } from './byte-cursor.ts'
import {
  BODY,
  BOX,
  ENTRY,
  EXCHANGE_ID,
  HEAD,
  REQUEST,
  RESPONSE,
  SESSION,
  TRAILERS,
  VALUE,
  WAS_WHOLE,
} from './originals-encoder.ts'

/**
 * Values, exchanges and changes of one chunk: twice what a writer can come to. Whoever has a public key can seal what he
 * likes for its owner, who must not run out of memory over it.
 */
const MAX_ITEMS = 2_000_000

/** The encrypted content of `mesh.v1.Sealed`, a view. @throws MeshError MESH_ERR_FILE_CORRUPT where the bytes are no such message. */
export function decodeSealed(bytes: Uint8Array): Uint8Array {
  const cursor = cursorOver(bytes)
  let box: Uint8Array = NO_BYTES
  while (cursor.position < cursor.end) {
    const tag = cursor.varint()
    if (tag === BOX) box = cursor.borrowBytes()
    else cursor.skip(tag)
  }
  return box
}

/**
 * Reads `mesh.v1.Originals`: what was taken from exchanges, by their ids. Values are views of the bytes. Fields it does not know are
 * passed over.
 *
 * @throws MeshError MESH_ERR_FILE_CORRUPT where the bytes are no such message, MESH_ERR_LIMIT where it has too many parts.
 */
export function decodeOriginals(bytes: Uint8Array, maxItems: number = MAX_ITEMS): ReadonlyMap<number, Originals> {
  const cursor = cursorOver(bytes)
  const values = new Values(maxItems)
  const entries: Uint8Array[] = []
  while (cursor.position < cursor.end) {
    const tag = cursor.varint()
    values.count(1)
    if (tag === VALUE) values.add(cursor.borrowBytes())
    else if (tag === ENTRY) entries.push(cursor.borrowBytes())
    else cursor.skip(tag)
  }
  const byId = new Map<number, Originals>()
  for (const entry of entries) {
    const { id, originals } = readEntry(entry, values)
    byId.set(id, originals)
  }
  return byId
}

/** The values of a chunk, and how much was made of its message so far. */
class Values {
  readonly #values: Uint8Array[] = []
  readonly #maxItems: number
  #items = 0

  constructor(maxItems: number) {
    this.#maxItems = maxItems
  }

  add(value: Uint8Array): void {
    this.#values.push(value)
  }

  at(index: number): Uint8Array {
    const value = this.#values[index]
    if (value !== undefined) return value
    throw new MeshError('MESH_ERR_FILE_CORRUPT', {
      what: `expected one of ${this.#values.length} sealed values, found number ${index}`,
    })
  }

  count(items: number): void {
    this.#items += items
    if (this.#items <= this.#maxItems) return
    throw new MeshError('MESH_ERR_LIMIT', {
      what: `expected at most ${this.#maxItems} sealed originals in a chunk, found more`,
    })
  }
}

function readEntry(entry: Uint8Array, values: Values): { id: number; originals: Originals } {
  const cursor = cursorOver(entry)
  let id = 0
  let request: MessageOriginals | undefined
  let response: MessageOriginals | undefined
  let session: string | undefined
  while (cursor.position < cursor.end) {
    const tag = cursor.varint()
    if (tag === EXCHANGE_ID) id = cursor.varint()
    else if (tag === SESSION) session = utf8(values.at(cursor.varint() - 1))
    else if (tag === REQUEST) request = readMessage(cursor.borrowBytes(), values)
    else if (tag === RESPONSE) response = readMessage(cursor.borrowBytes(), values)
    else cursor.skip(tag)
  }
  return { id, originals: { session, request, response } }
}

function readMessage(message: Uint8Array, values: Values): MessageOriginals {
  const cursor = cursorOver(message)
  let head: readonly Change[] = []
  let body: readonly Change[] = []
  let trailers: readonly Change[] = []
  let wasWhole = false
  while (cursor.position < cursor.end) {
    const tag = cursor.varint()
    if (tag === HEAD) head = readChanges(cursor.borrowBytes(), values)
    else if (tag === BODY) body = readChanges(cursor.borrowBytes(), values)
    else if (tag === TRAILERS) trailers = readChanges(cursor.borrowBytes(), values)
    else if (tag === WAS_WHOLE) wasWhole = cursor.varint() !== 0
    else cursor.skip(tag)
  }
  return { head, body, trailers, wasWhole }
}

function readChanges(packed: Uint8Array, values: Values): readonly Change[] {
  const cursor = cursorOver(packed)
  const changes: Change[] = []
  while (cursor.position < cursor.end) {
    values.count(1)
    const start = cursor.varint()
    const length = cursor.varint()
    changes.push({ start, end: start + length, original: values.at(cursor.varint()) })
  }
  return changes
}

function cursorOver(bytes: Uint8Array): ByteCursor {
  const cursor = new ByteCursor(bytes)
  cursor.enter(0, bytes.length)
  return cursor
}
