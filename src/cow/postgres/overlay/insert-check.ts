import { keysQuery } from './copy-up.ts'
import { parentsInBatches, type ParentPlaces } from './foreign-key-fault-in.ts'
import { quoteText } from './identifiers.ts'
import { untouched } from './key-table.ts'
import { baseName, FIRST_TRIGGER_PREFIX, TRIGGER_PREFIX, tableName } from './names.ts'
import { functionSql } from './sql-function.ts'
import type { TableFamily } from './table-family.ts'
import type { TableShape, UniqueShape } from './table-shape.ts'
import { type ClashPlace, clashPlaces, clashRaise, isInBatches } from './unique-fault-in.ts'

/** Values that production is asked for at once: an array of some tens of KiB. */
const VALUES_PER_PROBE = 1_000
/** Of keys of more than one column, which are written into the statement: planned in milliseconds. */
const KEYS_PER_PROBE = 250

/** Settings, of the transaction, of one table: whether rows wait for the check behind the statement, whether it is still to come. */
const modeSetting = (id: number | string): string => `mesh.insert_${id}`
const dueSetting = (id: number | string): string => `mesh.due_${id}`

/** True in a row trigger where the row is looked at when all rows of its statement are there. */
export function waits(id: number): string {
  return `TG_OP = 'INSERT' AND pg_catalog.current_setting('${modeSetting(id)}', true) = 'later'`
}

/**
 * `mesh.inserting()`: the trigger before an INSERT that decides when its rows are looked for on production: all at once behind it, or
 * each before it is stored. At once where a clash can only end the statement: it is the client's own, not one of a function that may go
 * on, and has no ON CONFLICT, in its text or a rule's. What functions do meanwhile takes no row of production away that a row clashed
 * with: it would have to be copied up, and the overlay's indexes refuse that. A row that a function changes or deletes before it was
 * looked for is looked for then.
 */
export function insertingSql(): string {
  return functionSql({
    signature: 'mesh.inserting()',
    returns: 'trigger',
    rights: 'definer',
    callers: 'nobody',
    body: `
DECLARE
  mesh_callers text;
  mesh_later boolean;
BEGIN
  GET DIAGNOSTICS mesh_callers = PG_CONTEXT;
  mesh_later := strpos(mesh_callers, E'\\n') = 0 AND current_query() !~* 'conflict|execute'
    AND NOT EXISTS (SELECT 1 FROM pg_rewrite AS r WHERE r.ev_type <> '1' AND r.ev_class >= 16384);
  IF mesh_later THEN
    PERFORM set_config('${modeSetting('')}' || TG_ARGV[0], 'later', true), set_config('${dueSetting('')}' || TG_ARGV[0], 'yes', true);
  ELSE
    PERFORM set_config('${modeSetting('')}' || TG_ARGV[0], 'now', true);
  END IF;
  RETURN NULL;
END`,
  })
}

/** Names of the functions behind the checks of a table. */
export function checkNames(id: number): readonly [checked: string, pending: string] {
  return [`mesh.checked_${id}`, `mesh.pending_${id}`]
}

/**
 * The triggers that look on production for all rows of an INSERT at once: before it, `mesh.inserting`; behind it, before all else that
 * PostgreSQL does then, one that refuses clashes in the words of PostgreSQL's index, and brings parents in. Empty where nothing of the
 * table can be looked for so.
 */
export function insertCheckSql(shape: TableShape, family: TableFamily): string {
  const uniques = shape.uniques.filter((unique) => isInBatches(unique))
  const parents = parentsInBatches(shape, family)
  if (shape.id === 0 || (uniques.length === 0 && parents.length === 0)) return ''
  const table = tableName(shape)
  const [checked] = checkNames(shape.id)
  const fetches = parents.map((parent, number) =>
    inBatches(parentProbe(parent), uniques.length + number, 'mesh_inserted'),
  )
  const body = `
  IF current_setting('${dueSetting(shape.id)}', true) IS DISTINCT FROM 'yes' THEN RETURN NULL; END IF;
  PERFORM set_config('${dueSetting(shape.id)}', '', true);${clashes(shape, uniques, 'mesh_inserted')}${fetches.join('')}
  RETURN NULL;`
  const types = [...uniques.map(clashPlaces), ...parents.map(({ places }) => places)]
  return `${checkFunction(checked, types, body)}
CREATE OR REPLACE TRIGGER "${TRIGGER_PREFIX}inserting" BEFORE INSERT ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION mesh.inserting('${shape.id}');
CREATE OR REPLACE TRIGGER "${FIRST_TRIGGER_PREFIX}checked" AFTER INSERT ON ${table} REFERENCING NEW TABLE AS mesh_inserted FOR EACH ROW
  WHEN (${isSetting(modeSetting(shape.id), 'later')}) EXECUTE FUNCTION ${checked}();${uniques.length === 0 ? '' : pendingSql(shape, uniques)}`
}

/** Looks for a row that was inserted but not looked for yet, which a function is about to change or delete. */
function pendingSql(shape: TableShape, uniques: readonly UniqueShape[]): string {
  const [, pending] = checkNames(shape.id)
  const look = clashes(shape, uniques, '(SELECT OLD.*)')
  const own = shape.key.length === 0 ? look : `\n  IF ${untouched(shape, 'OLD')} THEN${look}\n  END IF;`
  const body = `${own}\n  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;\n  RETURN NEW;`
  return `
${checkFunction(pending, uniques.map(clashPlaces), body)}
CREATE OR REPLACE TRIGGER "${TRIGGER_PREFIX}pending" BEFORE UPDATE OR DELETE ON ${tableName(shape)} FOR EACH ROW
  WHEN (${isSetting(dueSetting(shape.id), 'yes')}) EXECUTE FUNCTION ${pending}();`
}

