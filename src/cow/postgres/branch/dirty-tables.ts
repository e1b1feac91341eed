import type { PgErrorFields } from '../../../wire/postgres/error-fields.ts'
import { touchedColumn, touchedName } from '../overlay/names.ts'
import { REPORTED_KEYS } from '../overlay/registry.ts'
import { rowsOf } from '../overlay/rows.ts'
import type { ServerConnection } from '../server-connection.ts'

/** Keys that are remembered for one table: a megabyte. Of a table with more, lookups by key go to the overlay too. */
const MAX_KEYS = REPORTED_KEYS

/** SQLSTATE of the notices in which the overlay's triggers tell what was touched. */
const TOUCHED = 'MSH01'

/** `mesh touched 7` */
const TOUCHED_MESSAGE = /^mesh touched (\d+)$/

/** The text of each key column's value. */
export type RowKey = readonly string[]

/**
 * Which rows of which tables may differ from production's: a superset, for it is told before a change is seen, and what is rolled back
 * stays marked. Marks are never taken away: a table that was dirty once is read through the overlay.
 */
export class DirtyTables {
  readonly #tables = new Map<number, Set<string> | 'many'>()

  /** Some row of the table may differ. */
  isDirty(id: number): boolean {
    return this.#tables.has(id)
  }

  /** The row with this key may differ. */
  isTouched(id: number, key: RowKey): boolean {
    const keys = this.#tables.get(id)
    if (keys === undefined) return false
    return keys === 'many' || keys.has(memberOf(key))
  }

  /** `*`: any row of the table. */
  mark(id: number, keys: readonly RowKey[] | '*'): void {
    const known = this.#tables.get(id) ?? new Set<string>()
    if (known === 'many') return
    if (keys === '*') {
      this.#tables.set(id, 'many')
      return
    }
    for (const key of keys) known.add(memberOf(key))
    this.#tables.set(id, known.size > MAX_KEYS ? 'many' : known)
  }

  /** Marks what a notice of the overlay tells; true where it was one of these. */
  notice({ code, message, detail }: PgErrorFields): boolean {
    if (code !== TOUCHED) return false
    const id = TOUCHED_MESSAGE.exec(message)?.[1]
    if (id !== undefined) this.mark(Number(id), readKeys(detail))
    return true
  }

  /** Marks what earlier runs have left in the branch. */
  async load(admin: ServerConnection): Promise<void> {
    const tables = rowsOf(await admin.query(TABLES))
    const questions = tables.map(([id, relation, places]) => {
      const touched = places === '0' ? `ONLY ${relation ?? ''}` : touchedName(Number(id))
      return `SELECT ${Number(id)}, ${Number(places)} WHERE EXISTS (SELECT 1 FROM ${touched})`
    })
    if (questions.length === 0) return
    for (const [id, places] of rowsOf(await admin.query(questions.join(' UNION ALL ')))) {
      if (places === '0') this.mark(Number(id), '*')
      else await this.#loadKeys(admin, Number(id), Number(places))
    }
  }

  async #loadKeys(admin: ServerConnection, id: number, places: number): Promise<void> {
    const columns = Array.from({ length: places }, (_, place) => `${touchedColumn(place)}::pg_catalog.text`)
    const rows = rowsOf(await admin.query(`SELECT ${columns.join(', ')} FROM ${touchedName(id)} LIMIT ${MAX_KEYS + 1}`))
    this.mark(
      id,
      rows.map((row) => row.map((value) => value ?? '')),
    )
  }
}

/** Tables of which nothing is to be known are left out: materialised views are not read past the overlay. */
const TABLES = `SELECT t.id, t.relation::regclass::text,
  CASE WHEN t.touched IS NULL THEN 0 ELSE pg_catalog.cardinality(t.key_numbers) END FROM mesh.tables t
  JOIN pg_catalog.pg_class c ON c.oid = t.relation WHERE t.kind <> 'matview'`

/** A detail that is not a list of keys says nothing of rows: all of them, then. */
function readKeys(detail: string | undefined): readonly RowKey[] | '*' {
  const json = detail?.startsWith('x') === true ? Buffer.from(detail.slice(1), 'hex').toString() : detail
  if (json === undefined || !json.startsWith('[')) return '*'
  try {
    const keys: unknown = JSON.parse(json)
    return Array.isArray(keys) && keys.every(isKey) ? keys : '*'
  } catch {
    return '*'
  }
}

function isKey(value: unknown): value is RowKey {
  return Array.isArray(value) && value.length > 0 && value.every((part) => typeof part === 'string')
}

function memberOf(key: RowKey): string {
  return key.length === 1 ? (key[0] ?? '') : JSON.stringify(key)
}
