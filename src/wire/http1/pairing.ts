import type { OpaqueReason } from '../protocol.ts'

/** A request that was named and whose final response is still to come. */
export interface OpenRequest {
  readonly message: number
  /** Offset of its first byte in the request stream. */
  readonly start: number
  /** How many bytes of the response stream its client had received when it sent that byte. */
  readonly acknowledged: number
  readonly method: 'HEAD' | 'CONNECT' | 'other'
  /** It asked for another protocol, or (a cut head) may have. */
  readonly upgrade: boolean
  /** Where in the request stream requests before it may have been lost, since the last that was named; -1: nowhere. */
  readonly lostFrom: number
  /** What is known of its answer: `lost` in a gap; `dead`: it will never be read. */
  outcome: 'open' | 'answered' | 'tunnel' | 'lost' | 'dead'
}

/**
 * Which request a response answers, and what else one direction must know of the other. Responses come in the order of
 * requests (RFC 9112 9.3.2), so while nothing is lost it is the oldest unanswered one. After a loss it is proved by position,
 * never by count: a response that begins at offset S answers no request that was sent when its client had received more than
 * S bytes, and none that the server had not received. On a connection whose client never sent a request before the response to
 * the last was complete, that leaves one: the last that qualifies. Where the client pipelined, it proves nothing.
 */
export class Pairing {
  #open: OpenRequest[] = []
  #first = 0
  #lastAcknowledged: number
  #lastResponseEnd = 0
  #pipelined = false
  /** A gap came since the last request that was named. */
  #gapBefore = false
  /** Where the last loss of responses ended. */
  #lossEnd = 0

  /** Counts what may let the other direction go on. */
  version = 0
  /** The client speaks HTTP/1: until that is known, nothing is said about its server's bytes. */
  recognised = false
  /** Will more requests be named? */
  requests: 'open' | 'ended' | 'undecodable' = 'open'
  /** Where requests may have been lost since the last that was named; -1: nowhere. */
  lostFrom: number
  /** The request stream waits for the answer to its last request. */
  requestsBlocked = false
  /** Offset in the request stream up to which it is decoded. */
  requestOffset = 0
  /** No more responses will be paired. */
  responsesOver = false
  /** After a loss among pipelined requests no response can be paired for the rest of the connection. */
  unprovable = false
  /** Both directions are another protocol's, from the first byte or from the end of the messages that agreed on it. */
  foreign: OpaqueReason | undefined
  tunnel: OpaqueReason | undefined
  /** The request whose response was last found, and where the head of that response ends. */
  lastAnswered = -1
  lastHeadEnd = 0
  /** What the server had received when it sent the response head that waits for its request; -1: none waits. */
  waitingAcknowledged = -1

  constructor(midStream: boolean) {
    this.#lastAcknowledged = midStream ? -1 : 0
    this.lostFrom = midStream ? 0 : -1
    this.recognised = midStream
  }

  get size(): number {
    return this.#open.length - this.#first
  }

  get oldest(): OpenRequest | undefined {
    return this.#open[this.#first]
  }

  /** A request was named. */
  add(request: OpenRequest): void {
    const { acknowledged } = request
    if ((this.size > 0 || this.#gapBefore) && acknowledged <= this.#lastAcknowledged) this.#pipelined = true
    if (acknowledged < this.#lastResponseEnd) this.#pipelined = true
    this.#lastAcknowledged = acknowledged
    this.lostFrom = -1
    this.#gapBefore = false
    this.version++
    if (this.responsesOver) request.outcome = 'dead'
    else this.#open.push(request)
    if (acknowledged < this.#lossEnd && request.outcome === 'open') request.outcome = 'lost'
  }

  /** The request that a response after an unbroken stream of them answers. */
  matchNext(start: number, acknowledged: number): OpenRequest | 'none' | 'lost' | 'unprovable' {
    const request = this.oldest
    if (request === undefined) return this.lostFrom < 0 ? 'none' : 'lost'
    if (request.lostFrom < 0) return request.acknowledged <= start ? request : 'none'
    if (request.acknowledged > start || notReceived(request, acknowledged)) return 'lost'
    return this.#pipelined ? 'unprovable' : request
  }

  /** The request that a response after a loss of responses answers, by position. */
  matchByPosition(start: number, acknowledged: number): OpenRequest | 'lost' | 'unprovable' {
    let index = this.#first
    for (; index < this.#open.length; index++) {
      const request = this.#open[index]
      if (request === undefined || request.acknowledged > start || notReceived(request, acknowledged)) break
    }
    const last = this.#open[index - 1]
    if (last === undefined || index === this.#first) return 'lost'
    // A request that was lost after it may be the one that is answered, unless the server had received nothing of it.
    const lostFrom = this.#open[index]?.lostFrom ?? this.lostFrom
    if (lostFrom >= 0 && (acknowledged <= 0 || acknowledged > lostFrom)) return 'lost'
    return this.#pipelined && (index - this.#first > 1 || last.lostFrom >= 0) ? 'unprovable' : last
  }

  /** A response to `request` was found: requests before it lost theirs. */
  passTo(request: OpenRequest): void {
    while (this.oldest !== undefined && this.oldest !== request) {
      this.oldest.outcome = 'lost'
      this.#first++
    }
  }

  /** The final response to `request` was found. */
  answer(request: OpenRequest, outcome: 'answered' | 'tunnel', headEnd: number): void {
    this.passTo(request)
    this.#first++
    request.outcome = outcome
    this.requestsBlocked = false
    this.lastAnswered = request.message
    this.lastHeadEnd = headEnd
    this.version++
    if (this.#first < 64 || this.#first * 2 < this.#open.length) return
    this.#open = this.#open.slice(this.#first)
    this.#first = 0
  }

  /** A response ended at `offset`: a next request that was sent before that was pipelined. */
  responseEnded(offset: number): void {
    this.#lastResponseEnd = offset
    const next = this.oldest
    if (next !== undefined && next.acknowledged < offset) this.#pipelined = true
  }

  /** Requests may be lost in a gap that begins at `from`. */
  requestsLost(from: number): void {
    if (this.lostFrom < 0) this.lostFrom = from
    this.#gapBefore = true
    this.version++
  }

  /** Responses may be lost in a gap up to `lossEnd`: who waits for one to know how its stream goes on waits no longer. */
  responsesLost(lossEnd: number): void {
    this.#lossEnd = lossEnd
    this.#settleAll('lost')
  }

  /** No response will be paired from here on. */
  endResponses(): void {
    this.responsesOver = true
    this.#settleAll('dead')
    this.#open = []
    this.#first = 0
  }

  #settleAll(outcome: 'lost' | 'dead'): void {
    this.requestsBlocked = false
    for (let index = this.#first; index < this.#open.length; index++) {
      const request = this.#open[index]
      if (request !== undefined && request.outcome === 'open') request.outcome = outcome
    }
    this.version++
  }
}

/** A server answers only what it has begun to receive. 0: the source does not know what it had received. */
function notReceived(request: OpenRequest, acknowledged: number): boolean {
  return acknowledged > 0 && request.start >= acknowledged
}
