import type { OpaqueReason } from '../protocol.ts'
import { responseFraming } from './framing.ts'
import type { HeadReader } from './head-reader.ts'
import type { OpenRequest, Pairing } from './pairing.ts'
import { recogniseMidStream } from './first-bytes.ts'
import { LOST, LOST_FOREVER, WAIT } from './stream-owner.ts'
import type { Continuation, HeadPlace, MessageVerdict, StreamOwner, Verdict } from './stream-owner.ts'

/** Finds the request that each response of a connection answers. */
export class ResponseOwner implements StreamOwner {
  readonly #pairing: Pairing
  #tunnelAfter = false

  constructor(pairing: Pairing) {
    this.#pairing = pairing
  }

  judgeFirst(bytes: Uint8Array, final: boolean): 'wait' | 'resync' | { readonly opaque: OpaqueReason } {
    const server = recogniseMidStream(bytes) ?? (final ? 'http1' : undefined)
    if (server === undefined) return 'wait'
    if (server === 'http1') return 'resync'
    this.#pairing.foreign = server
    return { opaque: server }
  }

  judgeHead(head: HeadReader, place: HeadPlace): Verdict {
    const verdict = this.#match(place)
    this.#wait(verdict === WAIT ? place.acknowledged : -1)
    if (!('outcome' in verdict)) return verdict
    const request = verdict
    const { message } = request
    if (head.status === 101 && !request.upgrade) return { kind: 'undecodable', message, reason: 'unasked-upgrade' }
    if (head.status < 200 && head.status !== 101) {
      this.#pairing.passTo(request)
      return messageOf(message, true, 0)
    }
    const tunnel = tunnelOf(head.status, request)
    const framing = tunnel === undefined ? responseFraming(head, request.method === 'HEAD') : 0
    if (typeof framing === 'string') return { kind: 'undecodable', message, reason: framing }
    this.#tunnelAfter = tunnel !== undefined
    this.#pairing.tunnel = tunnel
    this.#pairing.answer(request, tunnel === undefined ? 'answered' : 'tunnel', place.start + head.length)
    return messageOf(message, false, framing)
  }

  judgeFault(head: HeadReader, _bytes: Uint8Array, final: boolean): Verdict {
    const { oldest } = this.#pairing
    if (oldest === undefined && this.#mayWait(final)) return WAIT
    return { kind: 'undecodable', message: oldest?.message, reason: head.fault }
  }

  /** A gap may have taken an interim response's rest and the final one's head: only a known final status names its request. */
  judgeCut(head: HeadReader, place: HeadPlace, _bytes: Uint8Array, how: 'gap' | 'close'): Verdict {
    const verdict = this.#match(place)
    if (!('outcome' in verdict)) return verdict === WAIT && how === 'gap' ? LOST : verdict
    const final = head.started && (head.status >= 200 || head.status === 101)
    if (!final && how === 'gap') return LOST
    if (!final && head.started) return messageOf(verdict.message, true, 0)
    this.#pairing.answer(verdict, 'answered', place.start)
    return messageOf(verdict.message, false, 0)
  }

  sawRefusal(): boolean {
    return false
  }

  answeredBefore(): boolean {
    return false
  }

  messageEnded(_message: number, offset: number): Continuation {
    this.#pairing.responseEnded(offset)
    const { tunnel } = this.#pairing
    return this.#tunnelAfter && tunnel !== undefined ? { opaque: tunnel } : 'next'
  }

  unblock(): Continuation {
    return 'next'
  }

  messagesLost(_from: number, to: number): 'resync' | 'lost' {
    this.#wait(-1)
    this.#pairing.responsesLost(to)
    return this.#pairing.unprovable ? 'lost' : 'resync'
  }

  streamOver(): void {
    this.#pairing.endResponses()
  }

  /** The request that a head at this place answers; else the verdict on a response that answers none. */
  #match(place: HeadPlace): OpenRequest | Verdict {
    const pairing = this.#pairing
    const mayWait = this.#mayWait(place.final)
    if (place.resynced && mayWait && pairing.requestOffset < place.acknowledged) return WAIT
    const found = place.resynced
      ? pairing.matchByPosition(place.start, place.acknowledged)
      : pairing.matchNext(place.start, place.acknowledged)
    if (typeof found !== 'string') return found
    if (found === 'unprovable') {
      pairing.unprovable = true
      pairing.endResponses()
      return LOST_FOREVER
    }
    if (pairing.oldest === undefined && mayWait) return WAIT
    if (found === 'lost') return LOST
    const reason = pairing.requests === 'undecodable' ? 'peer-undecodable' : 'response-without-request'
    return { kind: 'undecodable', message: undefined, reason }
  }

  #mayWait(final: boolean): boolean {
    return this.#pairing.requests === 'open' && !this.#pairing.requestsBlocked && !final
  }

  /** A request whose body may have been refused looks at what the server had received when it answered again. */
  #wait(acknowledged: number): void {
    if (this.#pairing.waitingAcknowledged === acknowledged) return
    this.#pairing.waitingAcknowledged = acknowledged
    this.#pairing.version++
  }
}

function tunnelOf(status: number, request: OpenRequest): 'upgrade' | 'connect' | undefined {
  if (status === 101) return 'upgrade'
  return request.method === 'CONNECT' && status >= 200 && status < 300 ? 'connect' : undefined
}

function messageOf(message: number, interim: boolean, framing: number): MessageVerdict {
  return { kind: 'message', message, interim, framing, refusable: false }
}
