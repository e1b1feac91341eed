import { MeshError } from '../../../core/errors.ts'
import { Tokens } from '../sql/tokens.ts'
import { dollarQuoted, qualified, quoteName, quoteText } from './identifiers.ts'
import { TRIGGER_PREFIX } from './names.ts'
import { functionSql } from './sql-function.ts'

/**
 * Members of inheritance trees: schema, name, kind of relation, whether it is a partition, topmost root's schema and name, owner, for a
 * partition which rows of the root it has, the columns in their order as JSON, schema and name of what it is a partition of, its own partition key, its bound,
 * and the rights of others as JSON: `[right, column or null, role or null for everyone, may be passed on]`, but where
 * policies of its own would hide rows from them. A root stands with itself.
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
  (SELECT pg_catalog.json_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  above.nspname, above.relname, CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END,
  CASE WHEN c.relispartition THEN pg_catalog.pg_get_expr(c.relpartbound, c.oid) END,
  (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(g.privilege_type, g.attname, r.rolname, g.is_grantable)) FROM (
    SELECT a.privilege_type, NULL::name AS attname, a.grantee, a.is_grantable FROM pg_catalog.aclexplode(c.relacl) AS a
    UNION ALL SELECT x.privilege_type, a.attname, x.grantee, x.is_grantable FROM pg_catalog.pg_attribute a CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS x
      WHERE a.attrelid = c.oid AND NOT a.attisdropped) AS g LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.grantee
    WHERE c.relispartition AND NOT c.relrowsecurity AND g.grantee <> c.relowner AND (g.grantee = 0 OR r.rolname IS NOT NULL))
FROM top t JOIN pg_catalog.pg_class c ON c.oid = t.relid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class r ON r.oid = t.root JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
LEFT JOIN LATERAL (SELECT an.nspname, a.relname FROM pg_catalog.pg_inherits h JOIN pg_catalog.pg_class a ON a.oid = h.inhparent
  JOIN pg_catalog.pg_namespace an ON an.oid = a.relnamespace WHERE c.relispartition AND h.inhrelid = c.oid) AS above ON true
WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2`

/** What becomes of inheritance trees: the root alone is cloned, and has all rows. */
export interface FlattenedTrees {
  /** Roots of partitioned tables, as `schema.name`. */
  readonly roots: ReadonlySet<string>
  /** Members that are not dumped, each part quoted. */
  readonly excluded: readonly string[]
  /** Views in place of partitions, as SQL by the qualified name of their root. */
  readonly views: ReadonlyMap<string, string>
  /** Triggers on roots that refuse rows of no partition. */
  readonly guards: string
  /** Rows of `mesh.partitions`, once the views are made. */
  readonly members: string
  /** Members for which there is no view: inheritance without partitioning, and partitions by hash. */
  readonly absent: readonly string[]
}

/** Reads the rows of `PARTITIONS_QUERY`. */
export function flattenTrees(rows: readonly (readonly (string | null)[])[]): FlattenedTrees {
  const roots = new Set<string>()
  const excluded: string[] = []
  const absent: string[] = []
  const views = new Map<string, string>()
  const rules = new Map<string, string[]>()
  const reordered = reorderedColumns(rows)
  for (const row of rows) {
    const [schema, name, kind, isPartition, rootSchema, rootName, owner, constraint, columns] = row
    const own = qualified(schema ?? '', name ?? '')
    const root = qualified(rootSchema ?? '', rootName ?? '')
    if (own === root) {
      if (kind !== 'p') continue
      roots.add(`${schema ?? ''}.${name ?? ''}`)
      rules.set(root, rules.get(root) ?? [])
      continue
    }
    excluded.push(own)
    const partition = isTrue(isPartition)
    if (partition && kind !== 'p')
      rules.set(root, [...(rules.get(root) ?? []), ofNewRow(ruleOf(constraint), namesIn(columns))])
    if (!partition || constraint?.includes('satisfies_hash_partition') === true)
      absent.push(`${schema ?? ''}.${name ?? ''}`)
    else {
      const view = partitionView(own, root, owner ?? '', constraint ?? 'true', reordered.get(own))
      views.set(root, `${views.get(root) ?? ''}${view}\n${grantsSql(own, row.at(-1))}\n`)
    }
  }
  return {
    roots,
    excluded,
    views,
    guards: guardsSql(rules, roots),
    members: membersSql(rows, reordered),
    absent,
  }
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
  return [refusal, ...[...rules].map(([root, conditions]) => guardOf(root, conditions))].join('\n')
}

function guardOf(root: string, conditions: readonly string[]): string {
  const name = `"${TRIGGER_PREFIX}partition"`
  if (conditions.some((condition) => condition.includes('satisfies_hash_partition'))) return ''
  const taken = ['false', ...conditions.map((condition) => `(${condition})`)].join(' OR ')
  const made = `CREATE OR REPLACE TRIGGER ${name} BEFORE INSERT OR UPDATE ON ${root} FOR EACH ROW
    WHEN ((${taken}) IS NOT TRUE) EXECUTE FUNCTION mesh.no_partition();`
  return `DO ${dollarQuoted(`BEGIN ${made} EXCEPTION WHEN syntax_error_or_access_rule_violation THEN DROP TRIGGER IF EXISTS ${name} ON ${root}; END`)};`
}

