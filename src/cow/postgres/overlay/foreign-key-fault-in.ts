import { keysQuery } from './copy-up.ts'
import { operator, quoteName, quoteText } from './identifiers.ts'
import { baseName, tableName } from './names.ts'
import type { TableFamily } from './table-family.ts'
import type { ForeignKeyAction, ForeignKeyShape, TableShape } from './table-shape.ts'

/**
 * Statements of a BEFORE INSERT OR UPDATE trigger on a child that fetch the parent row it refers to, where that one is a
 * base row still: PostgreSQL's own check looks at the overlay's rows only.
 */
export function parentFaultIn(child: TableShape, family: TableFamily): string {
  return child.foreignKeys.map((key) => oneParent(child, key, family.table(key.parentOid))).join('')
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

function oneParent(child: TableShape, key: ForeignKeyShape, parent: TableShape | undefined): string {
  if (parent === undefined || parent.id === 0) return ''
  const changed = key.childColumns.map((name) => `OLD.${quoteName(name)} IS DISTINCT FROM NEW.${quoteName(name)}`)
  const given = key.childColumns.map((name) => `NEW.${quoteName(name)} IS NOT NULL`)
  const local = matches(key, 'mesh_p', 'NEW')
  const condition = matches(key, 'b', 'NEW')
  const fetch =
    parent.key.length === 0
      ? whole(parent, condition, bringWhole(parent))
      : `${keysQuery(parent, condition)} INTO mesh_keys;
      PERFORM mesh.fault_in(${parent.id}, mesh_keys);`
  return `
  IF ${given.join(' AND ')} AND EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = '${baseName(parent.id)}'::regclass) THEN
    IF NOT EXISTS (SELECT 1 FROM ONLY ${tableName(parent)} AS mesh_p WHERE ${local})
      AND (TG_OP = 'INSERT' OR ${changed.join(' OR ')} OR ${isOwnRow(child)}) THEN
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
  const statements: string[] = []
  for (const child of family.childrenOf(parent)) {
    for (const key of child.foreignKeys) {
      if (key.parentOid === parent.oid && child.id > 0) statements.push(oneChild(key, child, parent))
    }
  }
  return statements.join('')
}

function oneChild(key: ForeignKeyShape, child: TableShape, parent: TableShape): string {
  const changed = key.parentColumns.map((name) => `OLD.${quoteName(name)} IS DISTINCT FROM NEW.${quoteName(name)}`)
  const condition = matches(key, 'OLD', 'b')
  const [onDelete, onUpdate] =
    child.key.length === 0
      ? keylessChild(key, child, parent)
      : [key.onDelete, key.onUpdate].map((action) => {
          const query = needsAll(key, action) ? keysQuery(child, condition) : keysQuery(child, condition, 1)
          return `${query} INTO mesh_keys;
    PERFORM mesh.fault_in(${child.id}, mesh_keys);`
        })
  const fetch = onDelete === onUpdate ? onDelete : `IF TG_OP = 'DELETE' THEN ${onDelete} ELSE ${onUpdate} END IF;`
  return `
  IF (TG_OP = 'DELETE' OR ${changed.join(' OR ')})
    AND EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = '${baseName(child.id)}'::regclass) THEN
    ${fetch}
  END IF;`
}

/** At DELETE and at UPDATE: all rows come, or the row that refers is answer enough. An update may put a key back where it was. */
function keylessChild(key: ForeignKeyShape, child: TableShape, parent: TableShape): string[] {
  const condition = matches(key, 'OLD', 'b')
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
