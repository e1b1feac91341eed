import type { PgErrorFields } from '../../../wire/postgres/error-fields.ts'
import type { SessionSettings } from './settings.ts'
import type { Unrun } from './upstream-connection.ts'
import type { RowSink, UpstreamStatement } from './upstream-statement.ts'

/** A client's statement in lane T0 or TK. */
export interface PassedStatement extends UpstreamStatement {
  readonly lane: 'T0' | 'TK'
  /** Give the sink a RowDescription, of production's oids. */
  readonly describe: boolean
  /** Of a portal with a row limit; 0 or missing: all rows. */
  readonly rowLimit?: number
  /** The client's settings that differ from the role's own on production; see `REPLAYED_SETTINGS`. */
  readonly settings: SessionSettings
}

/** How a passed statement ended. `refused`: nothing was sent; the statement belongs on the overlay. */
export type PassOutcome =
  | { readonly kind: 'complete'; readonly tag: string; readonly rows: number }
  | { readonly kind: 'suspended'; readonly rows: number; readonly portal: PassedPortal }
  | {
      readonly kind: 'failed'
      readonly error: PgErrorFields
      readonly rows: number
      readonly unrun?: Unrun
    }
  | { readonly kind: 'refused'; readonly reason: string }

/** A passed statement that has rows left. It holds a connection to production until it is through, closed, or too old. */
export interface PassedPortal {
  more(rowLimit: number, sink: RowSink): Promise<PassOutcome>
  close(): void
  /** Stops what runs in it, which then fails. */
  cancel(): void
}
