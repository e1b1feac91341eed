import { latin1Bytes } from '../../core/bytes.ts'
import type { Message } from '../../core/exchange.ts'
import type { HeaderField } from '../../core/head.ts'
import { MeshError } from '../../core/errors.ts'
import type { RequestFraming } from './request-writer.ts'
import { framingLine, writeRequest } from './request-writer.ts'
import { isReplayMember } from './replay-mark.ts'
import type { HeaderBlock, KnownField, RequestHead } from './request-head.ts'
import { listItems } from './request-head.ts'

/** How recorded requests are made to fit the target. */
export interface RewriteRules {
  /** The target's `host[:port]`: the value of Host. */
  readonly authority: string
  /** Put before every path, '' or `/base` without a slash at its end. */
  readonly pathPrefix: string
  /** Keep the recorded Host. A request that has none gets the target's. */
  readonly keepHost: boolean
  /** Headers by the user: each replaces those of the same name; an empty value removes them, as in curl. */
  readonly headers: readonly HeaderField[]
  /** Marks every request as this run's, in `x-mesh-replay` and `baggage`. */
  readonly runId: string
  /**
   * `keep` sends `Connection: close` where it was recorded, so that the target ends connections (and keeps their TIME_WAIT) as in
   * production. `drop` is for connections that are not the recorded ones (`--speed max`): it asks the target to keep all of them.
   */
  readonly close: 'keep' | 'drop'
}

/** The head of a request for the target, for senders that write their own bytes. */
export interface RewrittenHead {
  /** With its CRLF. */
  readonly startLine: string
  /** The header lines, its framing among them, with the empty line after them. */
  readonly fields: Uint8Array
  readonly framing: RequestFraming
  /** The target closes the connection after its reply: by `Connection: close`, or as HTTP/1.0 does. */
  readonly closes: boolean
}

/** A request that is ready for the wire. */
export interface RewrittenRequest {
  readonly bytes: Uint8Array
  /** The target closes the connection after its reply: by `Connection: close`, or as HTTP/1.0 does. */
  readonly closes: boolean
}

/** What was made of a block of headers, for the next request with the same one. */
interface RewrittenBlock {
  readonly version: RequestHead['version']
  readonly framing: RequestFraming
  readonly bodyBytes: number
  /** Its lines with the empty line after them. */
  readonly fields: Uint8Array
  readonly closes: boolean
}

/** Headers that say where a body ends. */
const FRAMING_HEADERS: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding'])

/** Of this hop in production, or an offer that we would not honour: never sent again. */
const DROPPED_HEADERS: ReadonlySet<string> = new Set([
  'proxy-connection',
  'proxy-authorization',
  // We do not wait for `100 Continue`: the body follows at once.
  'expect',
  'upgrade',
  'http2-settings',
  'x-mesh-replay',
])

/**
 * Makes the bytes of a request for the target. Kept: the order, case and duplicates of headers, the recorded HTTP version,
 * `Connection: keep-alive`. Changed: absolute-form becomes origin-form, Host is the target's, the framing is what the recorded
 * body needs, the marks of the run are added. Gone: `Expect`, `Upgrade` and its settings, `Proxy-*`.
 */
export class RequestRewriter {
  readonly #rules: RewriteRules
  readonly #hostLine: string
  /** Lines of the user's headers by their names in lower case; '' removes. */
  readonly #custom = new Map<string, string>()
  /** By block: as many as the reader of heads remembers. */
  readonly #made = new WeakMap<HeaderBlock, RewrittenBlock>()
  readonly #markLine: string
  readonly #markMember: string

  /** @throws MeshError MESH_ERR_USAGE for a header that cannot be sent, or that framing decides. */
  constructor(rules: RewriteRules) {
    this.#rules = rules
    this.#hostLine = `Host: ${rules.authority}\r\n`
    this.#markLine = `x-mesh-replay: ${rules.runId}\r\n`
    this.#markMember = `mesh-replay=${rules.runId}`
    for (const field of rules.headers) {
      const name = checkedName(field)
      const line = field.value === '' ? '' : `${field.name}: ${field.value}\r\n`
      this.#custom.set(name, (this.#custom.get(name) ?? '') + line)
    }
  }

