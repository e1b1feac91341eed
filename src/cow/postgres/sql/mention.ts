/** What a statement mentions, and where: ranges of its text, names, relations, calls. Positions are UTF-16 offsets into the whole text. */
import { firstFrom } from './ordered.ts'

/** A piece of the text: from `start` up to, not including, `end`. */
export interface TextRange {
  readonly start: number
  readonly end: number
}

/** A name that may carry a schema, after the parser's folding of case. */
export interface NameUse {
  readonly schema: string | undefined
  readonly name: string
  readonly position: number
}

/** What a relation stands for in the statement: read in a FROM, written, or only named (DDL, LOCK, TRUNCATE). */
export type RelationRole = 'read' | 'target' | 'named'

/** One mention of a relation that no CTE of that name hides. */
export interface RelationUse extends NameUse {
  readonly catalogName: string | undefined
  readonly alias: string | undefined
  readonly role: RelationRole
  /** The client wrote ONLY. */
  readonly only: boolean
  /** Read through TABLESAMPLE. */
  readonly sampled: boolean
}

/** One mention of a CTE in a FROM. */
export interface CteUse {
  readonly cte: CteDefinition
  readonly position: number
}

/** One entry of a WITH list. */
export interface CteDefinition {
  readonly name: string
  /** Of its name. */
  readonly position: number
  /** Of the next entry's name; undefined for the last of the list. */
  readonly next: number | undefined
  readonly recursive: boolean
  /** It holds an INSERT, UPDATE, DELETE or MERGE, at any depth. */
  readonly modifies: boolean
}

/** A call of a function, an aggregate or a window function. */
export interface FunctionUse extends NameUse {
  readonly argumentCount: number
  /** Written in syntax of its own (`EXTRACT(.. FROM ..)`): the name is PostgreSQL's, whatever the search_path. */
  readonly sqlSyntax: boolean
}

/** An operator, as `OPERATOR(schema.+)` or plain. */
export type OperatorUse = NameUse

/** A name of a type: in a cast, a column definition list, a DDL column. */
export interface TypeUse extends NameUse {
  /** It stands in `CAST` or `::`, so that a conversion may run. */
  readonly cast: boolean
}

/** `CURRENT_USER`, `CURRENT_TIMESTAMP` and their like: no function calls in the tree. */
export interface ValueFunctionUse {
  /** PostgreSQL's own word for it: `SVFOP_CURRENT_USER`. */
  readonly name: string
  readonly position: number
}

/** A column as it is written: `['o', 'id']`, `['id']`, `['o', '*']`. */
export interface ColumnUse {
  readonly names: readonly string[]
  readonly position: number
}

/** What of a list that is in order of position stands in a part of the text. */
export function usesIn<Use extends { readonly position: number }>(
  uses: readonly Use[],
  { start, end }: TextRange,
): readonly Use[] {
  return uses.slice(firstFrom(uses, start, positionOf), firstFrom(uses, end, positionOf))
}

function positionOf({ position }: { readonly position: number }): number {
  return position
}