/** Of members whose columns do not stand in the root's order, as one that was attached may have them: the columns, by qualified name. */
function reorderedColumns(rows: readonly (readonly (string | null)[])[]): ReadonlyMap<string, readonly string[]> {
  const ofAll = new Map(
    rows.map(([schema, name, , , , , , , columns]) => [qualified(schema ?? '', name ?? ''), columns]),
  )
  const reordered = new Map<string, readonly string[]>()
  for (const [schema, name, , , rootSchema, rootName, , , columns] of rows) {
    const own = qualified(schema ?? '', name ?? '')
    if (columns !== ofAll.get(qualified(rootSchema ?? '', rootName ?? ''))) reordered.set(own, [...namesIn(columns)])
  }
  return reordered
}

/** Trees of partitions alone, members numbered in their order. */
function membersSql(
  rows: readonly (readonly (string | null)[])[],
  reordered: ReadonlyMap<string, readonly string[]>,
): string {
  const members = rows.filter(([, , kind, isPartition]) => kind === 'p' || isTrue(isPartition))
  const idOf = new Map(members.map(([schema, name], place) => [qualified(schema ?? '', name ?? ''), place + 1]))
  const values = members.map((row) => {
    const [schema, name, , , rootSchema, rootName, , constraint, , aboveSchema, aboveName, key, bound] = row
    const own = qualified(schema ?? '', name ?? '')
    const above = aboveName === null ? 'NULL' : (idOf.get(qualified(aboveSchema ?? '', aboveName ?? '')) ?? 'NULL')
    const texts = [schema ?? '', name ?? '', key, bound, ruleOf(constraint)].map((text) =>
      text === null || text === undefined ? 'NULL' : quoteText(text),
    )
    const root = `${quoteText(qualified(rootSchema ?? '', rootName ?? ''))}::regclass`
    const numbers = numbersOf(root, reordered.get(own))
    return `(${idOf.get(own) ?? 0}, ${above}, ${root}, to_regclass(${quoteText(own)}), ${texts.join(', ')}, ${numbers})`
  })
  if (values.length === 0) return ''
  return `INSERT INTO mesh.partitions (id, parent, root, relation, schema, name, key, bound, rule, numbers) VALUES ${values.join(', ')};`
}

/** Of columns of a root, in the order of a partition's, as SQL. */
function numbersOf(root: string, columns: readonly string[] | undefined): string {
  if (columns === undefined) return 'NULL'
  return `(SELECT array_agg(a.attnum ORDER BY u.place) FROM unnest(ARRAY[${columns.map(quoteText).join(', ')}]) WITH ORDINALITY AS u(name, place)
    JOIN pg_attribute AS a ON a.attrelid = ${root} AND a.attname = u.name)`
}

function isTrue(value: string | null | undefined): boolean {
  return value === 't' || value === 'true'
}

function ruleOf(constraint: string | null | undefined): string {
  return constraint === null || constraint === undefined || constraint === '' ? 'true' : constraint
}

/** What the overlay asks by, before a tree as JSON whose partitions a client has changed. */
export const CHANGED_TREE = 'PARTITIONS '

interface ChangedTree {
  readonly schema: string
  readonly name: string
  readonly columns: readonly string[]
  readonly partitions: readonly {
    readonly schema: string
    readonly name: string
    readonly rule: string
    /** Its columns in their order, as SQL. */
    readonly list: string
    readonly isLeaf: boolean
    /** Its view is to be made, or made anew. */
    readonly isView: boolean
  }[]
}

/** The SQL that makes views of partitions, and the root's guard, as they are now. */
export function changedTreeSql(parsed: unknown): string {
  if (!isTree(parsed)) {
    throw new MeshError('MESH_ERR_INTERNAL', { what: 'expected a tree of partitions from the overlay, found another' })
  }
  const root = qualified(parsed.schema, parsed.name)
  const columns = new Set(parsed.columns)
  const taken = parsed.partitions.filter(({ isLeaf }) => isLeaf).map(({ rule }) => ofNewRow(rule, columns))
  const views = parsed.partitions
    .filter(({ isView }) => isView)
    .map((each) => viewOf(qualified(each.schema, each.name), root, each.rule, each.list))
  return [...views, guardOf(root, taken)].join('\n')
}

/** The query behind it is ours, so its shape is given. */
function isTree(parsed: unknown): parsed is ChangedTree {
  return typeof parsed === 'object' && parsed !== null && 'partitions' in parsed && 'columns' in parsed
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

function partitionView(
  own: string,
  root: string,
  owner: string,
  constraint: string,
  columns: readonly string[] | undefined,
): string {
  return `${viewOf(own, root, ruleOf(constraint), columns?.map(quoteName).join(', ') ?? '*')}\nALTER VIEW ${own} OWNER TO ${quoteName(owner)};`
}

function grantsSql(own: string, grants: string | null | undefined): string {
  const parsed: unknown = JSON.parse(grants ?? '[]')
  return (Array.isArray(parsed) ? parsed : [])
    .map((grant: readonly [string, string | null, string | null, boolean]) => {
      const [right, column, role, isGrantable] = grant
      const what = column === null ? right : `${right} (${quoteName(column)})`
      const whom = role === null ? 'PUBLIC' : quoteName(role)
      return `GRANT ${what} ON ${own} TO ${whom}${isGrantable ? ' WITH GRANT OPTION' : ''};\n`
    })
    .join('')
}

function viewOf(own: string, root: string, rule: string, list: string): string {
  return `CREATE OR REPLACE VIEW ${own} AS SELECT ${list} FROM ${root} WHERE ${rule};`
}
