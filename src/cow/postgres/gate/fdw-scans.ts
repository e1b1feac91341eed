import type { PgErrorFields } from '../../../wire/postgres/error-fields.ts'
import { gateFault, SQLSTATE } from './faults.ts'
import type { FdwReply } from './fdw-reply.ts'
import type { Portal, ReadTransaction } from './read-transaction.ts'
import type { Lane } from './sent-statement.ts'
import type { SessionSettings } from './settings.ts'
import type { Snapshot } from './snapshots.ts'
import type { Started, Transactions } from './transactions.ts'
import type { Execution } from './upstream-connection.ts'
import type { RowSink, UpstreamStatement } from './upstream-statement.ts'

/** A cursor that postgres_fdw declared. It reaches production at its first FETCH. */
interface FdwCursor {
  readonly statement: UpstreamStatement
  /** Savepoints that were open when it was declared: it goes with the innermost. */
  level: number
  portal: Portal | undefined
  /** `new`: nothing sent. `suspended`: rows are left on production. */
  state: 'new' | 'suspended' | 'done'
  description: Uint8Array | undefined
}

export interface FdwScanOptions {
  readonly transactions: Transactions
  /** The snapshot that the overlay's backend is in now, if it is in one. */
  readonly snapshot: () => Snapshot | undefined
  /** Those of postgres_fdw's session now. */
  readonly settings: () => SessionSettings
  readonly maxTransactionMs: number
  readonly maxResultBytes: number
}

/** An open scan with this many others on one connection is a leak, not a plan. */
const MAX_CURSORS = 10_000

/**
 * The foreign scans of one connection of postgres_fdw. A scan is one round trip to production: the transaction there begins with
 * the first FETCH and ends as soon as no cursor has rows left. While some have, all share one connection.
 */
export class FdwScans {
  readonly #options: FdwScanOptions
  readonly #cursors = new Map<string, FdwCursor>()
  #own: ReadTransaction | undefined
  #running: ReadTransaction | undefined
  #abort = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #level = 0
  /** Statements under way. */
  #fetching = 0

  constructor(options: FdwScanOptions) {
    this.#options = options
  }

