import { Tokens } from '../sql/tokens.ts'
import { dollarQuoted, qualified, quoteName } from './identifiers.ts'
import { TRIGGER_PREFIX } from './names.ts'
import { functionSql } from './sql-function.ts'

/**
 * Members of inheritance trees: schema, name, kind of relation, whether it is a partition, topmost root's schema and name, owner, for a
 * partition which rows of the root it has, and the columns as JSON. A root stands with itself.
 */
export const PARTITIONS_QUERY = `
WITH RECURSIVE tree AS (
  SELECT h.inhrelid AS relid, h.inhparent AS root FROM pg_catalog.pg_inherits h
  UNION ALL SELECT t.relid, h.inhparent FROM tree t JOIN pg_catalog.pg_inherits h ON h.inhrelid = t.root
), top AS (
  SELECT relid, root FROM tree t WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_inherits h WHERE h.inhrelid = t.root)
  UNION SELECT c.oid, c.oid FROM pg_catalog.pg_class c WHERE c.relkind = 'p' AND NOT c.relispartition
)
SELECT n.nspname, c.relname, c.relkind, c.relispartition, rn.nspname, r.relname, pg_catalog.pg_get_userbyid(c.relowner),
  CASE WHEN c.relispartition THEN pg_catalog.pg_get_partition_constraintdef(c.oid) END,
  (SELECT pg_catalog.json_agg(a.attname) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
FROM top t JOIN pg_catalog.pg_class c ON c.oid = t.relid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class r ON r.oid = t.root JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2`

/** What becomes of inheritance trees: the root alone is cloned, and has all rows. */
export interface FlattenedTrees {
  /** Roots of partitioned tables, as `schema.name`. */
  readonly roots: ReadonlySet<string>
  /** Members that are not dumped, each part quoted. */
  readonly excluded: readonly string[]
  /** Views in place of partitions. */
  readonly views: string
  /** Triggers on roots that refuse rows of no partition. */
  readonly guards: string
  /** Members for which there is no view: inheritance without partitioning, and partitions by hash. */
  readonly absent: readonly string[]
}

/** Reads the rows of `PARTITIONS_QUERY`. */
export function flattenTrees(rows: readonly (readonly (string | null)[])[]): FlattenedTrees {
  const roots = new Set<string>()
  const excluded: string[] = []
  const absent: string[] = []
  const views: string[] = []
  const rules = new Map<string, string[]>()
  for (const [schema, name, kind, isPartition, rootSchema, rootName, owner, constraint, columns] of rows) {
    const own = qualified(schema ?? '', name ?? '')
    const root = qualified(rootSchema ?? '', rootName ?? '')
    if (own === root) {
      if (kind !== 'p') continue
      roots.add(`${schema ?? ''}.${name ?? ''}`)
      rules.set(root, rules.get(root) ?? [])
      continue
    }
    excluded.push(own)
    const partition = isPartition === 't' || isPartition === 'true'
    if (partition && kind !== 'p')
      rules.set(root, [
        ...(rules.get(root) ?? []),
        ofNewRow(constraint === '' ? 'true' : (constraint ?? 'true'), namesIn(columns)),
      ])
    if (!partition || constraint?.includes('satisfies_hash_partition') === true)
      absent.push(`${schema ?? ''}.${name ?? ''}`)
    else views.push(partitionView(own, root, owner ?? '', constraint ?? 'true'))
  }
  return { roots, excluded, views: views.join('\n'), guards: guardsSql(rules, roots), absent }
}

/**
 * Rows go nowhere where no partition takes them, as in PostgreSQL. By what the partitions were as the branch was made: copies of production's
 * rows are not looked at. Partitions by hash take all rows, and so do those whose rule, of PostgreSQL's own writing, we cannot write.
 */
function guardsSql(rules: ReadonlyMap<string, readonly string[]>, roots: ReadonlySet<string>): string {
  if (roots.size === 0) return ''
  const refusal = functionSql({
    signature: 'mesh.no_partition()',
    returns: 'trigger',
    rights: 'invoker',
    callers: 'nobody',
    body: `
BEGIN
  RAISE check_violation USING MESSAGE = format('no partition of relation "%s" found for row', TG_TABLE_NAME),
    SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
END`,
  })
  const triggers = [...rules].flatMap(([root, conditions]) => {
    if (conditions.some((condition) => condition.includes('satisfies_hash_partition'))) return []
    const taken = ['false', ...conditions.map((condition) => `(${condition})`)].join(' OR ')
    const made = `CREATE TRIGGER "${TRIGGER_PREFIX}partition" BEFORE INSERT OR UPDATE ON ${root} FOR EACH ROW
    WHEN ((${taken}) IS NOT TRUE) EXECUTE FUNCTION mesh.no_partition();`
    return [`DO ${dollarQuoted(`BEGIN ${made} EXCEPTION WHEN syntax_error_or_access_rule_violation THEN NULL; END`)};`]
  })
  return [refusal, ...triggers].join('\n')
}

function namesIn(columns: string | null | undefined): ReadonlySet<string> {
  const parsed: unknown = JSON.parse(columns ?? '[]')
  return new Set(Array.isArray(parsed) ? parsed.map(String) : [])
}

/**
 * An expression of PostgreSQL's own writing over columns, over those of NEW: a name behind `::`, of a collation, or of what EXTRACT takes, is
 * none of a column.
 */
function ofNewRow(expression: string, columns: ReadonlySet<string>): string {
  const tokens = new Tokens(expression)
  let written = ''
  let end = 0
  let isOther = false
  for (let index = 0; index < tokens.count; index += 1) {
    const kind = tokens.kind(index)
    const isName = kind === 'word' || kind === 'quoted'
    const before = tokens.at(index - 1)
    isOther = isName && (isOther || before === '::' || before === '.' || before === 'COLLATE')
    const text = tokens.at(index)
    const name = kind === 'quoted' ? text.slice(1, -1).replaceAll('""', '"') : text
    const isField = before === '(' && tokens.isWord(index - 2, 'extract')
    const isCalled = tokens.isSign(index + 1, '(') || tokens.isSign(index + 1, '.')
    if (!isName || isOther || isField || isCalled || !columns.has(name)) continue
    written += `${expression.slice(end, tokens.start(index))}NEW.${text}`
    end = tokens.end(index)
  }
  return written + expression.slice(end)
}

function partitionView(own: string, root: string, owner: string, constraint: string): string {
  return `CREATE VIEW ${own} AS SELECT * FROM ${root} WHERE ${constraint === '' ? 'true' : constraint};\nALTER VIEW ${own} OWNER TO ${quoteName(owner)};`
}
