import { qualified, quoteName } from './identifiers.ts'

/**
 * Members of inheritance trees: schema, name, kind of relation, whether it is a partition, topmost root's schema and name, owner, and
 * for a partition which rows of the root it has. A root stands with itself.
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
  CASE WHEN c.relispartition THEN pg_catalog.pg_get_partition_constraintdef(c.oid) END
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
  /** Members for which there is no view: inheritance without partitioning, and partitions by hash. */
  readonly absent: readonly string[]
}

/** Reads the rows of `PARTITIONS_QUERY`. */
export function flattenTrees(rows: readonly (readonly (string | null)[])[]): FlattenedTrees {
  const roots = new Set<string>()
  const excluded: string[] = []
  const absent: string[] = []
  const views: string[] = []
  for (const [schema, name, kind, isPartition, rootSchema, rootName, owner, constraint] of rows) {
    const own = qualified(schema ?? '', name ?? '')
    const root = qualified(rootSchema ?? '', rootName ?? '')
    if (own === root) {
      if (kind === 'p') roots.add(`${schema ?? ''}.${name ?? ''}`)
      continue
    }
    excluded.push(own)
    const partition = isPartition === 't' || isPartition === 'true'
    if (!partition || constraint?.includes('satisfies_hash_partition') === true)
      absent.push(`${schema ?? ''}.${name ?? ''}`)
    else views.push(partitionView(own, root, owner ?? '', constraint ?? 'true'))
  }
  return { roots, excluded, views: views.join('\n'), absent }
}

function partitionView(own: string, root: string, owner: string, constraint: string): string {
  return `CREATE VIEW ${own} AS SELECT * FROM ${root} WHERE ${constraint === '' ? 'true' : constraint};\nALTER VIEW ${own} OWNER TO ${quoteName(owner)};`
}
