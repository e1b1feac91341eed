import type { Execution } from './upstream-connection.ts'
import type { UpstreamStatement } from './upstream-statement.ts'

/**
 * Why a statement goes to production. `T0`, `TK`: passed for a client. `scan`: a foreign scan of the overlay. `explain`: its
 * planner asks for costs. `catalog`: our own read. `dump`: the schema's clone.
 */
export type Lane = 'T0' | 'TK' | 'scan' | 'explain' | 'catalog' | 'dump'

/** One execution on production, after its end. */
export interface SentStatement {
  readonly lane: Lane
  readonly statement: UpstreamStatement
  /** More rows of a statement that was recorded before. */
  readonly isContinued: boolean
  /** Of the server process on production. */
  readonly processId: number
  readonly durationNs: number
  readonly end: Execution
}
