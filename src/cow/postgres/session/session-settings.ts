import type { TransactionStatus } from '../../../wire/postgres/backend.ts'
import { COMPARED_SETTINGS } from '../branch/lane-knowledge.ts'
import { quoteText } from '../overlay/identifiers.ts'
import type { Statement } from '../sql/statement.ts'

/** Settings that change what a statement means, beside those that are replayed: with other values it runs on the overlay. */
const REQUIRED: Readonly<Record<string, string>> = {
  role: 'none',
  transaction_isolation: 'read committed',
  client_encoding: 'UTF8',
  standard_conforming_strings: 'on',
  array_nulls: 'on',
  transform_null_equals: 'off',
}

const READ = [
  ...Object.keys(REQUIRED),
  'search_path',
  'statement_timeout',
  'session_authorization',
  ...COMPARED_SETTINGS,
]

const TEMPORARY = `CASE WHEN pg_catalog.pg_my_temp_schema() <> 0::pg_catalog.oid THEN (SELECT pg_catalog.json_agg(c.relname)::pg_catalog.text
  FROM pg_catalog.pg_class c WHERE c.relnamespace = pg_catalog.pg_my_temp_schema()) END`

/** Asks a session's backend for its settings, and its temporary relations; one row. */
export const SESSION_SETTINGS_QUERY: string = `SELECT ${READ.map((name) => `pg_catalog.current_setting(${quoteText(name)})`).join(', ')}, ${TEMPORARY}`

/** The settings of a session at one moment. */
export interface KnownSettings {
  readonly values: ReadonlyMap<string, string>
  /** Every setting that production is not given has its usual value. */
  readonly usual: boolean
  /** 0: none. */
  readonly statementTimeoutMs: number
  readonly temporary: readonly string[]
}

/**
 * What a session's settings are, as far as that is known without asking: settings are changed by SET, and by any function, trigger or
 * procedure of a user. So they are asked for once, and again after any statement that might have changed them.
 */
export class SessionSettings {
  #known: KnownSettings | undefined
  /** A statement that might change settings has run in the transaction at hand. */
  #suspected = false

  /** Undefined: they have to be asked for. */
  get known(): KnownSettings | undefined {
    return this.#known
  }

  /** A statement that goes to the overlay. `harmless`: it calls nothing but functions of PostgreSQL that only compute. */
  note(statement: Statement | undefined, harmless: boolean): void {
    if (harmless) return
    if (statement?.detail.kind === 'transaction') {
      const { verb, isolation } = statement.detail.transaction
      // Settings go back to what they were.
      if (verb !== 'begin' && verb !== 'savepoint') {
        if (this.#suspected) this.#known = undefined
        return
      }
      if (isolation === undefined || isolation.toLowerCase() === 'read committed') return
    }
    this.#suspected = true
    this.#known = undefined
  }

  /** A statement that was noted before runs now, or goes on. */
  executes(): void {
    if (this.#suspected) this.#known = undefined
  }

  onStatus(status: TransactionStatus): void {
    if (!this.#suspected) return
    this.#known = undefined
    if (status === 'I') this.#suspected = false
  }

  /** Takes the row of `SESSION_SETTINGS_QUERY`. */
  learn(row: readonly (string | null)[]): void {
    const values: ReadonlyMap<string, string> = new Map(READ.map((name, place) => [name, row[place] ?? '']))
    this.#known = {
      values,
      usual: Object.entries(REQUIRED).every(([name, value]) => values.get(name) === value),
      statementTimeoutMs: milliseconds(values.get('statement_timeout') ?? '0'),
      temporary: readNames(row[READ.length]),
    }
  }
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 }

/** As PostgreSQL writes a setting of time: `0`, `250ms`, `30s`. */
function milliseconds(text: string): number {
  const [, digits, unit] = /^(\d+)([a-z]*)$/.exec(text) ?? []
  return Number(digits ?? 0) * (UNITS[unit ?? ''] ?? 1)
}

function readNames(json: string | null | undefined): readonly string[] {
  const names: unknown = JSON.parse(json ?? '[]')
  return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : []
}
