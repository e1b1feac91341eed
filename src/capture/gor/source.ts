import type { ExchangeSource } from '../exchange-source.ts'
import type { ExchangeDraft } from '../intake.ts'
import { GorPairing } from './pair.ts'
import { GorRecordParser } from './record-parser.ts'

/** Exchanges of a gor stream: a file (plain; whoever opens it inflates) or what GoReplay's `--output-tcp` sends. */
export class GorSource implements ExchangeSource {
  readonly #bytes: AsyncIterable<Uint8Array>
  readonly #parser = new GorRecordParser()
  readonly #pairing: GorPairing

  constructor(bytes: AsyncIterable<Uint8Array>, maxBodyBytes: number) {
    this.#bytes = bytes
    this.#pairing = new GorPairing(maxBodyBytes)
  }

  get originUnixNs(): bigint {
    return this.#pairing.originUnixNs
  }

  get counts(): ReadonlyMap<string, number> {
    const counts = new Map(this.#pairing.counts)
    if (this.#parser.malformed > 0) counts.set('bytes.malformed', this.#parser.malformed)
    return counts
  }

  async *exchanges(signal: AbortSignal): AsyncIterable<ExchangeDraft> {
    for await (const bytes of this.#bytes) {
      if (signal.aborted) break
      for (const record of this.#parser.push(bytes)) yield* this.#pairing.take(record)
    }
    for (const record of this.#parser.end()) yield* this.#pairing.take(record)
    yield* this.#pairing.end()
  }
}
