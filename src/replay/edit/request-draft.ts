import { equalBytes, utf8, utf8Bytes } from '../../core/bytes.ts'
import { decodeContent } from '../../core/content-coding.ts'
import { MeshError } from '../../core/errors.ts'
import type { Exchange, Message } from '../../core/exchange.ts'
import { formatHead, type Head, type HeaderField, headerValue, parseHead, requestLine } from '../../core/head.ts'

/** An inflated body is at most this large; one that is larger keeps its content coding, and cannot be edited. */
const MAX_BODY_BYTES = 64 * 1024 * 1024

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** A target that is no more than one word of a request line. */
const TARGET = /^[\x21-\x7e\x80-\xff]+$/
/** One line of latin-1. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** Where and when a request was recorded. */
export interface RequestOrigin {
  readonly at: Date
  /** The host of its recording. */
  readonly host: string
  /** Whose it is, as a pseudonym; '' where only the connection tells. */
  readonly session: string
  /** Ordinal of its connection in the recording. */
  readonly connection: number
}

/**
 * A recorded request that rules and hooks may change before it is replayed. Changes are to what was recorded: values that the target
 * issues are put in later, so a token that is set here is sent as it stands only where nothing is learnt of its place.
 */
export class RequestDraft {
  readonly recorded: RequestOrigin
  method: string
  /** Path and query. */
  target: string
  readonly #message: Message
  readonly #head: Head
  #fields: readonly HeaderField[]
  /** Undefined: as it was recorded. */
  #body: Uint8Array | undefined
  #decoded: Uint8Array | undefined

  constructor(
    { request, session, connection }: Pick<Exchange, 'request' | 'session' | 'connection'>,
    at: Date,
    host: string,
  ) {
    this.#message = request
    this.#head = parseHead(request.head)
    const { method, target } = requestLine(this.#head)
    this.method = method
    this.target = target
    this.#fields = this.#head.fields
    this.recorded = { at, host, session, connection }
  }

  /** A copy, in order, duplicates kept; `setHeader` changes them. Names are as they were sent. */
  get headers(): readonly HeaderField[] {
    return this.#fields.map(({ name, value }) => ({ name, value }))
  }

  /** The first value of a header, its name compared without case. */
  header(name: string): string | undefined {
    return headerValue({ startLine: '', fields: this.#fields }, name)
  }

  /** In place of all headers of this name; undefined takes them away. */
  setHeader(name: string, value: string | undefined): void {
    const wanted = name.toLowerCase()
    const at = this.#fields.findIndex((field) => field.name.toLowerCase() === wanted)
    const others = this.#fields.filter((field) => field.name.toLowerCase() !== wanted)
    if (value !== undefined) {
      if (at < 0) others.push({ name, value })
      else others.splice(at, 0, { name: this.#fields[at]?.name ?? name, value })
    }
    this.#fields = others
  }

  /** A copy, without its content coding; as it was sent where that cannot be read. It is changed by being set. */
  get body(): Uint8Array {
    // Of a Buffer, slice would be the same bytes.
    return new Uint8Array(this.#current())
  }

  #current(): Uint8Array {
    if (this.#body !== undefined) return this.#body
    this.#decoded ??= decodeContent(this.#message.body, this.header('content-encoding') ?? '', MAX_BODY_BYTES)
    return this.#decoded ?? this.#message.body
  }

  /** Sent without a content coding. */
  set body(bytes: Uint8Array) {
    if (equalBytes(bytes, this.#current())) return
    this.#body = bytes
    this.setHeader('content-encoding', undefined)
  }

  /** The body as UTF-8. */
  get text(): string {
    return utf8(this.#current())
  }

  set text(text: string) {
    this.body = utf8Bytes(text)
  }

  /**
   * The message to send; the recorded one itself where nothing was changed.
   *
   * @throws MeshError MESH_ERR_USAGE where a request line or a header was made that none can be.
   */
  finish(where: string): Message {
    const { method, target } = requestLine(this.#head)
    const isHeadSame = this.#fields === this.#head.fields && this.method === method && this.target === target
    if (isHeadSame && this.#body === undefined) return this.#message
    const body = this.#body ?? this.#message.body
    const head = isHeadSame ? this.#message.head : formatHead(this.#edited(where))
    return { ...this.#message, head, body, bodySize: body.length }
  }

  #edited(where: string): Head {
    const { method, target } = this
    if (typeof method !== 'string' || !TOKEN.test(method)) throw unfit('method', method, where)
    if (typeof target !== 'string' || !TARGET.test(target)) throw unfit('target', target, where)
    const isPseudo = this.#head.startLine === ''
    const fields = this.#fields.map(({ name, value }) => {
      if (isPseudo && name === ':method') return { name, value: method }
      if (isPseudo && name === ':path') return { name, value: target }
      if (!TOKEN.test(name.replace(/^:/, ''))) throw unfit('header name', name, where)
      if (typeof value !== 'string' || !VALUE.test(value)) throw unfit(`value of header ${name}`, undefined, where)
      return { name, value }
    })
    const { version } = requestLine(this.#head)
    return { startLine: isPseudo ? '' : `${method} ${target} ${version}`.trimEnd(), fields }
  }
}

/** `found` undefined: it may be a secret, and is not repeated. */
function unfit(part: string, found: unknown, where: string): MeshError {
  const shown = found === undefined ? 'one that cannot' : JSON.stringify(found).slice(0, 80)
  return new MeshError('MESH_ERR_USAGE', { what: `expected a ${part} that can be sent, found ${shown}`, where })
}
