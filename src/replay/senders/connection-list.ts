import type { TargetConnection } from './target-connection.ts'

/** Connections in order of entry, linked through themselves: entering and leaving anywhere is O(1) and allocates nothing. */
export class ConnectionList {
  #first: TargetConnection | undefined
  #last: TargetConnection | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The one that entered first. */
  get first(): TargetConnection | undefined {
    return this.#first
  }

  get last(): TargetConnection | undefined {
    return this.#last
  }

  push(connection: TargetConnection): void {
    connection.previous = this.#last
    connection.next = undefined
    if (this.#last === undefined) this.#first = connection
    else this.#last.next = connection
    this.#last = connection
    this.#size++
  }

  remove(connection: TargetConnection): void {
    const { previous, next } = connection
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
    connection.previous = undefined
    connection.next = undefined
    this.#size--
  }
}
