import type { Lane, SentStatement } from './sent-statement.ts'

/** What the gate has done since it was opened. */
export interface GateCounters {
  /** Statements sent to production, by why; an execution that goes on is not counted again. */
  readonly sent: Readonly<Record<Lane, number>>
  readonly rows: number
  /** Statements that production answered with an error. */
  readonly failed: number
  /** Statements that were not sent, because they are not provably reads. */
  readonly refused: number
  readonly explainHits: number
  /** Connections to production: now, at most at once, made in all. */
  readonly open: number
  readonly busy: number
  readonly mostOpen: number
  readonly connected: number
  /** Statements that wait for one, and those that waited in vain. */
  readonly waiting: number
  readonly timedOut: number
  /** Connections of the overlay's postgres_fdw. */
  readonly foreignSessions: number
  /** REPEATABLE READ transactions that hold a connection. */
  readonly snapshots: number
}

/** The counts that statements make. */
export class StatementCounts {
  readonly sent: Record<Lane, number> = { T0: 0, TK: 0, scan: 0, explain: 0, catalog: 0, dump: 0 }
  rows = 0
  failed = 0
  refused = 0

  count(statement: SentStatement): void {
    if (!statement.isContinued) this.sent[statement.lane]++
    this.rows += statement.end.rows
    if (statement.end.kind === 'failed') this.failed++
  }
}
