import { keysQuery } from './copy-up.ts'
import { operator, quoteName, quoteText } from './identifiers.ts'
import { baseName, tableName } from './names.ts'
import type { TableFamily } from './table-family.ts'
import type { ClashPlace } from './unique-fault-in.ts'
import type { ForeignKeyAction, ForeignKeyShape, TableShape } from './table-shape.ts'

/**
 * Statements of a BEFORE INSERT OR UPDATE trigger on a child that fetch the parent row it refers to, where that one is a
 * base row still: PostgreSQL's own check looks at the overlay's rows only.
 */
export function parentFaultIn(child: TableShape, family: TableFamily): string {
  return child.foreignKeys.map((key, number) => oneParent(child, key, number, family.table(key.parentOid))).join('')
}

/** Variables of the statements above. Production is asked by values of variables, whose types are never domains. */
export function parentVariables(child: TableShape): string {
  return child.foreignKeys.map((key, number) => declared('p', number, key.childTypes)).join('')
}

/** A parent that is looked for on production for all rows of an INSERT at once. */
export interface ParentPlaces {
  readonly parent: TableShape
  readonly places: readonly ClashPlace[]
  /** SQL over the inserted row `mesh_row`: the branch has no such parent. */
  readonly isAbsent: string
}

/** Parents without a key are left out: they are copied whole. */
export function parentsInBatches(child: TableShape, family: TableFamily): ParentPlaces[] {
  return child.foreignKeys.flatMap((key) => {
    const parent = family.table(key.parentOid)
    if (parent === undefined || !isInBatches(child, parent)) return []
    const places = key.operators.map(({ schema, name }, place) => ({
      value: `mesh_row.${quoteName(key.childColumns[place] ?? '')}`,
      type: key.childTypes[place] ?? '',
      column: `b.${quoteName(key.parentColumns[place] ?? '')}`,
      operator: operator(schema, name),
    }))
    const local = matches(key, 'mesh_p', 'mesh_row')
    return [
      { parent, places, isAbsent: `NOT EXISTS (SELECT 1 FROM ONLY ${tableName(parent)} AS mesh_p WHERE ${local})` },
    ]
  })
}

function isInBatches(child: TableShape, parent: TableShape): boolean {
  return child.id > 0 && parent.id > 0 && parent.key.length > 0
}

function declared(kind: 'p' | 'c', number: number, types: readonly string[]): string {
  return types.map((type, place) => `  ${variable(kind, number, place)} ${type};\n`).join('')
}

function variable(kind: 'p' | 'c', number: number, place: number): string {
  return `mesh_${kind}${number}_${place}`
}

/** Gives the variables of a key their values, out of the row of a trigger. */
function assigned(kind: 'p' | 'c', number: number, row: 'NEW' | 'OLD', columns: readonly string[]): string {
  return columns.map((name, place) => `${variable(kind, number, place)} := ${row}.${quoteName(name)};`).join(' ')
}

/**
 * PostgreSQL checks the parent of a row that the running transaction wrote at any update of it, though the reference stays: at the
 * second update of a row, and at the first of one that was copied inside the transaction.
 */
function isOwnRow(child: TableShape): string {
  if (child.key.length === 0) return 'true'
  const same = child.key.map(({ name, operatorSchema, operatorName }) => {
    const column = quoteName(name)
    return `mesh_o.${column} ${operator(operatorSchema, operatorName)} OLD.${column}`
  })
  return `EXISTS (SELECT 1 FROM ONLY ${tableName(child)} AS mesh_o WHERE ${same.join(' AND ')}
    AND pg_xact_status(mesh_o.xmin::text::xid8) = 'in progress')`
}

function oneParent(child: TableShape, key: ForeignKeyShape, number: number, parent: TableShape | undefined): string {
  if (parent === undefined || parent.id === 0) return ''
  const changed = key.childColumns.map((name) => `OLD.${quoteName(name)} IS DISTINCT FROM NEW.${quoteName(name)}`)
  const given = key.childColumns.map((name) => `NEW.${quoteName(name)} IS NOT NULL`)
  const local = matches(key, 'mesh_p', 'NEW')
  const condition = key.operators
    .map(({ schema, name }, place) => {
      const column = quoteName(key.parentColumns[place] ?? '')
      return `b.${column} ${operator(schema, name)} ${variable('p', number, place)}`
    })
    .join(' AND ')
  const fetch =
    parent.key.length === 0
      ? whole(parent, condition, bringWhole(parent))
      : `${keysQuery(parent, condition)} INTO mesh_keys;
      PERFORM mesh.fault_in(${parent.id}, mesh_keys);`
  const now = isInBatches(child, parent) ? 'mesh_now AND ' : ''
  return `
  IF ${now}${given.join(' AND ')} AND EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = '${baseName(parent.id)}'::regclass) THEN
    IF NOT EXISTS (SELECT 1 FROM ONLY ${tableName(parent)} AS mesh_p WHERE ${local})
      AND (TG_OP = 'INSERT' OR ${changed.join(' OR ')} OR ${isOwnRow(child)}) THEN
      ${assigned('p', number, 'NEW', key.childColumns)}
      ${fetch}
    END IF;
  END IF;`
}

