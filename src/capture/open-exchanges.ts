import { HeldExchange, type HeldExchangeOwner } from './held-exchange.ts'

/**
 * The exchanges of one connection that still expect something, in the order of their requests. Usually one.
 */
export class OpenExchanges {
  readonly #owner: HeldExchangeOwner
  readonly #open: HeldExchange[] = []

  constructor(owner: HeldExchangeOwner) {
    this.#owner = owner
  }

  /** A new exchange; its number is above those of all before, or it is put in its place. */
  begin(position: number): HeldExchange {
    const held = new HeldExchange(this.#owner, position)
    let place = this.#open.length
    while (place > 0 && (this.#open[place - 1]?.position ?? -1) > position) place--
    if (place === this.#open.length) this.#open.push(held)
    else this.#open.splice(place, 0, held)
    return held
  }

  /** The exchange that is about its request now: the newest ones are asked first. */
  ofRequest(position: number): HeldExchange | undefined {
    for (let index = this.#open.length - 1; index >= 0; index--) {
      const held = this.#open[index]
      if (held?.position === position) return held
    }
    return undefined
  }

  /** The exchange that is about its response now: the oldest ones are asked first. */
  ofResponse(position: number): HeldExchange | undefined {
    for (const held of this.#open) {
      if (held.position === position) return held
      if (held.position > position) return undefined
    }
    return undefined
  }

  /** Exchanges that a response to `position` has overtaken: servers answer in order, so their responses were lost. */
  overtakenBy(position: number): readonly HeldExchange[] {
    const first = this.#open[0]
    if (first === undefined || first.position >= position) return NONE
    return this.#open.filter((held) => held.position < position)
  }

  remove(held: HeldExchange): void {
    const last = this.#open.length - 1
    if (this.#open[last] === held) {
      this.#open.pop()
      return
    }
    if (this.#open[0] === held) {
      this.#open.shift()
      return
    }
    const place = this.#open.indexOf(held)
    if (place >= 0) this.#open.splice(place, 1)
  }

  get empty(): boolean {
    return this.#open.length === 0
  }

  /** All of them, as a copy: whoever walks it may remove. */
  all(): readonly HeldExchange[] {
    return [...this.#open]
  }
}

const NONE: readonly HeldExchange[] = []
