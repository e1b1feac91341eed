/** A node of a parse tree, or a part of one. */
export type TreeNode = Readonly<Record<string, unknown>>

export function isNode(value: unknown): value is TreeNode {
  return typeof value === 'object' && value !== null
}

/** A possibly qualified name in a field: `[{ String: { sval: 'pg_catalog' } }, …]`; '' for what is not a name. */
export function namesOf(value: unknown, field: string): readonly string[] {
  const list = isNode(value) ? value[field] : undefined
  if (!Array.isArray(list)) return []
  return list.map((entry: unknown) => {
    const name = isNode(entry) ? entry['String'] : undefined
    const text = isNode(name) ? name['sval'] : undefined
    return typeof text === 'string' ? text : ''
  })
}

/** Parts of a statement that write, lock rows, or make a table of a read. */
export const WRITING_KEYS: readonly string[] = [
  'intoClause',
  'lockingClause',
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
]

/** What `judge` has against any part of a tree; undefined: nothing. Walked without recursion: nesting is the sender's choice. */
export function objectionIn(
  root: unknown,
  judge: (key: string, value: unknown) => string | undefined,
): string | undefined {
  const pending: unknown[] = [root]
  while (pending.length > 0) {
    const node = pending.pop()
    if (Array.isArray(node)) for (const item of node) pending.push(item)
    else if (isNode(node)) {
      for (const [key, value] of Object.entries(node)) {
        const reason = judge(key, value)
        if (reason !== undefined) return reason
        pending.push(value)
      }
    }
  }
  return undefined
}
