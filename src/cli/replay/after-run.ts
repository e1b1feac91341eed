import { type MeshError, toMeshError } from '../../core/errors.ts'
import type { Terminal } from '../terminal.ts'

/**
 * What is done when a run has been sent: nothing of it that fails may cost the rest of the result. Failures are said as they come, and the first of
 * them keeps the exit code from being 0.
 */
export class AfterRun {
  readonly #terminal: Terminal
  #lost: MeshError | undefined

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  /** The first failure. */
  get lost(): MeshError | undefined {
    return this.#lost
  }

  /** What the work gives; undefined where it failed. */
  async attempt<Result>(work: () => Result | Promise<Result>): Promise<Result | undefined> {
    try {
      return await work()
    } catch (thrown) {
      const error = toMeshError(thrown)
      this.#terminal.warn(`mesh: ${error.message} [${error.code}]`)
      this.#lost ??= error
      return undefined
    }
  }
}
