import { MeshError } from '../../../core/errors.ts'
import { baseMoveSql } from './base-move.ts'
import { copyUpSql } from './copy-up.ts'
import { hideSql } from './hiding-policy.ts'
import { collated, dollarQuoted, quoteText } from './identifiers.ts'
import { tableName, touchedColumn, touchedName } from './names.ts'
import { CHANGED_TREE, changedTreeSql } from './partitions.ts'
import { TableFamily } from './table-family.ts'
import { readShapes, type TableShape } from './table-shape.ts'
import { touchReportSql } from './touch-report.ts'
import { dropFaultInSql, faultInSql } from './triggers.ts'

/** What the overlay asks by, before a JSON text: `{"stale": [oid, ...], "shapes": [...]}`, the neighbours' shapes among them. */
export const REBUILD = 'REBUILD '

/**
 * The SQL that makes functions, triggers and policy of tables anew, whose columns, constraints or neighbours a migration has changed.
 * The overlay asks for it from within the migration's transaction: what writes this SQL at the merge writes it then.
 */
export function answerOverlay(question: string): string {
  if (question.startsWith(CHANGED_TREE)) return changedTreeSql(JSON.parse(question.slice(CHANGED_TREE.length)))
  const parsed: unknown = question.startsWith(REBUILD) ? JSON.parse(question.slice(REBUILD.length)) : undefined
  if (typeof parsed !== 'object' || parsed === null || !('stale' in parsed) || !('shapes' in parsed)) {
    throw new MeshError('MESH_ERR_INTERNAL', { what: 'expected the question of the overlay for SQL, found another' })
  }
  const shapes = readShapes(parsed.shapes)
  const family = new TableFamily(shapes)
  const stale = new Set(Array.isArray(parsed.stale) ? parsed.stale.map(Number) : [])
  return shapes
    .filter(({ oid }) => stale.has(oid))
    .map((shape) => rebuilt(shape, family))
    .join('\n')
}

function rebuilt(shape: TableShape, family: TableFamily): string {
  const guards = `${dropFaultInSql(shape)}\n${faultInSql(shape, family)}`
  if (shape.id === 0) return guards
  const parts = [guards, touchReportSql(shape), baseMoveSql(shape)]
  if (shape.key.length > 0) parts.unshift(keyTypes(shape), copyUpSql(shape), hiddenAgain(shape))
  return parts.join('\n')
}

/** The key table follows the types of its columns. */
function keyTypes({ id, key }: TableShape): string {
  return key
    .map((key, place) => {
      const column = touchedColumn(place)
      const { type } = key
      return key.touchedType === collated(key)
        ? ''
        : `${plainType(type)}
ALTER TABLE ${touchedName(id)} ALTER COLUMN ${column} TYPE ${collated(key)} USING ${column}::text::${type};`
    })
    .join('\n')
}

/** Refuses a type whose values are made by code of users, as a domain's in an array: it would run with rights of ours. */
function plainType(type: string): string {
  const plain = (of: string): string => `${of}.oid < 16384 OR ${of}.typtype IN ('b', 'e')`
  return `DO ${dollarQuoted(`BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_type AS t LEFT JOIN pg_type AS e ON e.oid = nullif(t.typelem, 0)
    WHERE t.oid = ${quoteText(type)}::regtype AND (${plain('t')}) AND (e.oid IS NULL OR ${plain('e')})) THEN
    RAISE feature_not_supported USING MESSAGE = ${quoteText(`the key of a table of production cannot have the type ${type}`)};
  END IF;
END`)};`
}

/** The policy is put aside while the type of a key column changes. */
function hiddenAgain(shape: TableShape): string {
  const table = quoteText(tableName(shape))
  const missing = `NOT EXISTS (SELECT 1 FROM pg_policy WHERE polrelid = ${table}::regclass AND polname = 'mesh_hide')`
  return `DO ${dollarQuoted(`BEGIN IF ${missing} THEN ${hideSql(shape)} END IF; END`)};`
}
