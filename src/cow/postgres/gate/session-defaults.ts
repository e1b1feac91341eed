import type { CatalogQuery } from './catalog-query.ts'
import { type GateLimits, sessionParameters } from './options.ts'
import { REPLAYED_SETTINGS } from './settings.ts'

/** Of these each connection says something else. */
const OTHERS: ReadonlySet<string> = new Set(['application_name', 'client_encoding', 'search_path'])

const NAMES = [...REPLAYED_SETTINGS].filter((name) => !OTHERS.has(name)).map((name) => `'${name}'`)

/**
 * Runs under the role's own search_path, which may have operators of a user's. Of that path the schemas that are there: in one that is made
 * later, names would be found that mean something else.
 */
const DEFAULTS = `
  SELECT s.name, s.reset_val FROM pg_catalog.pg_settings s
  WHERE pg_catalog.lower(s.name) OPERATOR(pg_catalog.=) ANY (ARRAY[${NAMES.join(', ')}])
  UNION ALL
  SELECT 'search_path', coalesce(pg_catalog.string_agg(pg_catalog.quote_ident(p.name), ', ' ORDER BY p.place), '')
  FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY AS p (name, place)`

/**
 * How every connection to production is set up. What the role's settings are when the gate is opened is said of each connection from
 * then on: were they changed there, the same text would be answered with other rows, or other texts of values, without anybody being told.
 */
export class SessionDefaults {
  readonly #limits: GateLimits
  #kept: Readonly<Record<string, string>> = {}

  constructor(limits: GateLimits) {
    this.#limits = limits
  }

  get parameters(): Readonly<Record<string, string>> {
    return { ...this.#kept, ...sessionParameters(this.#limits) }
  }

  /**
   * Asks a connection that was set up without. `isGuarded`: policies hide rows from the role, as its owner knows; from one that sees all
   * rows now, none are to be hidden later without an error (42501).
   */
  async learn(query: CatalogQuery, isGuarded: boolean): Promise<void> {
    const { rows } = await query(DEFAULTS)
    const kept = new Map(rows.map(([name, value]) => [name ?? '', value ?? '']))
    if (!isGuarded) kept.set('row_security', 'off')
    this.#kept = Object.fromEntries(kept)
  }
}