  /** Names of headers that the user replaces, in lower case: the reader of heads has to find them. */
  get customNames(): readonly string[] {
    return [...this.#custom.keys()]
  }

  /** Must be given a head that was read with `customNames`. The request is whole. */
  rewrite(head: RequestHead, request: Message): RewrittenRequest {
    const { startLine, fields, framing, closes } = this.rewriteHead(head, request)
    return { bytes: writeRequest(startLine, fields, request.body, request.trailers, framing), closes }
  }

  /** The same without the body. */
  rewriteHead(head: RequestHead, request: Message): RewrittenHead {
    const framing = framingOf(head, request)
    const bodyBytes = request.body.length
    const made = this.#made.get(head.block)
    const known = made !== undefined && made.version === head.version && made.framing === framing
    const fresh = known && made.bodyBytes === bodyBytes ? made : this.#make(head, framing, bodyBytes)
    return { startLine: this.#startLine(head), fields: fresh.fields, framing, closes: fresh.closes }
  }

  #make({ block, version }: RequestHead, framing: RequestFraming, bodyBytes: number): RewrittenBlock {
    const closes = this.#closes(block, version)
    const forceOpen = closes && this.#rules.close === 'drop'
    const text = this.#blockText(block, version, framing, bodyBytes, forceOpen)
    const fields = latin1Bytes(`${text}\r\n`)
    const made = { version, framing, bodyBytes, fields, closes: closes && !forceOpen }
    this.#made.set(block, made)
    return made
  }

  /** Will the target close after its reply (RFC 9112 9.3)? */
  #closes(block: HeaderBlock, version: RequestHead['version']): boolean {
    const custom = this.#custom.get('connection')
    const items = custom === undefined ? connectionItems(block) : listItems(custom.slice('connection:'.length).trim())
    return version === 'HTTP/1.0' ? !items.includes('keep-alive') : items.includes('close')
  }

  /** `forceOpen`: without what would close the connection. */
  #blockText(
    { text, fields }: HeaderBlock,
    version: RequestHead['version'],
    framing: RequestFraming,
    bodyBytes: number,
    forceOpen: boolean,
  ): string {
    const done: string[] = []
    let out = ''
    let copied = 0
    if (!fields.some(({ name }) => name === 'host') && !this.#custom.has('host')) out += this.#hostLine
    for (const field of fields) {
      const dropped = forceOpen && field.name === 'connection'
      const line = dropped ? '' : this.#lineFor(field, text, framing, bodyBytes, done)
      done.push(field.name)
      if (line === undefined) continue
      out += text.slice(copied, field.start) + line
      copied = field.end
    }
    out += text.slice(copied)
    if (forceOpen && version === 'HTTP/1.0') out += 'Connection: keep-alive\r\n'
    if (!done.some((name) => FRAMING_HEADERS.has(name))) out += framingLine(framing, bodyBytes)
    for (const [name, line] of this.#custom) if (!done.includes(name)) out += line
    if (!done.includes('baggage') || this.#custom.has('baggage')) out += `baggage: ${this.#markMember}\r\n`
    return out + this.#markLine
  }

  /** The line in place of `field`; undefined where it stays as it is. */
  #lineFor(
    field: KnownField,
    text: string,
    framing: RequestFraming,
    bodyBytes: number,
    done: readonly string[],
  ): string | undefined {
    const { name } = field
    const again = done.includes(name)
    const custom = this.#custom.get(name)
    if (custom !== undefined) return again ? '' : custom
    if (DROPPED_HEADERS.has(name)) return ''
    switch (name) {
      case 'host':
        return again ? '' : this.#rules.keepHost ? undefined : this.#hostLine
      case 'baggage':
        return again ? withoutMark(field, text) : this.#markedBaggage(field, text)
      case 'connection':
        return keptConnection(field, text)
      case 'content-length':
      case 'transfer-encoding':
        if (done.some((earlier) => FRAMING_HEADERS.has(earlier))) return ''
        return framingInPlace(field, text, framing, bodyBytes)
      case 'trailer':
        return framing === 'chunked' ? undefined : ''
      default:
        return undefined
    }
  }

  #startLine({ method, target, version, startLine }: RequestHead): string {
    const { pathPrefix } = this.#rules
    if (target.startsWith('/') && pathPrefix === '') return startLine
    return `${method} ${pathPrefix}${originForm(method, target)} ${version}\r\n`
  }

  #markedBaggage(field: KnownField, text: string): string {
    const members = field.value.split(',').filter((member) => member.trim() !== '' && !isReplayMember(member))
    return `${nameAsSent(field, text)}: ${[...members, this.#markMember].join(',')}\r\n`
  }
}

