/** Query levels: the SELECTs and writes inside a statement that need more than their relations' names. */
import type { SyntaxTree } from './node.ts'
import type { CteUse, RelationUse } from './mention.ts'

/** One leaf of a FROM or USING list. */
export interface FromItem {
  readonly kind: 'relation' | 'cte' | 'subselect' | 'other'
  /** What its columns may be qualified with; empty where it has no name. */
  readonly alias: string
  /** It stands inside a join with an alias of its own, so that nothing outside can name it. */
  readonly hidden: boolean
  readonly relation?: RelationUse
  readonly cte?: CteUse
  /** Of a subselect: its level, for a locking clause reaches into it. */
  readonly select?: SelectLevel
}

/** A row lock that a SELECT asks for. */
export interface RowLock {
  /** `LCS_FORUPDATE`, `LCS_FORSHARE`, ... */
  readonly strength: string
  readonly wait: 'block' | 'skip' | 'nowait'
  /** The names of its OF list; empty for all items. */
  readonly of: readonly string[]
}

export interface SelectLevel {
  readonly tree: SyntaxTree
  readonly from: readonly FromItem[]
  readonly locks: readonly RowLock[]
  /** A position inside it that is at its own depth: that of its first output column; undefined where it has none. */
  readonly anchor: number | undefined
  /** It is the whole statement, or its body. */
  readonly top: boolean
}

export const WRITE_OPERATIONS = ['insert', 'update', 'delete', 'merge'] as const

export type WriteOperation = (typeof WRITE_OPERATIONS)[number]

export interface WriteLevel {
  readonly operation: WriteOperation
  readonly tree: SyntaxTree
  readonly target: RelationUse
  /** FROM of UPDATE, USING of DELETE and MERGE. */
  readonly from: readonly FromItem[]
}
