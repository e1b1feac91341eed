/** Where a read runs: the nouns of `laneOf()`. */
import type { MergedTable, RelationName, TypedColumn } from '../catalog.ts'

/** Where the value of a key column comes from. */
export type KeyValue =
  | { readonly from: 'parameter'; readonly number: number; readonly type: string }
  | {
      readonly from: 'literal'
      readonly text: string
      readonly type: string
      /** Where it stands in the text. */
      readonly position: number
    }

/**
 * `T0`: verbatim to production. `TK`: verbatim to production unless the row of this key is touched, then to the
 * overlay; `key` has one value for each key column, in order. `T2`: to the overlay.
 */
export type Lane =
  | { readonly lane: 'T0'; readonly tables: readonly MergedTable[] }
  | { readonly lane: 'TK'; readonly table: MergedTable; readonly key: readonly KeyValue[] }
  | { readonly lane: 'T2'; readonly reason: string }

/** What a session knows that decides a lane. Every answer is for this moment: lanes are not cached. */
export interface LaneFacts {
  /**
   * What a name means: a merged table with whether any row of it may differ from production's; `views` gives the base
   * tables of a view whose definition production has too and which calls nothing outside the allow-list, else
   * `other`. Temporary and local relations, catalogues and unknown names are `other`.
   */
  relation(name: RelationName): LaneRelation
  /** In a transaction block: `now()` must be the overlay's. */
  readonly inTransaction: boolean
  /** REPEATABLE READ or SERIALIZABLE: TK is off, T0 only on a shared snapshot (`sharedSnapshot`). */
  readonly repeatable: boolean
  readonly sharedSnapshot: boolean
  /** Functions, operators, casts or types outside pg_catalog are (or may be) visible in the search_path and share a name with a builtin. */
  shadowed(kind: 'function' | 'operator' | 'type', name: string): boolean
  /**
   * A type of a user, as `format_type` writes it, all of whose operators are builtin: an enum, a domain over a builtin
   * type. Its columns may be compared in production, but not returned: their OIDs differ.
   */
  comparable(type: string): boolean
  /** Equal texts of the table's key are the same bytes: no key column has a nondeterministic collation. */
  textKeysExact(table: MergedTable): boolean
  /** OIDs that the client declared for its parameters in Parse; 0 or absent is undeclared. */
  readonly parameterTypes: readonly number[]
}

export type LaneRelation =
  | { readonly kind: 'merged'; readonly table: MergedTable; readonly dirty: boolean }
  | {
      readonly kind: 'view'
      readonly tables: readonly MergedTable[]
      readonly columns: readonly TypedColumn[]
      readonly dirty: boolean
    }
  | { readonly kind: 'other' }
