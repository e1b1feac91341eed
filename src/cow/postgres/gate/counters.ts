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
  /** Statements that production reported as anything but a read: 0, or something is badly wrong. */
  readonly writes: number
  /** Scans of the overlay that found production's schema to be another than the branch was made with. */
  readonly drifted: number
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

/** How production reports what reads, and what is said around it; `''` an empty statement. Whatever is not among these is a write. */
const READING_TAGS: ReadonlySet<string> = new Set([
  '',
  'SELECT',
  'FETCH',
  'EXPLAIN',
  'SHOW',
  'SET',
  'RESET',
  'BEGIN',
  'START TRANSACTION',
  'COMMIT',
  'ROLLBACK',
  'DECLARE CURSOR',
  'CLOSE CURSOR',
  'PREPARE',
  'DEALLOCATE',
  'LOCK TABLE',
])

/** The counts that statements make. */
export class StatementCounts {
  readonly sent: Record<Lane, number> = { T0: 0, TK: 0, scan: 0, explain: 0, catalog: 0, dump: 0 }
  rows = 0
  failed = 0
  refused = 0
  writes = 0
  drifted = 0

  /** One that production skipped is counted when it is sent again. */
  count(statement: SentStatement): void {
    if (statement.end.kind === 'failed' && statement.end.unrun === 'skipped') return
    if (!statement.isContinued) this.sent[statement.lane]++
    this.rows += statement.end.rows
    if (statement.end.kind === 'failed') this.failed++
    if (statement.end.kind === 'complete' && !READING_TAGS.has(commandOf(statement.end.tag))) this.writes++
  }
}

/** `INSERT` of `INSERT 0 1`. */
function commandOf(tag: string): string {
  return tag.replace(/[ \d]+$/, '')
}
