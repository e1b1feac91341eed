/** Which calls make a predicate give other rows, or do something, when it is asked twice. */
import { SAFE_FUNCTIONS, TRANSACTION_CLOCKS } from './allow-list.ts'
import type { RewriteFacts } from './rewriting.ts'
import type { Statement } from './statement.ts'
import { type FunctionUse, type TextRange, usesIn } from './mention.ts'

/**
 * Builtin functions outside the allow-list of lanes that may be asked again on the client's own backend. The clocks are
 * here: a probe that reads one a moment earlier is the statement run a moment earlier.
 */
const REPEATABLE: ReadonlySet<string> = new Set([
  ...TRANSACTION_CLOCKS,
  'clock_timestamp',
  'timeofday',
  'current_database',
  'current_schema',
  'current_schemas',
  'current_setting',
  'pg_backend_pid',
  'currval',
  'lastval',
  'col_description',
  'obj_description',
  'pg_column_size',
  'pg_typeof',
  'to_regclass',
  'txid_current_if_assigned',
  'version',
])

/** Volatile, but asking twice does no harm: a value is lost that nobody has seen. */
const FRESH_VALUES: ReadonlySet<string> = new Set([
  'nextval',
  'random',
  'gen_random_uuid',
  'uuidv4',
  'uuidv7',
  'uuid_generate_v1',
  'uuid_generate_v1mc',
  'uuid_generate_v4',
])

export type Volatility = 'repeatable' | 'fresh' | 'volatile'

/** What asking a function again means. Unknown functions are volatile unless the facts say otherwise. */
export function volatilityOf(use: FunctionUse, facts: RewriteFacts): Volatility {
  const own = use.schema === undefined || use.schema === 'pg_catalog'
  if (own && (SAFE_FUNCTIONS.has(use.name) || REPEATABLE.has(use.name))) return 'repeatable'
  if (FRESH_VALUES.has(use.name)) return 'fresh'
  const known = facts.volatility?.({ schema: use.schema, name: use.name })
  return known === 'i' || known === 's' ? 'repeatable' : 'volatile'
}

/** The calls in a part of the text that are not repeatable. */
export function volatileIn(statement: Statement, range: TextRange, facts: RewriteFacts): readonly FunctionUse[] {
  return usesIn(statement.functions, range).filter((use) => volatilityOf(use, facts) !== 'repeatable')
}

export function inside(position: number, range: TextRange): boolean {
  return position >= range.start && position < range.end
}
