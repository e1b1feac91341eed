import { baseMoveSql } from './base-move.ts'
import { copyUpSql } from './copy-up.ts'
import { foreignServerSql, foreignTableSql, type GateAddress } from './foreign-table.ts'
import { hidingPolicySql } from './hiding-policy.ts'
import { nameList, quoteText, textArray } from './identifiers.ts'
import { keyTableSql } from './key-table.ts'
import { baseName, tableName, touchedName } from './names.ts'
import { plainTriggers } from './plain-triggers.ts'
import { registrySql, selfSql } from './registry.ts'
import { textOf } from './rows.ts'
import type { SqlRunner } from './sql-runner.ts'
import { TableFamily } from './table-family.ts'
import { loadShapes, type TableShape } from './table-shape.ts'
import { touchReportSql } from './touch-report.ts'
import { faultInSql } from './triggers.ts'

/** What `createMerge` needs besides the superuser's connection to a cloned database. */
export interface MergeOptions {
  /** Where the overlay's foreign tables read production. */
  readonly gate: GateAddress
  /** How the overlay reaches itself, for copy-ups that are committed at once; undefined: they run in the client's transaction. */
  readonly self?: { readonly socketFolder: string; readonly port: number } | undefined
  /** Roots of partitioned tables, flattened by the clone, as `schema.name`. */
  readonly partitioned?: ReadonlySet<string>
  /** A second connection like the first: half of the tables are merged there, in about half of the time. */
  readonly helper?: SqlRunner
}

/** A merge that was made. */
export interface MergeReport {
  readonly tables: readonly {
    readonly id: number
    readonly schema: string
    readonly name: string
    readonly hasKey: boolean
  }[]
}

/** Types and expressions are printed, and names found, by this search_path. */
const BEGIN = `BEGIN; SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL client_min_messages = error; SET LOCAL check_function_bodies = off;`

/** Tables whose SQL is one query: long enough that round trips do not matter, short enough to be held parsed. */
const TABLES_PER_QUERY = 25
/** Fewer at first: meanwhile nothing else runs. */
const TABLES_OF_FIRST_QUERY = 5

/**
 * Turns a cloned schema into a merged one: registry and functions, foreign server, then for each table its base, key
 * table, policy, functions and triggers, in a handful of round trips. Nothing is asked of production. Where it fails the database is
 * of no use: the caller drops it.
 */
export async function createMerge(admin: SqlRunner, options: MergeOptions): Promise<MergeReport> {
  const { gate, self, partitioned = new Set(), helper } = options
  const shapes = await inTransaction(admin, async () => {
    await admin.query(`${registrySql()}\n${selfSql(self)}`)
    await admin.query(`${foreignServerSql(gate)}\n${shippableTypes()}`)
    return loadShapes(admin, await nextId(admin))
  })
  const family = new TableFamily(shapes)
  const runners = helper === undefined ? [admin] : [admin, helper]
  // What is made for one table asks nothing of the others: bodies of functions are looked at when they run.
  const shares = runners.map((runner, share) => {
    const own = shapes.filter((_, place) => place % runners.length === share)
    return inTransaction(runner, () => mergeTables(runner, own, family, partitioned))
  })
  await Promise.all(shares)
  await admin.query(
    `${BEGIN} DO $mesh$ DECLARE mesh_found record; BEGIN ${plainTriggers('mesh_found')} END $mesh$; COMMIT`,
  )
  return { tables: shapes.map(({ id, schema, name, key }) => ({ id, schema, name, hasKey: key.length > 0 })) }
}

/** The text of a query is made while the one before runs. */
async function mergeTables(
  runner: SqlRunner,
  shapes: readonly TableShape[],
  family: TableFamily,
  partitioned: ReadonlySet<string>,
): Promise<void> {
  let running: Promise<unknown> | undefined
  let count = TABLES_OF_FIRST_QUERY
  for (let first = 0; first < shapes.length; first += count, count = TABLES_PER_QUERY) {
    const few = shapes.slice(first, first + count)
    const text = few.map((shape) => mergeSql(shape, family, partitioned)).join('\n')
    await running
    running = runner.query(text)
  }
  await running
}

function mergeSql(shape: TableShape, family: TableFamily, partitioned: ReadonlySet<string>): string {
  return [
    shape.key.length === 0 ? '' : `${keyTableSql(shape)}\n${copyUpSql(shape)}`,
    foreignTableSql(shape, { schema: shape.schema, name: shape.name }),
    shape.kind === 'm' ? materializedView(shape) : ordinaryTable(shape, family),
    registration(shape, partitioned.has(`${shape.schema}.${shape.name}`)),
  ].join('\n')
}

async function inTransaction<T>(runner: SqlRunner, work: () => Promise<T>): Promise<T> {
  await runner.query(BEGIN)
  try {
    const result = await work()
    await runner.query('COMMIT')
    return result
  } catch (error) {
    await runner.query('ROLLBACK')
    throw error
  }
}

function ordinaryTable(shape: TableShape, family: TableFamily): string {
  return [faultInSql(shape, family), touchReportSql(shape), baseMoveSql(shape), hidingPolicySql(shape)].join('\n')
}

/** Until it is refreshed a materialised view shows production's content. */
function materializedView(shape: TableShape): string {
  const base = baseName(shape.id)
  const columns = nameList(shape.columns.map(({ name }) => name))
  return `GRANT SELECT ON ${base} TO ${shape.owner};\nCREATE OR REPLACE VIEW ${tableName(shape)} AS SELECT ${columns} FROM ${base};`
}

function registration(shape: TableShape, partitioned: boolean): string {
  const touched = shape.key.length === 0 ? 'NULL' : `${quoteText(touchedName(shape.id))}::regclass`
  const kind = shape.kind === 'm' ? 'matview' : partitioned ? 'partitioned' : 'table'
  const values = [
    String(shape.id),
    `${quoteText(tableName(shape))}::regclass`,
    `${quoteText(baseName(shape.id))}::regclass`,
    touched,
    quoteText(kind),
    textArray(shape.key.map(({ name }) => name)),
    `ARRAY[${shape.key.map(({ number }) => number).join(', ')}]::int2[]`,
    quoteText(shape.schema),
    quoteText(shape.name),
  ]
  return `INSERT INTO mesh.tables VALUES (${values.join(', ')});`
}

/** Enums and domains become members, their arrays with them, of `postgres_fdw`: only then does it send comparisons of them. */
function shippableTypes(): string {
  return `
DO $mesh$ DECLARE mesh_type regtype; BEGIN
  FOR mesh_type IN
    SELECT t.oid::regtype FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typtype IN ('e', 'd') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'mesh')
      AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid AND e.deptype = 'e')
  LOOP
    EXECUTE format('ALTER EXTENSION postgres_fdw ADD TYPE %s', mesh_type);
  END LOOP;
END $mesh$;`
}

async function nextId(admin: SqlRunner): Promise<number> {
  return Number(textOf(await admin.query('SELECT coalesce(max(id), 0) + 1 FROM mesh.tables')) ?? '1')
}
