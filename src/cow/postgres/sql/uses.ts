/** Collects what a tree calls and names, node by node: functions, operators, types, columns. */
import type { SyntaxTree } from './node.ts'
import { flagOf, listOf, stringsOf, textOf, unwrapAs } from './node.ts'
import type { Statement } from './statement.ts'

type Uses = Pick<Statement, 'functions' | 'operators' | 'types' | 'valueFunctions' | 'columns'>
type Mutable<T> = { -readonly [Key in keyof T]: T[Key] extends readonly (infer Item)[] ? Item[] : never }

/** A name of one to three parts: catalog.schema.name, of which the last two matter. */
function nameOf(parts: readonly string[]): { readonly schema: string | undefined; readonly name: string } {
  return { schema: parts.at(-2), name: parts.at(-1) ?? '' }
}

/** Expression kinds whose operator is spelled by syntax, and what they stand for. */
const SYNTAX_OPERATORS: ReadonlySet<string> = new Set([
  'AEXPR_BETWEEN',
  'AEXPR_NOT_BETWEEN',
  'AEXPR_BETWEEN_SYM',
  'AEXPR_NOT_BETWEEN_SYM',
])

/** In order of position. */
export function byPosition(one: { readonly position: number }, other: { readonly position: number }): number {
  return one.position - other.position
}

export class UseCollector {
  readonly #uses: Mutable<Uses> = { functions: [], operators: [], types: [], valueFunctions: [], columns: [] }
  readonly #position: (tree: SyntaxTree) => number

  constructor(position: (tree: SyntaxTree) => number) {
    this.#position = position
  }

  /** Functions and columns in order of position. */
  uses(): Uses {
    for (const list of [this.#uses.functions, this.#uses.columns]) list.sort(byPosition)
    return this.#uses
  }

  add(type: string, tree: SyntaxTree, parent: string): void {
    if (type === 'FuncCall') this.#addFunction(tree)
    else if (type === 'A_Expr') this.#addOperator(tree)
    else if (type === 'TypeName') this.#addType(tree, parent === 'TypeCast')
    else if (type === 'SQLValueFunction') {
      this.#uses.valueFunctions.push({ name: textOf(tree, 'op') ?? '', position: this.#position(tree) })
    } else if (type === 'ColumnRef') this.#addColumn(tree)
    else if (type === 'SubLink') this.#addNamedOperator(listOf(tree, 'operName'), tree)
    else if (type === 'SortBy') this.#addNamedOperator(listOf(tree, 'useOp'), tree)
  }

  #addFunction(tree: SyntaxTree): void {
    this.#uses.functions.push({
      ...nameOf(stringsOf(listOf(tree, 'funcname'))),
      position: this.#position(tree),
      argumentCount: listOf(tree, 'args').length + (flagOf(tree, 'agg_star') ? 1 : 0),
      sqlSyntax: textOf(tree, 'funcformat') === 'COERCE_SQL_SYNTAX',
    })
  }

  #addOperator(tree: SyntaxTree): void {
    const kind = textOf(tree, 'kind') ?? ''
    if (!SYNTAX_OPERATORS.has(kind)) return this.#addNamedOperator(listOf(tree, 'name'), tree)
    for (const name of ['>=', '<=', '<', '>']) {
      this.#uses.operators.push({ schema: undefined, name, position: this.#position(tree) })
    }
  }

  #addNamedOperator(names: readonly unknown[], tree: SyntaxTree): void {
    const parts = stringsOf(names)
    if (parts.length > 0) this.#uses.operators.push({ ...nameOf(parts), position: this.#position(tree) })
  }

  #addType(tree: SyntaxTree, cast: boolean): void {
    this.#uses.types.push({ ...nameOf(stringsOf(listOf(tree, 'names'))), position: this.#position(tree), cast })
  }

  #addColumn(tree: SyntaxTree): void {
    const names: string[] = []
    for (const field of listOf(tree, 'fields')) {
      const string = unwrapAs('String', field)
      names.push(string === undefined ? '*' : (textOf(string, 'sval') ?? ''))
    }
    this.#uses.columns.push({ names, position: this.#position(tree) })
  }
}
