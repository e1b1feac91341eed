import type { ExchangeSource } from './exchange-source.ts'
import type { ExchangeDraft } from './intake.ts'

/** A source of exchanges of which the first was read already: its origin is known before a recording is opened. */
export class PrimedExchanges implements ExchangeSource {
  readonly #source: ExchangeSource
  readonly #ending: AbortController
  readonly #first: IteratorResult<ExchangeDraft, unknown>
  readonly #rest: AsyncIterator<ExchangeDraft>

  private constructor(
    source: ExchangeSource,
    ending: AbortController,
    first: IteratorResult<ExchangeDraft, unknown>,
    rest: AsyncIterator<ExchangeDraft>,
  ) {
    this.#source = source
    this.#ending = ending
    this.#first = first
    this.#rest = rest
  }

  /** Reads the first exchange; waits for it where the source is live. */
  static async of(
    source: ExchangeSource,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<PrimedExchanges> {
    const ending = new AbortController()
    const rest = source.exchanges(AbortSignal.any([signal, ending.signal]))[Symbol.asyncIterator]()
    return new PrimedExchanges(source, ending, await rest.next(), rest)
  }

  get originUnixNs(): bigint {
    return this.#source.originUnixNs
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#source.counts
  }

  async *exchanges(signal: AbortSignal): AsyncIterable<ExchangeDraft> {
    const end = (): void => this.#ending.abort()
    if (signal.aborted) end()
    signal.addEventListener('abort', end, { once: true })
    try {
      for (let next = this.#first; next.done !== true; next = await this.#rest.next()) yield next.value
    } finally {
      signal.removeEventListener('abort', end)
      end()
      await this.#rest.return?.()
    }
  }
}
