import type { DecodeEvent } from '../protocol.ts'

const NO_EVENTS: readonly DecodeEvent[] = Object.freeze([])

/** Collects the events of one call of a decoder. A call without events gives one shared empty list. */
export class EventSink {
  #events: DecodeEvent[] | undefined

  add(event: DecodeEvent): void {
    if (this.#events === undefined) this.#events = [event]
    else this.#events.push(event)
  }

  take(): readonly DecodeEvent[] {
    const events = this.#events
    if (events === undefined) return NO_EVENTS
    this.#events = undefined
    return events
  }
}
