import type { ParsedTree, RawStatement } from './parser.ts'
import type { RelationUse, TextRange } from './mention.ts'

/** A raw statement with what the walk found of it. */
export interface Described {
  readonly parsed: ParsedTree
  readonly raw: RawStatement
  readonly range: TextRange
  readonly relations: readonly RelationUse[]
}