function isSetting(name: string, value: string): string {
  return `pg_catalog.current_setting('${name}', true) OPERATOR(pg_catalog.=) '${value}'`
}

function checkFunction(called: string, probes: readonly (readonly ClashPlace[])[], body: string): string {
  const arrays = probes.map((places, number) =>
    places.length === 1 ? `  mesh_wanted_${number} ${places[0]?.type ?? ''}[];\n` : '',
  )
  return functionSql({
    signature: `${called}()`,
    returns: 'trigger',
    rights: 'definer',
    callers: 'nobody',
    settings: ['plan_cache_mode = force_generic_plan', 'extra_float_digits = 1'],
    body: `#variable_conflict use_column
DECLARE
  mesh_condition text;
  mesh_found boolean;
  mesh_keys jsonb;
${arrays.join('')}BEGIN${body}
END`,
  })
}

function clashes(shape: TableShape, uniques: readonly UniqueShape[], rows: string): string {
  if (uniques.length === 0) return ''
  const probes = uniques.map((unique, number) => inBatches(uniqueProbe(shape, unique), number, rows))
  return `
  IF EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = '${baseName(shape.id)}'::regclass) THEN${probes.join('')}
  END IF;`
}

/** What is asked of production for all inserted rows. */
interface Probe {
  readonly places: readonly ClashPlace[]
  /** Which inserted rows are asked for, under the alias `mesh_row`; beside that no value is NULL. */
  readonly rows: string
  /** Around the condition: one query, over the base as b. */
  readonly query: (condition: string) => string
  readonly into: string
  readonly react: string
  /** Ahead of it: whether it is asked at all. */
  readonly onlyIf?: string
}

function uniqueProbe(shape: TableShape, unique: UniqueShape): Probe {
  const predicate = unique.predicate === null ? '' : ` AND (${unique.predicate})`
  const hidden = shape.key.length === 0 ? '' : ` AND ${untouched(shape, 'b')}`
  return {
    places: clashPlaces(unique),
    rows: unique.predicate === null ? 'true' : `(${unique.predicate})`,
    query: (condition) => `SELECT true FROM ${baseName(shape.id)} AS b WHERE ${condition}${predicate}${hidden} LIMIT 1`,
    into: 'mesh_found',
    react: `IF mesh_found THEN ${clashRaise(shape, unique)} END IF;`,
  }
}

function parentProbe({ parent, places, isAbsent }: ParentPlaces): Probe {
  return {
    places,
    rows: isAbsent,
    query: (condition) => keysQuery(parent, condition),
    into: 'mesh_keys',
    react: `PERFORM mesh.fault_in(${parent.id}, mesh_keys);`,
    onlyIf: `EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = '${baseName(parent.id)}'::regclass)`,
  }
}

/** One value: a list of them is a parameter, and the plan is made once a session. More: they are constants, as a copy-up's. */
function inBatches(probe: Probe, number: number, inserted: string): string {
  const { places, into, react, onlyIf } = probe
  const names = places.map((_, place) => `v${place}`)
  const values = places.map(({ value, type }, place) => `(${value})::${type} AS v${place}`)
  const given = names.map((name) => `s.${name} IS NOT NULL`).join(' AND ')
  const source = `(SELECT s.*, row_number() OVER () AS n
      FROM (SELECT DISTINCT ${values.join(', ')} FROM ${inserted} AS mesh_row WHERE ${probe.rows}) AS s WHERE ${given}) AS d`
  const [only] = places
  const isList = only !== undefined && places.length === 1
  const found = isList
    ? `${probe.query(`${only.column} ${only.operator} ANY (mesh_wanted_${number})`)} INTO ${into};`
    : `EXECUTE ${concatenated(probe.query('(@condition@)'))} INTO ${into};`
  const loop = isList
    ? `FOR mesh_wanted_${number} IN SELECT array_agg(d.v0) FROM ${source} GROUP BY (d.n - 1) / ${VALUES_PER_PROBE}`
    : `FOR mesh_condition IN SELECT string_agg(format(${oneKey(places)}, ${names.map((name) => `d.${name}`).join(', ')}), ' OR ')
      FROM ${source} GROUP BY (d.n - 1) / ${KEYS_PER_PROBE}`
  const statements = `
    ${loop}
    LOOP
      ${found}
      ${react}
    END LOOP;`
  return onlyIf === undefined ? statements : `\n  IF ${onlyIf} THEN${statements}\n  END IF;`
}

/** A directive of `format` for each value; a percent sign in a name is none. */
function oneKey(places: readonly ClashPlace[]): string {
  const conditions = places.map(
    ({ column, operator, type }) =>
      `${`${column} ${operator}`.replaceAll('%', '%%')} %L::${type.replaceAll('%', '%%')}`,
  )
  return quoteText(`(${conditions.join(' AND ')})`)
}

/** The text of a query, as an SQL expression, with what `mesh_condition` holds in its middle. */
function concatenated(query: string): string {
  return query.split('@condition@').map(quoteText).join(' || mesh_condition || ')
}
