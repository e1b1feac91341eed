import { maskJson } from '../../../mask/json.ts'
import { Pseudonyms } from '../../../mask/pseudonym.ts'
import { compileRules } from '../../../mask/rules.ts'
import type { BranchTable } from './branch-table.ts'
import type { RowChange } from './row-change.ts'

/** Hides secrets in rows: values of columns that are named like one, and of such fields in JSON, as in bodies of recordings. */
export class RowMask {
  readonly #rules: ReturnType<typeof compileRules>
  readonly #pseudonyms: Pseudonyms

  /** `rules` as those of `--mask`. @throws MeshError MESH_ERR_USAGE for a key that is too short, or a rule that is none. */
  constructor(key: Uint8Array, rules: readonly string[]) {
    this.#rules = compileRules(rules)
    this.#pseudonyms = new Pseudonyms(key)
  }

  mask({ columns, key: keyColumns }: BranchTable, row: RowChange): RowChange {
    const names = columns.map(({ name }) => name)
    const json = (values: RowChange['before']): RowChange['before'] =>
      values?.map((value, place) => this.#json(names[place] ?? '', value))
    return {
      change: row.change,
      key: row.key.map((value, place) => this.text(keyColumns[place]?.name ?? '', value)),
      before: json(row.before),
      after: json(row.after),
      written: row.written?.map((value, place) => (value === null ? null : this.text(names[place] ?? '', value))),
    }
  }

  /** A value as PostgreSQL writes it. */
  text(column: string, value: string): string {
    if (this.#rules.field(column)) return this.#pseudonyms.maskValue(value)
    return value.startsWith('{') || value.startsWith('[') ? maskJson(value, this.#rules, this.#pseudonyms) : value
  }

  /** A column and its value are a field of JSON, and masked as one. */
  #json(column: string, value: string | null): string | null {
    if (value === null || value === 'null') return value
    const name = JSON.stringify(column)
    return maskJson(`${name}:${value}`, this.#rules, this.#pseudonyms).slice(name.length + 1)
  }
}
