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
