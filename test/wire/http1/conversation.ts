import { concatBytes, latin1, latin1Bytes } from '../../../src/core/bytes.ts'
import { opposite } from '../../../src/core/segment.ts'
import type { CloseReason, Direction } from '../../../src/core/segment.ts'
import { http1 } from '../../../src/wire/http1/protocol.ts'
import { DEFAULT_DECODE_LIMITS } from '../../../src/wire/protocol.ts'
import type { DecodeEvent, DecodeLimits } from '../../../src/wire/protocol.ts'

/** What happens to one direction of a connection: bytes come, are lost, or end. */
export type Step =
  | { kind: 'data'; direction: Direction; offset: number; bytes: Uint8Array; acknowledged: number }
  | { kind: 'gap'; direction: Direction; length: number }
  | { kind: 'end'; direction: Direction; how: CloseReason }

/** Writes a conversation down in the order of its bytes, each sender having received all that the other sent before. */
export class Conversation {
  readonly steps: Step[] = []
  readonly #sent = { request: 0, response: 0 }

  client(...texts: string[]): this {
    return this.send('request', texts)
  }

  server(...texts: string[]): this {
    return this.send('response', texts)
  }

  /** These bytes were sent, and the capture missed them. */
  clientLost(text: string): this {
    return this.lose('request', text.length)
  }

  serverLost(text: string): this {
    return this.lose('response', text.length)
  }

  end(direction: Direction, how: CloseReason = 'fin'): this {
    this.steps.push({ kind: 'end', direction, how })
    return this
  }

  close(how: CloseReason = 'fin'): this {
    return this.end('request', how).end('response', how)
  }

