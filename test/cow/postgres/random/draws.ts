import type { Random } from '../../../../src/core/random.ts'

/** One thing that a client does. */
export interface Step {
  readonly text: string
  /** `simple`: one Query message. `extended`: unnamed. `named`: prepared under a name that lasts. */
  readonly protocol: 'simple' | 'extended' | 'named'
  readonly values?: readonly (string | null)[]
  /** What COPY .. FROM STDIN is given. */
  readonly rows?: string
}

export type Draw = () => string

/** What statements are drawn from. */
export class Draws {
  readonly #random: Random

  /** Where all tables are. */
  readonly schema: string

  constructor(random: Random, schema: string) {
    this.#random = random
    this.schema = schema
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  pick<T>(choices: readonly T[]): T {
    const [chosen] = choices.slice(this.below(choices.length))
    if (chosen === undefined) throw new Error('nothing to pick from')
    return chosen
  }

  id(): number {
    return this.below(40)
  }

  code(): string {
    return this.pick([`'code${this.below(16)}'`, `'fresh${this.below(8)}'`, 'NULL'])
  }

  condition(table: string, alias = ''): string {
    const prefix = alias === '' ? '' : `${alias}.`
    const key = `${prefix}${table === 'd' ? 'a' : 'id'}`
    return this.pick([
      () => `${key} = ${this.id()}`,
      () => `${key} IN (${this.id()}, ${this.id()}, ${this.id()})`,
      () => `${key} BETWEEN ${this.id()} AND ${this.id()}`,
      () => `${key} % 7 = ${this.below(7)}`,
    ])()
  }
}
