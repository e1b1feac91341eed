import type { KnownText } from '../branch/known-texts.ts'
import type { TextPlan } from '../branch/text-plan.ts'

/** A statement that a client has prepared on the wire, by its name ('' for the unnamed one). */
export interface PreparedStatement {
  readonly plan: TextPlan
  /** What the client said of its parameters' types; 0 where it left them to the server. */
  readonly statedTypes: readonly number[]
  /** What the server found the types to be, once it was asked. */
  parameterTypes: readonly number[] | undefined
  /** The overlay has parsed it, or is known to take it. */
  confirmed?: boolean
  /** The Parse that the overlay was spared so far. */
  deferred?: Uint8Array | undefined
  /** What the overlay said of this text before. */
  known?: KnownText | undefined
}

/** Takes back what a message did to the store that turned out to have failed, or to be skipped. */
export type Undo = (how: 'failed' | 'skipped') => void

/** What a client has prepared in its session, as far as the overlay did not refuse it. */
export class StatementStore {
  readonly #statements = new Map<string, PreparedStatement>()

  prepared(name: string): PreparedStatement | undefined {
    return this.#statements.get(name)
  }

  /** A Parse that fails takes an unnamed statement with it, but leaves a named one as it was. */
  prepare(name: string, statement: PreparedStatement): Undo {
    const before = this.#statements.get(name)
    this.#statements.set(name, statement)
    return (how) => {
      if (this.#statements.get(name) === statement)
        this.#restore(name, name === '' && how === 'failed' ? undefined : before)
    }
  }

  close(name: string): Undo {
    const before = this.#statements.get(name)
    this.#statements.delete(name)
    return () => {
      if (!this.#statements.has(name)) this.#restore(name, before)
    }
  }

  clear(): void {
    this.#statements.clear()
  }

  #restore(name: string, statement: PreparedStatement | undefined): void {
    if (statement === undefined) this.#statements.delete(name)
    else this.#statements.set(name, statement)
  }
}