/** Without a key there is no telling which rows are local: either all of them, or none of production's. */
function whole({ id }: TableShape, condition: string, statement: string): string {
  return `IF EXISTS (SELECT 1 FROM ${baseName(id)} AS b WHERE ${condition}) THEN
        ${statement}
      END IF;`
}

function bringWhole({ id }: TableShape): string {
  return `PERFORM mesh.bring_whole(${id}, NULL);`
}

/**
 * Statements of a BEFORE UPDATE OR DELETE trigger on a parent that fetch the base children of a row which goes or
 * whose referenced columns change: then they block it, or cascade, by PostgreSQL's own rules.
 */
export function childFaultIn(parent: TableShape, family: TableFamily): string {
  return keysTo(parent, family)
    .map(({ key, child }, number) => oneChild(key, child, parent, number))
    .join('')
}

/** Variables of the statements above. */
export function childVariables(parent: TableShape, family: TableFamily): string {
  return keysTo(parent, family)
    .map(({ key }, number) => declared('c', number, key.parentTypes))
    .join('')
}

function keysTo(
  parent: TableShape,
  family: TableFamily,
): { readonly key: ForeignKeyShape; readonly child: TableShape }[] {
  return family
    .childrenOf(parent)
    .filter(({ id }) => id > 0)
    .flatMap((child) => child.foreignKeys.map((key) => ({ key, child })))
    .filter(({ key }) => key.parentOid === parent.oid)
}

function oneChild(key: ForeignKeyShape, child: TableShape, parent: TableShape, number: number): string {
  const changed = key.parentColumns.map((name) => `OLD.${quoteName(name)} IS DISTINCT FROM NEW.${quoteName(name)}`)
  const condition = key.operators
    .map(({ schema, name }, place) => {
      const column = quoteName(key.childColumns[place] ?? '')
      return `${variable('c', number, place)} ${operator(schema, name)} b.${column}`
    })
    .join(' AND ')
  const [onDelete, onUpdate] =
    child.key.length === 0
      ? keylessChild(key, child, parent, condition)
      : [key.onDelete, key.onUpdate].map((action) => {
          const query = needsAll(key, action) ? keysQuery(child, condition) : keysQuery(child, condition, 1)
          return `${query} INTO mesh_keys;
    PERFORM mesh.fault_in(${child.id}, mesh_keys);`
        })
  const fetch = onDelete === onUpdate ? onDelete : `IF TG_OP = 'DELETE' THEN ${onDelete} ELSE ${onUpdate} END IF;`
  return `
  IF (TG_OP = 'DELETE' OR ${changed.join(' OR ')})
    AND EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = '${baseName(child.id)}'::regclass) THEN
    ${assigned('c', number, 'OLD', key.parentColumns)}
    ${fetch}
  END IF;`
}

/** At DELETE and at UPDATE: all rows come, or the row that refers is answer enough. An update may put a key back where it was. */
function keylessChild(key: ForeignKeyShape, child: TableShape, parent: TableShape, condition: string): string[] {
  return [key.onDelete, key.onUpdate].map((action, place) => {
    const isSure = !key.deferrable && (action === 'r' || (action === 'a' && place === 0))
    return whole(child, condition, isSure ? stillReferenced(key, action, child, parent) : bringWhole(child))
  })
}

/** What PostgreSQL says, which has names of its own for RESTRICT, and keeps keys to itself under row-level security. */
function stillReferenced(
  key: ForeignKeyShape,
  action: ForeignKeyAction,
  child: TableShape,
  parent: TableShape,
): string {
  const restricts = action === 'r'
  const rule = restricts ? 'RESTRICT setting of foreign key constraint' : 'foreign key constraint'
  const message = `update or delete on table "${parent.name}" violates ${rule} "${key.name}" on table "${child.name}"`
  const detail = `Key is ${restricts ? '' : 'still '}referenced from table "${child.name}".`
  return `RAISE ${restricts ? 'restrict_violation' : 'foreign_key_violation'} USING MESSAGE = ${quoteText(message)}, DETAIL = ${quoteText(detail)},
          SCHEMA = ${quoteText(child.schema)}, TABLE = ${quoteText(child.name)}, CONSTRAINT = ${quoteText(key.name)};`
}

/** Where the rule is to refuse at once, one child is reason enough; a later check, or an action, needs them all. */
function needsAll(key: ForeignKeyShape, action: ForeignKeyAction): boolean {
  return key.deferrable || (action !== 'a' && action !== 'r')
}

/** `parent = child` in each place, by the constraint's operators. */
function matches(key: ForeignKeyShape, parentAlias: string, childAlias: string): string {
  return key.operators
    .map(({ schema, name }, place) => {
      const parent = `${parentAlias}.${quoteName(key.parentColumns[place] ?? '')}`
      const child = `${childAlias}.${quoteName(key.childColumns[place] ?? '')}`
      return `${parent} ${operator(schema, name)} ${child}`
    })
    .join(' AND ')
}
