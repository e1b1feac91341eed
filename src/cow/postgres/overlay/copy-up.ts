import { nameList, operator, quoteName } from './identifiers.ts'
import { IMAGE_SETTINGS, sameKey, untouched } from './key-table.ts'
import { baseName, keyAsJson, keyNames, tableName, touchedColumns, touchedName } from './names.ts'
import { functionSql } from './sql-function.ts'
import { type TableShape, writableColumns } from './table-shape.ts'

/** Keys of more than one column are fetched by a text with this many of them: some 30 KiB, planned in milliseconds. */
const KEYS_PER_FETCH = 250

/**
 * `mesh.copy_up_<id>(keys jsonb)`: makes the base rows of these keys local, and says how many it was first to do so.
 * Keys as in `keyAsJson`: `[["5"], ["6"]]`.
 *
 * The touched key goes first and alone decides: a row is placed only for a key that this very statement touched. Were
 * the row placed by a look at the tables, a key that another session had copied and deleted meanwhile would rise again.
 * Replica role: neither triggers nor foreign keys see the copy. The order of the keys is fixed against deadlocks.
 */
export function copyUpSql(shape: TableShape): string {
  return functionSql({
    signature: `mesh.copy_up_${shape.id}(keys jsonb)`,
    returns: 'bigint',
    rights: 'definer',
    callers: 'everyone',
    settings: ['session_replication_role = replica', 'plan_cache_mode = force_generic_plan', ...IMAGE_SETTINGS],
    body: shape.key.length === 1 ? simpleBody(shape) : compositeBody(shape),
  })
}

/** Fails no read of the base where the table has been cut loose from it: nothing is left to copy. */
export function unlessAttached(id: number, result: string): string {
  return `IF NOT EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = '${baseName(id)}'::regclass) THEN RETURN ${result}; END IF;`
}

function simpleBody(shape: TableShape): string {
  const [column] = shape.key
  if (column === undefined) return ''
  const equals = operator(column.operatorSchema, column.operatorName)
  return `
DECLARE
  mesh_wanted ${column.type}[];
  mesh_done bigint;
BEGIN
  ${unlessAttached(shape.id, '0')}
  SELECT array_agg((e.key->>0)::${column.type}) INTO mesh_wanted FROM jsonb_array_elements(keys) AS e(key);
  ${placing(shape, `b.${quoteName(column.name)} ${equals} ANY (mesh_wanted)`)} INTO mesh_done;
  RETURN mesh_done;
END`
}

/** The key's places as constants: a join against a list of keys would fetch one key a round trip. */
function compositeBody(shape: TableShape): string {
  const condition = shape.key
    .map(
      (column) =>
        `b.${quoteName(column.name)} ${operator(column.operatorSchema, column.operatorName)} %L::${column.type}`,
    )
    .join(' AND ')
    .replaceAll("'", "''")
  const values = shape.key.map((_, place) => `e.key->>${place}`).join(', ')
  const text = placing(shape, '@condition@').replaceAll("'", "''").split('@condition@')
  return `
DECLARE
  mesh_condition text;
  mesh_fetched bigint;
  mesh_done bigint := 0;
BEGIN
  ${unlessAttached(shape.id, '0')}
  FOR mesh_condition IN
    SELECT string_agg(format('(${condition})', ${values}), ' OR ')
    FROM jsonb_array_elements(keys) WITH ORDINALITY AS e(key, place) GROUP BY (e.place - 1) / ${KEYS_PER_FETCH}
  LOOP
    EXECUTE '${text[0] ?? ''}(' || mesh_condition || ')${text[1] ?? ''}' INTO mesh_fetched;
    mesh_done := mesh_done + mesh_fetched;
  END LOOP;
  RETURN mesh_done;
END`
}

/** The one statement of a copy-up. */
function placing(shape: TableShape, condition: string): string {
  const columns = writableColumns(shape)
  return `
  WITH mesh_base AS MATERIALIZED (
    SELECT b.* FROM ${baseName(shape.id)} AS b WHERE ${condition}
  ), mesh_fresh AS (
    INSERT INTO ${touchedName(shape.id)} (${touchedColumns(shape)}, kind, base_row)
    SELECT ${keyNames(shape, 'b').join(', ')}, 'c', to_jsonb(b) FROM mesh_base AS b
    WHERE ${untouched(shape, 'b')} ORDER BY ${keyNames(shape, 'b').join(', ')}
    ON CONFLICT DO NOTHING RETURNING ${touchedColumns(shape)}
  ), mesh_placed AS (
    INSERT INTO ${tableName(shape)} (${nameList(columns)}) OVERRIDING SYSTEM VALUE
    SELECT ${nameList(columns, 'b')} FROM mesh_base AS b JOIN mesh_fresh AS f ON ${sameKey(shape, 'f', 'b')}
    RETURNING 1
  )
  SELECT count(*) FROM mesh_placed`
}

/** Body of a query for keys as a JSON array of at most `limit` rows: what `mesh.fault_in` takes. */
export function keysQuery(shape: TableShape, condition: string, limit?: number): string {
  const limited = limit === undefined ? '' : ` LIMIT ${limit}`
  const inner = `SELECT ${keyAsJson(shape, 'b')} AS key FROM ${baseName(shape.id)} AS b WHERE ${condition} AND ${untouched(shape, 'b')}${limited}`
  return `SELECT jsonb_agg(k.key) FROM (${inner}) AS k`
}