/** `/path?query` of whatever form the target has (RFC 9112 3.2); `*` stays. */
function originForm(method: string, target: string): string {
  if (target.startsWith('/') || target === '*') return target
  const match = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*([^#]*)/i.exec(target)
  const rest = match === null ? target : (match[1] ?? '')
  if (rest === '' && match !== null) return method === 'OPTIONS' ? '*' : '/'
  return rest.startsWith('/') ? rest : `/${rest}`
}

/**
 * Trailers need chunks. Everything else that has a body, or said that it has an empty one, says its length: the sizes of recorded
 * chunks are not in a recording.
 */
function framingOf(head: RequestHead, request: Message): RequestFraming {
  if (request.trailers.length > 0 && head.version !== 'HTTP/1.0') return 'chunked'
  if (request.body.length > 0) return 'length'
  return head.block.fields.some(({ name }) => FRAMING_HEADERS.has(name)) ? 'length' : 'none'
}

function framingInPlace(
  field: KnownField,
  text: string,
  framing: RequestFraming,
  bodyBytes: number,
): string | undefined {
  if (framing !== 'length' || field.name !== 'content-length') return framingLine(framing, bodyBytes)
  return field.value === String(bodyBytes) ? undefined : `${nameAsSent(field, text)}: ${bodyBytes}\r\n`
}

/** All items of the Connection headers. */
function connectionItems(block: HeaderBlock): readonly string[] {
  const items: string[] = []
  for (const { name, value } of block.fields) if (name === 'connection') items.push(...listItems(value))
  return items
}

/** Without the items that offered an upgrade. */
function keptConnection(field: KnownField, text: string): string | undefined {
  const items = field.value.split(',').map((item) => item.trim())
  const kept = items.filter((item) => !/^(upgrade|http2-settings)$/i.test(item))
  if (kept.length === items.length) return undefined
  return kept.length === 0 ? '' : `${nameAsSent(field, text)}: ${kept.join(', ')}\r\n`
}

function withoutMark(field: KnownField, text: string): string | undefined {
  const members = field.value.split(',')
  const kept = members.filter((member) => !isReplayMember(member))
  if (kept.length === members.length) return undefined
  return kept.length === 0 ? '' : `${nameAsSent(field, text)}: ${kept.join(',')}\r\n`
}

/** The name of a header in the case it was recorded in. */
function nameAsSent(field: KnownField, text: string): string {
  return text.slice(field.start, field.start + field.name.length)
}

function checkedName(field: HeaderField): string {
  const name = field.name.toLowerCase()
  const refuse = (what: string): never => {
    throw new MeshError('MESH_ERR_USAGE', { what, where: `-H "${field.name}: ${field.value}"`.slice(0, 120) })
  }
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(field.name))
    return refuse('expected a header name, found characters that none has')
  // A line end, or a character that is not one byte, would make another request of it.
  if (/[^\t\x20-\x7e\x80-\xff]/.test(field.value)) return refuse('expected a header value in one line of latin-1')
  if (FRAMING_HEADERS.has(name) || name === 'x-mesh-replay')
    return refuse('expected a header other than those set by us')
  return name
}
