import type { DecodeLimits, OpaqueReason } from '../protocol.ts'
import { startsWith } from './characters.ts'
import { recogniseClient, recogniseMidStream } from './first-bytes.ts'
import { requestFraming } from './framing.ts'
import type { HeadReader } from './head-reader.ts'
import type { OpenRequest, Pairing } from './pairing.ts'
import { mayBeginRequest, meansHttp } from './start-line.ts'
import { LOST } from './stream-owner.ts'
import type { Continuation, HeadPlace, StreamOwner, Verdict } from './stream-owner.ts'

/** Names the requests of a connection and tells the pairing of each. */
export class RequestOwner implements StreamOwner {
  readonly #pairing: Pairing
  readonly #limits: DecodeLimits
  readonly #midStream: boolean
  #nextMessage = 0
  #last: OpenRequest | undefined
  /** The head of the last request was cut: what follows is found anew. */
  #cut = false

  constructor(pairing: Pairing, limits: DecodeLimits, midStream: boolean) {
    this.#pairing = pairing
    this.#limits = limits
    this.#midStream = midStream
  }

  judgeFirst(bytes: Uint8Array, final: boolean): 'wait' | 'next' | 'resync' | { readonly opaque: OpaqueReason } {
    let client = this.#midStream ? recogniseMidStream(bytes) : recogniseClient(bytes)
    if (client === undefined && !final) return 'wait'
    client ??= this.#midStream || mayBeginRequest(bytes, 0, bytes.length) ? 'http1' : 'not-http'
    if (client === 'http1') return this.#midStream ? 'resync' : 'next'
    this.#pairing.foreign = client
    return { opaque: client }
  }

  judgeHead(head: HeadReader, place: HeadPlace): Verdict {
    this.#recognised()
    const framing = requestFraming(head)
    if (typeof framing === 'string') return this.#undecodable(framing, place)
    if (this.#pairing.size >= this.#limits.maxUnanswered) return this.#undecodable('too-many-unanswered', place)
    const message = this.#name(place, head.method, head.upgrade)
    return { kind: 'message', message, interim: false, framing, refusable: head.expect }
  }

  /** The first line of a connection decides whether it is HTTP at all; a line that means to be HTTP and fails is a fault. */
  judgeFault(head: HeadReader, bytes: Uint8Array): Verdict {
    const first = this.#nextMessage === 0 && head.startLineLength >= 0 && !head.started
    if (first && !meansHttp(bytes, 0, head.startLineLength)) {
      this.#pairing.foreign = 'not-http'
      return { kind: 'opaque', reason: 'not-http' }
    }
    this.#recognised()
    return { kind: 'undecodable', message: this.#nextMessage++, reason: head.fault }
  }

  /** A response to a cut head can be framed only if its method is known. */
  judgeCut(head: HeadReader, place: HeadPlace, bytes: Uint8Array): Verdict {
    this.#recognised()
    const method = head.started ? head.method : methodOf(bytes)
    const message = method === undefined ? this.#nextMessage++ : this.#name(place, method, true)
    if (method === undefined) this.#pairing.requestsLost(place.start)
    this.#cut = true
    return { kind: 'message', message, interim: false, framing: 0, refusable: false }
  }

  sawRefusal(message: number, acknowledged: number): boolean {
    return this.#pairing.lastAnswered === message && this.#pairing.lastHeadEnd <= acknowledged
  }

  answeredBefore(offset: number): boolean {
    const acknowledged = this.#pairing.waitingAcknowledged
    return acknowledged > 0 && acknowledged < offset
  }

  /** After CONNECT or a request to upgrade the next bytes are HTTP, or not, by the answer (RFC 9110 7.8, 9.3.6). */
  messageEnded(): Continuation {
    return this.#cut ? 'next' : this.unblock()
  }

  unblock(): Continuation {
    const request = this.#last
    if (request === undefined || !(request.upgrade || request.method === 'CONNECT')) return 'next'
    this.#block(request.outcome === 'open')
    switch (request.outcome) {
      case 'open':
        return 'block'
      case 'tunnel':
        return { opaque: this.#pairing.tunnel ?? 'upgrade' }
      case 'lost':
        return this.messagesLost(this.#pairing.requestOffset)
      case 'dead':
        if (request.method === 'CONNECT') return { undecodable: 'connect-unanswered' }
        break
      case 'answered':
        break
    }
    return 'next'
  }

  /** What follows a CONNECT whose answer is not known may be a tunnel, in which HTTP proves nothing. */
  messagesLost(from: number): 'resync' | 'lost' {
    this.#recognised()
    this.#block(false)
    this.#pairing.requestsLost(from)
    const request = this.#last
    if (request?.method !== 'CONNECT' || request.outcome === 'answered') return 'resync'
    this.#pairing.requests = 'ended'
    return 'lost'
  }

  streamOver(why: 'ended' | 'undecodable'): void {
    if (this.#pairing.foreign === undefined) this.#recognised()
    if (this.#pairing.requests === 'open') this.#pairing.requests = why
    this.#pairing.version++
  }

  #block(blocked: boolean): void {
    if (this.#pairing.requestsBlocked === blocked) return
    this.#pairing.requestsBlocked = blocked
    this.#pairing.version++
  }

  #recognised(): void {
    if (this.#pairing.recognised) return
    this.#pairing.recognised = true
    this.#pairing.version++
  }

  #undecodable(reason: string, place: HeadPlace): Verdict {
    return place.resynced ? LOST : { kind: 'undecodable', message: this.#nextMessage++, reason }
  }

  #name(place: HeadPlace, method: OpenRequest['method'], upgrade: boolean): number {
    const message = this.#nextMessage++
    const { start, acknowledged } = place
    const { lostFrom } = this.#pairing
    const request: OpenRequest = { message, start, acknowledged, method, upgrade, lostFrom, outcome: 'open' }
    this.#last = request
    this.#cut = false
    this.#pairing.add(request)
    return message
  }
}

/** The method that a cut request line begins with, as far as framing depends on it; undefined where too little came. */
function methodOf(bytes: Uint8Array): OpenRequest['method'] | undefined {
  if (startsWith(bytes, 0, bytes.length, 'HEAD ', false)) return bytes.length < 5 ? undefined : 'HEAD'
  if (startsWith(bytes, 0, bytes.length, 'CONNECT ', false)) return bytes.length < 8 ? undefined : 'CONNECT'
  return 'other'
}
