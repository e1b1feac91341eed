import type { DescriptionMap } from '../branch/description-map.ts'
import type { RowSink } from '../gate/upstream-statement.ts'
import type { ClientOutput } from './client-output.ts'

/** What a client gets of a passed statement's description. */
export type DescriptionUse = 'sent' | 'checked'

/** Streams production's rows to the client, in whose terms columns are described. */
export class ClientSink implements RowSink {
  readonly #output: ClientOutput
  readonly #map: DescriptionMap
  readonly #text: string
  readonly #use: DescriptionUse
  /** Held with the description. */
  #bindComplete: Uint8Array | undefined
  /** Held until the first row or the end: a statement whose connection had died is begun once more. */
  #description: Uint8Array | undefined
  #isUnknown = false
  #hasRows = false

  /** `bindComplete`: what the client gets for its Bind, where that is still to be answered. */
  constructor(
    output: ClientOutput,
    map: DescriptionMap,
    text: string,
    use: DescriptionUse,
    bindComplete: Uint8Array | undefined,
  ) {
    this.#output = output
    this.#map = map
    this.#text = text
    this.#use = use
    this.#bindComplete = bindComplete
  }

  /** Production's columns are not those that the overlay knows: nothing was given to the client. */
  get isUnknown(): boolean {
    return this.#isUnknown
  }

  get hasRows(): boolean {
    return this.#hasRows
  }

  description(bytes: Uint8Array): void {
    this.#description = this.#map.map(this.#text, bytes)
    this.#isUnknown = this.#description === undefined
  }

  rows(bytes: Uint8Array): boolean {
    if (this.#isUnknown) return true
    if (!this.#hasRows) this.begin()
    this.#hasRows = true
    this.#output.append(bytes)
    return !this.#output.isFull
  }

  whenReady(): Promise<void> {
    return this.#output.whenDrained()
  }

  /** Tells the client that the statement is bound, and describes it, where that is still to be done. */
  begin(): void {
    if (this.#bindComplete !== undefined) this.#output.append(this.#bindComplete)
    this.#bindComplete = undefined
    if (this.#description !== undefined && this.#use === 'sent') this.#output.append(this.#description)
    this.#description = undefined
  }
}
