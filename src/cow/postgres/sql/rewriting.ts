/** What becomes of a statement before the overlay runs it: the nouns of `rewrite()`. */
import type { MergedTable } from '../catalog.ts'
import type { RelationUse } from './mention.ts'

/**
 * A query for the keys of base rows that the statement may touch. Run on the client's own backend, in order: copy up
 * the keys of one before the next is run, for a later probe may read what an earlier one brought in. Inside the
 * transaction of the statement (BEGIN .. COMMIT around both where the client has none), so that `now()`, snapshots
 * and locks agree. Parsed with the parameter types of the statement itself: its `$n` are the same, some may be unused.
 */
export interface KeyProbe {
  readonly table: MergedTable
  /** Gives the table's key columns, in order, as they are typed. Rows may repeat. */
  readonly text: string
  /** Why: for logs and errors. */
  readonly reason: 'update' | 'delete' | 'merge' | 'lock' | 'conflict'
  /** It reads candidates of SKIP LOCKED: where the statement then finds no row, and this gave some, try again. */
  readonly skipLocked: boolean
  /** Where it is for one row: all of it in one query. */
  readonly single?: SingleProbe | undefined
}

/** A query that copies one row up where that is not done yet, and gives in its first column how many rows it was. */
export interface SingleProbe {
  readonly text: string
  /** It holds for parameters of these types only, given as OIDs. */
  readonly parameters: readonly { readonly number: number; readonly types: readonly number[] }[]
}

/** Why a statement is not run, ready for an ErrorResponse. */
export interface Refusal {
  /** SQLSTATE. */
  readonly code: string
  readonly message: string
  readonly hint?: string
  /** As in an ErrorResponse: characters from 1, in the client's whole text. */
  readonly position?: number
}

/** COPY .. FROM into a merged table, which row-level security refuses: load a relation like it, then INSERT .. SELECT. */
export interface CopyIn {
  readonly table: MergedTable
  /** Those that the client listed, else all that are not generated. */
  readonly columns: readonly string[]
  /** The client's COPY into another relation (given as SQL) that has these columns. */
  textFor(relation: string): string
  /** FROM a file or a program of the server: no CopyData comes from the client. */
  readonly fromServer: boolean
}

/** A statement as the overlay shall run it. */
export interface Rewriting {
  /** The statement alone, without its semicolon, even where the client's text has several. */
  readonly text: string
  /** False where `text` is the client's, letter by letter. */
  readonly changed: boolean
  readonly probes: readonly KeyProbe[]
  /** Tables without a key that are written: all their rows must be local first. */
  readonly hydrate: readonly MergedTable[]
  /** Every merged table that is written or locked, whether a probe was needed or not. */
  readonly written: readonly MergedTable[]
  /** Views that are written or locked: their tables are reached by triggers only. */
  readonly views: readonly RelationUse[]
  readonly refusal?: Refusal
  readonly copyIn?: CopyIn
  /** Merged tables of a TRUNCATE. The others of its list stand in `text`, which is empty when there are none. */
  readonly truncate?: readonly MergedTable[]
  /** Merged tables that a DDL statement names. */
  readonly ddlTables?: readonly MergedTable[]
  /** From a position in `text` to one in the client's whole text; both count characters from 1, as an ErrorResponse. */
  positions(position: number): number
}

/** What the rewriter asks about functions that PostgreSQL does not bring along. */
export interface RewriteFacts {
  /** Operators are looked for in pg_catalog first: no schema of the search_path stands before it. Default: not known. */
  readonly catalogFirst?: boolean
  /** As pg_proc.provolatile, over all functions that the name can mean; undefined counts as volatile. */
  volatility?(name: { readonly schema: string | undefined; readonly name: string }): 'i' | 's' | 'v' | undefined
}
