import { parseSql } from '../sql/parser.ts'

/** A text's statements as PostgreSQL's own grammar gives them: node names are keys that begin with a capital letter. */
export interface ParsedStatements {
  /** One entry a statement: `{ SelectStmt: … }`. Empty for comments alone. */
  readonly statements: readonly unknown[]
}

/** The statements of a text, or the grammar's own complaint. */
export function parseStatements(text: string): ParsedStatements | { readonly failure: string } {
  const parsed = parseSql(text)
  if (parsed.failure) return { failure: parsed.message }
  return { statements: parsed.statements.map(({ type, tree }) => ({ [type]: tree })) }
}
