import type { ServerOptions } from '../server-connection.ts'

/** How the gate is set up. */
export interface GateOptions {
  /** Production, and who we are there. */
  readonly upstream: ServerOptions
  /** A folder that is there and is private to mesh and the overlay; the gate makes its own inside (0700) for its socket. */
  readonly folder: string
  /** As whom the overlay's server runs, where that is somebody else (mesh runs as root): owns the socket and its folder. */
  readonly owner?: { readonly uid: number; readonly gid: number }
  /** Where every statement sent is written. None: nowhere. */
  readonly auditFile?: string
  /** Connections to production at most. Default 10, at least 2: one is kept for copy-up and catalogue reads. */
  readonly poolSize?: number
  /** How long a statement waits for a connection before it fails with 53300. Default 10 s. */
  readonly waitTimeoutMs?: number
  /** A connection that nobody used for this long is closed. Default 60 s. */
  readonly idleTimeoutMs?: number
  /** statement_timeout of every connection. Default 60 s. */
  readonly statementTimeoutMs?: number
  /** A connection on which production owes an answer and says nothing for so long is given up, with 08006. Default 5 s more than `statementTimeoutMs`. */
  readonly maxSilenceMs?: number
  /** A run of a passed statement within this was short: after some the text is trusted to be, and shares packets with others. Default 10 ms. */
  readonly shortMs?: number
  /** A statement that takes longer is not short, and is ended where it shares a packet, to run by itself. Default 200 ms. */
  readonly maxShortMs?: number
  /** How long a transaction on production may stay open between its statements, for a client's snapshot or cursor. Default 5 min. */
  readonly maxTransactionMs?: number
  /** Of one passed statement or foreign scan: more fails with 54000. Default 16 GiB. */
  readonly maxResultBytes?: number
  /** How long production's cost estimates serve. Default 60 s. */
  readonly explainMaxAgeMs?: number
  /** What mesh says to functions of the overlay that ask over the gate's socket. Default: nothing. */
  readonly answer?: (question: string) => string
  /** Start although the role on production may do more than read. Default false. */
  readonly trustUpstreamRole?: boolean
}

/** All options with their defaults. */
export interface GateLimits {
  readonly poolSize: number
  readonly waitTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly statementTimeoutMs: number
  readonly maxSilenceMs: number
  readonly shortMs: number
  readonly maxShortMs: number
  readonly maxTransactionMs: number
  readonly maxResultBytes: number
}

/** Production ends a statement by itself, and has this long to say so. */
const SILENCE_GRACE_MS = 5000

const MIN_POOL_SIZE = 2

export function limitsOf(options: GateOptions): GateLimits {
  const statementTimeoutMs = options.statementTimeoutMs ?? 60_000
  return {
    poolSize: Math.max(options.poolSize ?? 10, MIN_POOL_SIZE),
    waitTimeoutMs: options.waitTimeoutMs ?? 10_000,
    idleTimeoutMs: options.idleTimeoutMs ?? 60_000,
    statementTimeoutMs,
    maxSilenceMs: options.maxSilenceMs ?? statementTimeoutMs + SILENCE_GRACE_MS,
    shortMs: options.shortMs ?? 10,
    maxShortMs: options.maxShortMs ?? 200,
    maxTransactionMs: options.maxTransactionMs ?? 300_000,
    maxResultBytes: options.maxResultBytes ?? 16 * 1024 ** 3,
  }
}

/** What every connection to production says of itself. The access mode here is a second fence: each transaction states its own. */
export function sessionParameters(limits: GateLimits): Readonly<Record<string, string>> {
  return {
    application_name: 'mesh cow',
    client_encoding: 'UTF8',
    // Of those that the role may have there: what is sent means there what it means to the parser that judged it.
    standard_conforming_strings: 'on',
    array_nulls: 'on',
    transform_null_equals: 'off',
    default_transaction_read_only: 'on',
    statement_timeout: String(limits.statementTimeoutMs),
    // Should mesh hang, production frees itself.
    idle_in_transaction_session_timeout: String(limits.maxTransactionMs + 30_000),
  }
}
