/**
 * The parser's tree as plain JSON, read through checks. A field of a general type is wrapped, `{"SelectStmt": {..}}`; a
 * field of one type is not; zero, false and empty are left out, also for locations.
 */
export type SyntaxTree = Readonly<Record<string, unknown>>

/** A node with the name of its type. */
export interface TypedNode {
  readonly type: string
  readonly tree: SyntaxTree
}

export function isTree(value: unknown): value is SyntaxTree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The type and content of a wrapped node; undefined for anything else. */
export function unwrap(value: unknown): TypedNode | undefined {
  if (!isTree(value)) return undefined
  for (const type in value) {
    const letter = type.charCodeAt(0)
    const tree = value[type]
    return letter >= 65 && letter <= 90 && isTree(tree) ? { type, tree } : undefined
  }
  return undefined
}

/** The content of a wrapped node of the given type; undefined for another. */
export function unwrapAs(type: string, value: unknown): SyntaxTree | undefined {
  const node = unwrap(value)
  return node?.type === type ? node.tree : undefined
}

/** A field that holds a node, wrapped or not; undefined where absent. */
export function fieldOf(tree: SyntaxTree, key: string): SyntaxTree | undefined {
  const value = tree[key]
  return isTree(value) ? value : undefined
}

/** A field that holds a list; empty where absent. */
export function listOf(tree: SyntaxTree, key: string): readonly unknown[] {
  const value: unknown = tree[key]
  return Array.isArray(value) ? value : []
}

/** A field that holds text; undefined where absent or empty. */
export function textOf(tree: SyntaxTree, key: string): string | undefined {
  const value = tree[key]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** A field that holds a number; 0 where absent, as the parser writes zero. */
export function numberOf(tree: SyntaxTree, key: string): number {
  const value = tree[key]
  return typeof value === 'number' ? value : 0
}

/** A field that is true; false where absent. */
export function flagOf(tree: SyntaxTree, key: string): boolean {
  return tree[key] === true
}

/** The texts of a list of String nodes: the parts of a qualified name. */
export function stringsOf(values: readonly unknown[]): readonly string[] {
  const strings: string[] = []
  for (const value of values) {
    const string = unwrapAs('String', value)
    if (string !== undefined) strings.push(textOf(string, 'sval') ?? '')
  }
  return strings
}

/** The text of a constant as SET and DefElem take them: string, number, boolean, type name; undefined for another node. */
export function constantText(value: unknown): string | undefined {
  const node = unwrap(value)
  if (node === undefined) return undefined
  const { type, tree } = node
  if (type === 'String') return textOf(tree, 'sval') ?? ''
  if (type === 'Integer') return String(numberOf(tree, 'ival'))
  if (type === 'Float') return textOf(tree, 'fval')
  if (type === 'Boolean') return flagOf(tree, 'boolval') ? 'true' : 'false'
  if (type === 'TypeName') return stringsOf(listOf(tree, 'names')).at(-1)
  if (type === 'TypeCast') return constantText(tree['arg'])
  if (type !== 'A_Const') return undefined
  const [string, whole, real, truth] = ['sval', 'ival', 'fval', 'boolval'].map((key) => fieldOf(tree, key))
  if (string !== undefined) return textOf(string, 'sval') ?? ''
  if (whole !== undefined) return String(numberOf(whole, 'ival'))
  if (real !== undefined) return textOf(real, 'fval')
  return truth === undefined ? undefined : flagOf(truth, 'boolval') ? 'true' : 'false'
}
