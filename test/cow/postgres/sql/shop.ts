/** A small catalogue for the rewriter's tests: what a shop's merged tables look like. */
import type { Catalog, MergedTable, ResolveRelation } from '../../../../src/cow/postgres/catalog.ts'
import { createCatalog } from '../../../../src/cow/postgres/catalog.ts'
import { analyse } from '../../../../src/cow/postgres/sql/analysis.ts'
import { rewrite } from '../../../../src/cow/postgres/sql/rewrite.ts'
import type { RewriteFacts, Rewriting } from '../../../../src/cow/postgres/sql/rewriting.ts'
import type { Statement } from '../../../../src/cow/postgres/sql/statement.ts'

type Columns = Readonly<Record<string, string>>

function table(id: number, name: string, columns: Columns, more: Partial<MergedTable> = {}): MergedTable {
  const typed = Object.entries(columns).map(([column, type]) => ({ name: column, type }))
  const key = typed.slice(0, 1)
  return {
    id,
    schema: 'public',
    name,
    kind: 'table',
    foreign: `mesh_base.b${id}`,
    keyColumns: key,
    columns: typed.map((column) => ({ ...column, generated: false, identity: '' as const })),
    uniques: [key.map((column) => column.name)],
    ...more,
  }
}

export const orders: MergedTable = table(
  1,
  'orders',
  {
    id: 'bigint',
    user_id: 'bigint',
    status: 'public.status',
    total: 'numeric(10,2)',
    created: 'timestamp with time zone',
  },
  {},
)
export const users: MergedTable = table(
  2,
  'Users',
  { id: 'uuid', email: 'text', name: 'character varying(20)', seen: 'integer' },
  {
    uniques: [['id'], ['email'], ['name', 'seen']],
    uniqueNames: ['users_pkey', 'users_email_key', 'users_name_seen_key'],
  },
)
export const jobs: MergedTable = table(3, 'jobs', { id: 'integer', state: 'text', created: 'timestamp with time zone' })
export const lines: MergedTable = table(
  4,
  'lines',
  { order_id: 'bigint', line: 'integer', sku: 'text', doubled: 'integer' },
  {
    keyColumns: [
      { name: 'order_id', type: 'bigint' },
      { name: 'line', type: 'integer' },
    ],
    uniques: [['order_id', 'line']],
    columns: [
      { name: 'order_id', type: 'bigint', generated: false, identity: '' },
      { name: 'line', type: 'integer', generated: false, identity: '' },
      { name: 'sku', type: 'text', generated: false, identity: '' },
      { name: 'doubled', type: 'integer', generated: true, identity: '' },
    ],
  },
)
export const events: MergedTable = table(
  5,
  'events',
  { at: 'timestamp with time zone', what: 'text' },
  { keyColumns: [], uniques: [] },
)
export const totals: MergedTable = table(6, 'totals', { day: 'date', sum: 'numeric' }, { kind: 'matview' })
export const settings: MergedTable = table(7, 'settings', { key: 'text', value: 'jsonb' })

export const shop: Catalog = createCatalog([orders, users, jobs, lines, events, totals, settings])

/** search_path is public; `scratch` is a temporary table, `open_orders` a view. */
export const resolve: ResolveRelation = ({ schema, name }) => {
  if (schema === undefined && name === 'scratch') return 'temporary'
  if (name === 'open_orders') return 'view'
  return shop.tables.get(`${schema ?? 'public'}.${name}`) ?? 'unknown'
}

/** The statements of a text that parses. */
export function statementsOf(text: string): readonly Statement[] {
  const parsed = analyse(text)
  if (parsed.failure) throw new Error(`${parsed.message} in ${text}`)
  return parsed.statements
}

export function statementOf(text: string): Statement {
  const [statement] = statementsOf(text)
  if (statement === undefined) throw new Error(`no statement in ${text}`)
  return statement
}

export function rewritten(text: string, facts: RewriteFacts = {}): Rewriting {
  return rewrite(statementOf(text), shop, resolve, facts)
}
