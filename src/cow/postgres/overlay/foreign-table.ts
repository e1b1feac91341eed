import { quoteName, quoteText } from './identifiers.ts'
import { baseName, tableName } from './names.ts'
import type { TableShape } from './table-shape.ts'

/** The foreign server's name in the overlay. */
export const SERVER_NAME = 'mesh_upstream'

/** What production calls a relation; the overlay's own name may change by a migration. */
export interface UpstreamName {
  readonly schema: string
  readonly name: string
}

/**
 * The base of a merged table: a foreign table whose columns name production's explicitly, so that a column renamed in
 * the overlay still finds its own. It is created as inheritance child, so constraints and generated columns follow.
 */
export function foreignTableSql(shape: TableShape, upstream: UpstreamName): string {
  const base = baseName(shape.id)
  const columns = shape.columns.map(
    ({ name, type, collation }) =>
      `${quoteName(name)} ${type} OPTIONS (column_name ${quoteText(name)})${collation === null ? '' : ` COLLATE ${collation}`}`,
  )
  const inherits = shape.kind === 'r' ? ` INHERITS (${tableName(shape)})` : ''
  const options = `schema_name ${quoteText(upstream.schema)}, table_name ${quoteText(upstream.name)}`
  // Its owner is the table's, whose migrations recurse to it; without any right to the schema it cannot be named by itself.
  return [
    `CREATE FOREIGN TABLE ${base} (${columns.join(', ')})${inherits} SERVER ${SERVER_NAME} OPTIONS (${options});`,
    `ALTER FOREIGN TABLE ${base} OWNER TO ${shape.owner};`,
  ].join('\n')
}

/** Where `postgres_fdw` connects: the gate's socket, or in tests a server's own. */
export interface GateAddress {
  readonly socketFolder: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password?: string
  /** Of which production may be sent functions, operators and types. Default: none. */
  readonly extensions?: ReadonlySet<string>
}

/** The foreign server and the one user mapping, for every role. */
export function foreignServerSql(gate: GateAddress): string {
  const options = [
    ...addressOptions(gate).map(([name, value]) => `${name} ${quoteText(value)}`),
    `updatable 'true'`,
    `truncatable 'false'`,
    `use_remote_estimate 'true'`,
    `fetch_size '1000'`,
    `keep_connections 'on'`,
    `extensions ${extensionList(gate)}`,
  ]
  return [
    `CREATE SERVER ${SERVER_NAME} FOREIGN DATA WRAPPER postgres_fdw OPTIONS (${options.join(', ')});`,
    `CREATE USER MAPPING FOR PUBLIC SERVER ${SERVER_NAME} OPTIONS (${mappingOptions(gate)});`,
  ].join('\n')
}

/** Points an overlay that was stopped at the gate of this run. */
export function repointSql(gate: GateAddress): string {
  const address = addressOptions(gate).map(([name, value]) => `SET ${name} ${quoteText(value)}`)
  return [
    // Of those that the overlay lacks, which is none where the branch is production's, it warns.
    `SET client_min_messages = error;`,
    `ALTER SERVER ${SERVER_NAME} OPTIONS (${[...address, `SET extensions ${extensionList(gate)}`].join(', ')});`,
    `RESET client_min_messages;`,
    `DROP USER MAPPING FOR PUBLIC SERVER ${SERVER_NAME};`,
    `CREATE USER MAPPING FOR PUBLIC SERVER ${SERVER_NAME} OPTIONS (${mappingOptions(gate)});`,
  ].join('\n')
}

/** Of postgres_fdw are the enums that `createMerge` adds to it. */
function extensionList({ extensions = new Set() }: GateAddress): string {
  return quoteText([...new Set(['postgres_fdw', ...extensions])].map(quoteName).join(', '))
}

function addressOptions(gate: GateAddress): [string, string][] {
  return [
    ['host', gate.socketFolder],
    ['port', String(gate.port)],
    ['dbname', gate.database],
  ]
}

function mappingOptions(gate: GateAddress): string {
  const password = gate.password === undefined ? [] : [`password ${quoteText(gate.password)}`]
  return [`user ${quoteText(gate.user)}`, ...password, `password_required 'false'`].join(', ')
}
