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

/** What a client has prepared and bound in its session, as far as the overlay did not refuse it. */
export class StatementStore {
  readonly #statements = new Map<string, PreparedStatement>()

  prepared(name: string): PreparedStatement | undefined {
    return this.#statements.get(name)
  }

  prepare(name: string, statement: PreparedStatement): void {
    this.#statements.set(name, statement)
  }

  close(name: string): void {
    this.#statements.delete(name)
  }

  clear(): void {
    this.#statements.clear()
  }
}
