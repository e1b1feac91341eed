import type { Exchange, LateResponse, Message, Response } from '../core/exchange.ts'

/** Late responses held at once, in bytes; exchanges whose response does not fit stay without. */
export const MAX_LATE_RESPONSE_BYTES: number = 64 * 1024 * 1024

/** What an entry costs besides its bytes, about. */
const ENTRY_BYTES = 400

/** Responses that were written after their exchanges, by the exchange's id: read first, joined when the exchange comes. */
export class LateResponses {
  readonly #byExchange = new Map<number, Response>()
  readonly #maxBytes: number
  #bytes = 0

  constructor(maxBytes: number = MAX_LATE_RESPONSE_BYTES) {
    this.#maxBytes = maxBytes
  }

  get isEmpty(): boolean {
    return this.#byExchange.size === 0
  }

  /** Keeps a copy of the response; false where there is no more room. */
  add({ exchangeId, response }: LateResponse): boolean {
    const bytes = ENTRY_BYTES + response.head.length + response.body.length + response.trailers.length
    if (this.#bytes + bytes > this.#maxBytes) return false
    this.#bytes += bytes
    this.#byExchange.set(exchangeId, copyResponse(response))
    return true
  }

  /** The exchange with its late response, or the exchange itself where it needs none or none is known. */
  join(exchange: Exchange): Exchange {
    if (exchange.response !== 'late') return exchange
    const response = this.#byExchange.get(exchange.id)
    return response === undefined ? exchange : { ...exchange, response }
  }
}

/** A copy with bytes of its own: a view would keep the whole chunk that it came in. */
function copyResponse(response: Response): Response {
  const copy: Pick<Message, 'head' | 'body' | 'trailers'> = {
    head: response.head.slice(),
    body: response.body.slice(),
    trailers: response.trailers.slice(),
  }
  return { ...response, ...copy }
}
