import type { ExchangeSource } from './exchange-source.ts'
import type { ExchangeDraft } from './intake.ts'

/** A source of exchanges of which the first was read already: its origin is known before a recording is opened. */
export class PrimedExchanges implements ExchangeSource {
  readonly #source: ExchangeSource
  readonly #first: IteratorResult<ExchangeDraft, unknown>
  readonly #rest: AsyncIterator<ExchangeDraft>

  private constructor(
    source: ExchangeSource,
    first: IteratorResult<ExchangeDraft, unknown>,
    rest: AsyncIterator<ExchangeDraft>,
  ) {
    this.#source = source
    this.#first = first
    this.#rest = rest
  }

  /** Reads the first exchange; waits for it where the source is live. */
  static async of(
    source: ExchangeSource,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<PrimedExchanges> {
    const rest = source.exchanges(signal)[Symbol.asyncIterator]()
    return new PrimedExchanges(source, await rest.next(), rest)
  }

  get originUnixNs(): bigint {
    return this.#source.originUnixNs
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#source.counts
  }

  async *exchanges(signal: AbortSignal): AsyncIterable<ExchangeDraft> {
    let next = this.#first
    while (next.done !== true && !signal.aborted) {
      yield next.value
      next = await this.#rest.next()
    }
    await this.#rest.return?.()
  }
}