  declare(name: string, statement: UpstreamStatement): PgErrorFields | undefined {
    if (this.#cursors.size >= MAX_CURSORS) return gateFault(SQLSTATE.programLimit, `more than ${MAX_CURSORS} cursors`)
    this.#cursors.set(name, { statement, level: this.#level, portal: undefined, state: 'new', description: undefined })
    return undefined
  }

  /** Gives up to `count` rows of a cursor to postgres_fdw, with their description; the error where it failed. */
  async fetch(name: string, count: number, reply: FdwReply): Promise<PgErrorFields | undefined> {
    const cursor = this.#cursors.get(name)
    if (cursor === undefined) return gateFault(SQLSTATE.noSuchCursor, `cursor "${name}" does not exist`)
    const end = await this.#advance(cursor, count, reply)
    if (end.kind === 'failed') {
      this.#lostCursors()
      return end.error
    }
    cursor.state = end.kind === 'suspended' ? 'suspended' : 'done'
    this.#settle()
    reply.completed(`FETCH ${end.rows}`)
    return undefined
  }

  /** Runs a statement to its end, outside of any cursor. */
  async runWhole(statement: UpstreamStatement, lane: Lane, sink: RowSink): Promise<Execution> {
    const started = await this.#start(statement, 0, lane, sink)
    if (started.end.kind === 'failed') this.#lostCursors()
    else this.#settle()
    return started.end
  }

  close(name: string): void {
    const cursor = this.#cursors.get(name)
    this.#cursors.delete(name)
    if (cursor?.state !== 'suspended' || cursor.portal === undefined) return
    this.#running?.closePortal(cursor.portal)
    this.#settle()
  }

  savepoint(level: number): void {
    this.#level = level
  }

  /** Its cursors belong to the level around it now. */
  release(level: number): void {
    this.#level = level - 1
    for (const cursor of this.#cursors.values()) cursor.level = Math.min(cursor.level, this.#level)
  }

  /** Cursors declared behind the savepoint are gone. */
  rollbackTo(level: number): void {
    for (const [name, cursor] of this.#cursors) if (cursor.level >= level) this.close(name)
    this.#level = level
  }

  /** The end of postgres_fdw's transaction: nothing is left open on production, but for a snapshot that others hold. */
  end(): void {
    for (const name of this.#cursors.keys()) this.close(name)
    this.#level = 0
    this.#endOwn()
  }

  /** Stops what is running or waited for. */
  cancel(): void {
    this.#abort.abort()
    this.#abort = new AbortController()
    this.#running?.cancel()
  }

  /** postgres_fdw is gone. */
  destroy(): void {
    if (this.#fetching > 0) this.cancel()
    this.end()
  }

  async #advance(cursor: FdwCursor, count: number, reply: FdwReply): Promise<Execution> {
    if (cursor.state === 'done') {
      if (cursor.description !== undefined) reply.append(cursor.description)
      return { kind: 'complete', tag: '', rows: 0 }
    }
    const limit = this.#limit()
    const sink = reply.sink({
      onDescription: (bytes) => {
        // A statement that is run once more describes itself once more.
        if (cursor.description === undefined) reply.append(bytes)
        cursor.description = Uint8Array.from(bytes)
      },
      mayTake: (bytes) => limit.mayTake(bytes),
    })
    let end: Execution
    if (cursor.state === 'new') {
      const started = await this.#start(cursor.statement, count, 'scan', sink)
      cursor.portal = started.portal
      end = started.end
    } else {
      if (cursor.description !== undefined) reply.append(cursor.description)
      end = await this.#resume(cursor, count, sink)
    }
    return limit.judge(end)
  }

  async #start(statement: UpstreamStatement, maxRows: number, lane: Lane, sink: RowSink): Promise<Started> {
    const { transactions } = this.#options
    const settings = this.#options.settings()
    this.#fetching++
    try {
      const signal = this.#abort.signal
      const request = { purpose: 'ordinary' as const, settings, signal }
      const run = { lane, maxRows, describe: true }
      const snapshot = this.#options.snapshot()
      if (snapshot !== undefined) {
        const started = await snapshot.run(request, statement, run, sink)
        this.#running = started.transaction
        return started
      }
      const own = this.#own
      if (own?.isOpen === true) {
        const { portal, end } = own.run(statement, { ...run, after: 'await' }, sink)
        return { transaction: own, portal, end: await end }
      }
      const started = await transactions.start(
        { ...request, isolation: 'statement' },
        statement,
        { ...run, after: 'await' },
        sink,
      )
      this.#own = started.transaction
      this.#running = started.transaction
      return started
    } finally {
      this.#fetching--
    }
  }

  async #resume(cursor: FdwCursor, count: number, sink: RowSink): Promise<Execution> {
    const { portal } = cursor
    const transaction = this.#running
    if (portal === undefined || transaction === undefined) return { kind: 'failed', error: OVER, rows: 0, lost: false }
    this.#fetching++
    try {
      return await transaction.resume(portal, count, transaction === this.#own ? 'await' : 'idle', sink)
    } finally {
      this.#fetching--
    }
  }

  /** Ends the transaction on production where no cursor needs it; watches its age where one does. */
  #settle(): void {
    let isNeeded = false
    for (const cursor of this.#cursors.values()) isNeeded ||= cursor.state === 'suspended'
    if (!isNeeded) this.#endOwn()
    else this.#timer ??= setTimeout(() => this.#expire(), this.#options.maxTransactionMs)
  }

  #endOwn(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#own?.commit()
    this.#own = undefined
    this.#running = undefined
  }

  #expire(): void {
    this.#own?.cancel()
    this.#lostCursors()
  }

  /** The transaction that the open portals lived in is over. */
  #lostCursors(): void {
    for (const cursor of this.#cursors.values()) if (cursor.state === 'suspended') cursor.portal = undefined
    this.#endOwn()
  }

  #limit(): { mayTake(bytes: number): boolean; judge(end: Execution): Execution } {
    const { maxResultBytes } = this.#options
    let taken = 0
    return {
      mayTake: (bytes) => {
        taken += bytes
        if (taken > maxResultBytes && taken - bytes <= maxResultBytes) this.cancel()
        return taken <= maxResultBytes
      },
      judge: (end) => {
        if (taken <= maxResultBytes) return end
        const message = `a foreign scan gave more than ${maxResultBytes} bytes`
        return { kind: 'failed', error: gateFault(SQLSTATE.programLimit, message), rows: 0, lost: false }
      },
    }
  }
}

const OVER = gateFault(
  SQLSTATE.serializationFailure,
  "the cursor's transaction on production is over: it failed there, or was open for too long",
  'repeat the transaction',
)