  send(direction: Direction, texts: readonly string[]): this {
    for (const text of texts) {
      const bytes = latin1Bytes(text)
      const offset = this.#sent[direction]
      this.steps.push({ kind: 'data', direction, offset, bytes, acknowledged: this.#sent[opposite(direction)] })
      this.#sent[direction] += bytes.length
    }
    return this
  }

  lose(direction: Direction, length: number): this {
    this.steps.push({ kind: 'gap', direction, length })
    this.#sent[direction] += length
    return this
  }
}

/** An event with its bytes as text, and pieces that belong together joined. */
export interface Seen {
  kind: DecodeEvent['kind']
  direction: Direction
  start: number
  end: number
  message?: number | undefined
  text?: string
  why?: string
}

export interface Decoded {
  request: Seen[]
  response: Seen[]
  /** Most memory that was held after any step. */
  heldBytes: number
}

export interface DecodeOptions {
  midStream?: boolean
  limits?: Partial<DecodeLimits>
}

/** Decodes the steps, checks that every byte is accounted for exactly once, and joins the pieces. */
export function decode(steps: readonly Step[], options: DecodeOptions = {}): Decoded {
  const decoder = http1.createDecoder({ ...DEFAULT_DECODE_LIMITS, ...options.limits }, options.midStream ?? false)
  const decoded: Decoded = { request: [], response: [], heldBytes: 0 }
  const account = { request: new Account(), response: new Account() }
  const take = (events: readonly DecodeEvent[]): void => {
    for (const event of events) {
      if (event.kind !== 'end') account[event.direction].cover(event.start, event.end)
      join(decoded[event.direction], seen(event))
    }
    decoded.heldBytes = Math.max(decoded.heldBytes, decoder.heldBytes)
  }
  const ended = { request: false, response: false }
  for (const step of steps) {
    if (step.kind === 'data') {
      // A copy that is spoilt afterwards: events may borrow it until the next call only.
      const bytes = Uint8Array.from(step.bytes)
      take(decoder.push(step.direction, bytes, step.offset, step.acknowledged))
      bytes.fill(0)
      account[step.direction].total = step.offset + step.bytes.length
    } else if (step.kind === 'gap') {
      take(decoder.gap(step.direction, step.length))
      account[step.direction].lose(step.length)
    } else {
      ended[step.direction] = true
      take(decoder.end(step.direction, step.how))
    }
  }
  for (const direction of ['request', 'response'] as const) {
    if (!ended[direction]) take(decoder.end(direction, 'cut'))
  }
  for (const direction of ['request', 'response'] as const) account[direction].check(direction)
  return decoded
}

/** Which bytes of a stream were accounted for: each once, none left out. */
class Account {
  total = 0
  readonly #ranges: [number, number][] = []

  cover(start: number, end: number): void {
    if (start >= end) throw new Error(`an event covers nothing: ${start} to ${end}`)
    this.#ranges.push([start, end])
  }

  lose(length: number): void {
    this.#ranges.push([this.total, this.total + length])
    this.total += length
  }

  check(direction: Direction): void {
    let at = 0
    for (const [start, end] of this.#ranges.sort((a, b) => a[0] - b[0])) {
      if (start !== at)
        throw new Error(`bytes of the ${direction} stream are accounted for up to ${at}, then from ${start}`)
      at = end
    }
    if (at !== this.total) throw new Error(`bytes of the ${direction} stream end at ${this.total}, not ${at}`)
  }
}

function seen(event: DecodeEvent): Seen {
  const { kind, direction } = event
  const start = event.kind === 'end' ? event.end : event.start
  const range = { kind, direction, start, end: event.end }
  switch (event.kind) {
    case 'head':
      return { ...range, message: event.message, text: latin1(event.bytes), why: event.interim ? 'interim' : 'final' }
    case 'body':
    case 'trailers':
      return { ...range, message: event.message, text: latin1(event.bytes) }
    case 'end':
      return { ...range, message: event.message, why: event.how }
    case 'framing':
      return range
    case 'lost':
      return { ...range, why: event.why }
    case 'opaque':
      return { ...range, why: event.reason }
    case 'undecodable':
      break
  }
  return { ...range, message: event.message, why: event.first ? `first ${event.reason}` : event.reason }
}

const JOINED = new Set(['body', 'framing', 'lost', 'opaque', 'undecodable'])

function join(all: Seen[], next: Seen): void {
  const last = all.at(-1)
  const same =
    last !== undefined &&
    last.kind === next.kind &&
    last.end === next.start &&
    JOINED.has(next.kind) &&
    last.why?.replace('first ', '') === next.why &&
    (next.kind === 'undecodable' || last.message === next.message)
  if (!same) {
    all.push(next)
    return
  }
  last.end = next.end
  if (next.text !== undefined) last.text = `${last.text ?? ''}${next.text}`
}

/** One line a message or stretch, in stream order, without offsets: what a test compares. Framing is left out. */
export function summary(events: readonly Seen[]): string[] {
  return events.filter((event) => event.kind !== 'framing').map(line)
}

function line(event: Seen): string {
  const { kind, why } = event
  const text = event.text ?? ''
  const named = event.message === undefined ? kind : `${kind} ${event.message}`
  if (kind === 'head') return `${named}${why === 'interim' ? ' interim' : ''} ${text.split('\r\n')[0]}`
  if (kind === 'body') return `${named} ${text.length > 40 ? text.length : text}`
  if (kind === 'trailers') return `${named} ${JSON.stringify(text)}`
  return kind === 'end' ? `${named} ${why}` : `${named} ${why} ${event.end - event.start}`
}

/** Decodes and summarises both directions. */
export function story(
  conversation: Conversation,
  options: DecodeOptions = {},
): { request: string[]; response: string[] } {
  const { request, response } = decode(conversation.steps, options)
  return { request: summary(request), response: summary(response) }
}

/** A request with a Host, and a Content-Length where it has a body. */
export function request(line: string, body = '', ...fields: string[]): string {
  const length = body === '' ? [] : [`Content-Length: ${body.length}`]
  return `${[`${line} HTTP/1.1`, 'Host: shop.example', ...fields, ...length].join('\r\n')}\r\n\r\n${body}`
}

/** A response with a Content-Length. */
export function response(status: number, body = '', ...fields: string[]): string {
  return `${[`HTTP/1.1 ${status} Reason`, ...fields, `Content-Length: ${body.length}`].join('\r\n')}\r\n\r\n${body}`
}

/** The same steps with their bytes cut at every place where `cut` says so; offsets and acknowledgements stay true. */
export function split(steps: readonly Step[], cut: (offset: number, direction: Direction) => boolean): Step[] {
  return steps.flatMap((step) => {
    if (step.kind !== 'data') return [step]
    const pieces: Step[] = []
    let from = 0
    for (let at = 1; at <= step.bytes.length; at++) {
      if (at < step.bytes.length && !cut(step.offset + at, step.direction)) continue
      pieces.push({ ...step, offset: step.offset + from, bytes: step.bytes.subarray(from, at) })
      from = at
    }
    return pieces
  })
}

/** Joins neighbours of one direction that were sent with the same knowledge: fewer, larger pushes. */
export function joinSteps(steps: readonly Step[]): Step[] {
  const joined: Step[] = []
  for (const step of steps) {
    const last = joined.at(-1)
    const same =
      step.kind === 'data' &&
      last?.kind === 'data' &&
      last.direction === step.direction &&
      last.acknowledged === step.acknowledged
    if (same) joined[joined.length - 1] = { ...last, bytes: concatBytes([last.bytes, step.bytes]) }
    else joined.push(step)
  }
  return joined
}
