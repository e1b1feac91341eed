import type { Socket } from 'node:net'
import { MeshError } from '../../../core/errors.ts'
import { readRowDescription, readTextRow } from '../../../wire/postgres/backend.ts'
import type { PgField } from '../../../wire/postgres/backend.ts'
import { MessageFramer } from '../../../wire/postgres/framer.ts'
import { MessageBuilder } from '../../../wire/postgres/message-builder.ts'
import { connectServer, type QueryResult } from '../server-connection.ts'
import { loadParser } from '../sql/parser.ts'
import { AuditLog } from './audit.ts'
import { type GateCounters, StatementCounts } from './counters.ts'
import { DumpTransport } from './dump-transport.ts'
import { ExplainCache } from './explain-cache.ts'
import { thrownFault } from './faults.ts'
import { FDW_SETTINGS } from './fdw-command.ts'
import { FdwScans } from './fdw-scans.ts'
import { FdwServer, GATE_PORT } from './fdw-server.ts'
import { FdwSession } from './fdw-session.ts'
import { judgeFdwStatement } from './fdw-statement.ts'
import { type GateLimits, type GateOptions, limitsOf } from './options.ts'
import { loadPassable, type Passable } from './passable.ts'
import { passStatement } from './pass.ts'
import type { PassedStatement, PassOutcome } from './passed.ts'
import { objectionToPassing } from './passed-statement.ts'
import { ShortHistory } from './short-history.ts'
import { Pool } from './pool.ts'
import type { Cancellable } from './result-limit.ts'
import { SessionDefaults } from './session-defaults.ts'
import { type SessionSettings, unknownSetting } from './settings.ts'
import { ShortReads, type ShortOutcome } from './short-reads.ts'
import { checkRole, type RoleReport } from './role-check.ts'
import { loadShippable, type Shippable } from './shippable.ts'
import { Snapshots } from './snapshots.ts'
import { TextVerdicts } from './text-verdicts.ts'
import { Transactions } from './transactions.ts'
import { UpstreamConnection } from './upstream-connection.ts'
import type { RowSink } from './upstream-statement.ts'

/** The only thing that connects to production. */
export interface Gate {
  /** Where postgres_fdw connects: `host` and `port` of its server. Any user and database will do. */
  readonly socketFolder: string
  readonly port: number
  /** What our role on production may do, as it was at the start. */
  readonly role: RoleReport
  /** Extensions of production of which postgres_fdw may send functions, operators and types. */
  readonly extensions: ReadonlySet<string>
  /** Our own read of production: one statement, values in text form. */
  query(text: string, values?: readonly (string | null)[]): Promise<QueryResult>
  /** Runs a client's statement on production, in lane T0 or TK. The signal cancels it. */
  pass(statement: PassedStatement, sink: RowSink, signal?: AbortSignal): Promise<PassOutcome>
  /**
   * The same for a statement that has always been short: it shares a transaction with those of other clients. `ended` is told of
   * the end, later. Undefined where it is not known to be short: nothing was done.
   */
  passShort(statement: PassedStatement, sink: RowSink, ended: (outcome: ShortOutcome) => void): Cancellable | undefined
  /** A connection for pg_dump to read the schema over. The caller closes it. */
  transportForDump(signal?: AbortSignal): Promise<DumpTransport>
  /** The session whose foreign scans come by that name has begun a REPEATABLE READ or SERIALIZABLE transaction: they share one on production. */
  beginSnapshot(name: string): void
  endSnapshot(name: string): void
  /** Reads production's lists of functions, operators and types anew, after its schema changed. */
  reload(): Promise<void>
  counters(): GateCounters
  close(): Promise<void>
}

/**
 * Opens the gate: connects to production, checks the role there, and listens for postgres_fdw.
 *
 * @throws MeshError `MESH_ERR_PERMISSION` where the role may do more than read (unless it is trusted), else as `connectServer`.
 */
export async function openGate(options: GateOptions, signal: AbortSignal): Promise<Gate> {
  const limits = limitsOf(options)
  await loadParser()
  const audit = options.auditFile === undefined ? undefined : await AuditLog.open(options.auditFile)
  const defaults = new SessionDefaults(limits)
  const pool = new Pool({
    connect: (closing) => connect(options, defaults, limits.maxSilenceMs, AbortSignal.any([closing, signal])),
    ...sizes(limits),
  })
  try {
    return await OpenGate.open({ options, limits, defaults, pool, audit })
  } catch (error) {
    await pool.close()
    await audit?.close()
    throw error
  }
}

async function connect(
  { upstream }: GateOptions,
  defaults: SessionDefaults,
  maxSilenceMs: number,
  signal: AbortSignal,
): Promise<UpstreamConnection> {
  const parameters = { ...upstream.parameters, ...defaults.parameters }
  const connection = await connectServer({ ...upstream, parameters }, signal)
  if (connection.parameters.get(STRINGS) === 'on') return new UpstreamConnection(connection, maxSilenceMs)
  connection.destroy()
  throw new MeshError('MESH_ERR_PERMISSION', {
    what: `expected production to read strings by the standard, found ${STRINGS} not on though the connection asked for it`,
    where: connection.where,
    remedy: 'name production itself in --upstream: a pooler in between may drop what connections ask for',
  })
}

/** Off, a backslash in a string moves its end: the server would run another statement than the gate has judged. */
const STRINGS = 'standard_conforming_strings'

function sizes(limits: GateLimits): {
  readonly size: number
  readonly waitTimeoutMs: number
  readonly idleTimeoutMs: number
} {
  return { size: limits.poolSize, waitTimeoutMs: limits.waitTimeoutMs, idleTimeoutMs: limits.idleTimeoutMs }
}

/** Of EXPLAINs and scans: texts with values in them come and go. */
const MAX_VERDICT_BYTES = 8 * 1024 * 1024

interface GateParts {
  readonly options: GateOptions
  readonly limits: GateLimits
  readonly defaults: SessionDefaults
  readonly pool: Pool
  readonly audit: AuditLog | undefined
}

class OpenGate implements Gate {
  readonly port: number = GATE_PORT
  readonly role: RoleReport
  readonly #limits: GateLimits
  readonly #options: GateOptions
  readonly #pool: Pool
  readonly #audit: AuditLog | undefined
  readonly #counts = new StatementCounts()
  readonly #transactions: Transactions
  readonly #snapshots: Snapshots
  readonly #explains: ExplainCache
  #shippable: Shippable = NOTHING_SHIPPABLE
  #passable: Passable = NOTHING_PASSABLE
  #fdwVerdicts = new TextVerdicts(MAX_VERDICT_BYTES, (text) => judgeFdwStatement(text, this.#shippable))
  #passVerdicts = new TextVerdicts(MAX_VERDICT_BYTES, (text) => this.#judge(text))
  readonly #shortReads: ShortReads
  #server: FdwServer | undefined

  private constructor({ options, limits, pool, audit }: GateParts, role: RoleReport) {
    this.#options = options
    this.#limits = limits
    this.#pool = pool
    this.#audit = audit
    this.role = role
    this.#transactions = new Transactions(pool, audit, (sent) => this.#counts.count(sent))
    this.#shortReads = new ShortReads({
      pool,
      log: this.#transactions.log,
      maxResultBytes: limits.maxResultBytes,
      maxShortMs: limits.maxShortMs,
    })
    this.#snapshots = new Snapshots(this.#transactions, limits.maxTransactionMs, Math.floor((limits.poolSize - 1) / 2))
    const maxAgeMs = options.explainMaxAgeMs
    this.#explains = new ExplainCache(maxAgeMs === undefined ? {} : { maxAgeMs })
  }

  static async open(parts: GateParts): Promise<OpenGate> {
    const { options, defaults, pool, audit } = parts
    const first = new Transactions(pool, audit, () => undefined)
    const role = await checkRole((text, values) => runQuery(first, text, values))
    if (role.refused.length > 0 && options.trustUpstreamRole !== true) throw unsafeRole(role)
    await defaults.learn((text) => runQuery(first, text, [], NO_SETTINGS), role.isGuarded)
    pool.renew()
    const gate = new OpenGate(parts, role)
    await gate.reload()
    gate.#server = await FdwServer.listen({
      folder: options.folder,
      ...(options.owner === undefined ? {} : { owner: options.owner }),
      serverVersion: versionText(role.serverVersion),
      open: (socket, name) => gate.#openSession(socket, name),
    })
    return gate
  }

  get socketFolder(): string {
    return this.#server?.socketFolder ?? ''
  }

  get extensions(): ReadonlySet<string> {
    return this.#shippable.extensions
  }

  query(text: string, values: readonly (string | null)[] = []): Promise<QueryResult> {
    return runQuery(this.#transactions, text, values)
  }

  async pass(statement: PassedStatement, sink: RowSink, signal?: AbortSignal): Promise<PassOutcome> {
    const { objection, history } = this.#passVerdicts.of(statement.text)
    const { maxResultBytes, maxTransactionMs } = this.#limits
    const options = { transactions: this.#transactions, maxResultBytes, maxTransactionMs, objection, history }
    const outcome = await passStatement(statement, sink, options, signal)
    if (outcome.kind === 'refused') this.#counts.refused++
    return outcome
  }

  passShort(
    statement: PassedStatement,
    sink: RowSink,
    ended: (outcome: ShortOutcome) => void,
  ): Cancellable | undefined {
    const { objection, history } = this.#passVerdicts.of(statement.text)
    if (objection !== undefined || !history.isShort || unknownSetting(statement.settings) !== undefined)
      return undefined
    if (this.#audit?.hasRoom === false) return undefined
    return this.#shortReads.add(statement, history, sink, ended)
  }

  async transportForDump(signal?: AbortSignal): Promise<DumpTransport> {
    const room = this.#audit?.ready()
    if (room !== undefined) await room
    const connection = await this.#pool.acquire('reserved', signal)
    return new DumpTransport(connection, {
      passable: this.#passable,
      log: this.#transactions.log,
      maxSilenceMs: this.#limits.maxSilenceMs,
      release: (done) => this.#pool.release(done),
    })
  }

  beginSnapshot(name: string): void {
    this.#snapshots.begin(name)
  }

  endSnapshot(name: string): void {
    this.#snapshots.end(name)
  }

  async reload(): Promise<void> {
    const query = (text: string, values?: readonly (string | null)[]): Promise<QueryResult> => this.query(text, values)
    this.#shippable = await loadShippable(query)
    this.#passable = await loadPassable(query)
    this.#fdwVerdicts.clear()
    this.#passVerdicts.clear()
  }

  counters(): GateCounters {
    const { sent, rows, failed, refused, writes, drifted } = this.#counts
    const { open, busy, mostOpen, connected, waiting, timedOut } = this.#pool
    const pool = { open, busy, mostOpen, connected, waiting, timedOut }
    return {
      sent: { ...sent },
      rows,
      failed,
      refused,
      writes,
      drifted,
      explainHits: this.#explains.hits,
      ...pool,
      foreignSessions: this.#server?.sessions ?? 0,
      snapshots: this.#snapshots.holding,
    }
  }

  async close(): Promise<void> {
    await this.#server?.close()
    this.#snapshots.endAll()
    await this.#pool.close()
    await this.#audit?.close()
  }

  #judge(text: string): PassVerdict {
    return { objection: objectionToPassing(text, this.#passable), history: new ShortHistory(this.#limits) }
  }

  #openSession(socket: Socket, name: string): FdwSession {
    let settings = FDW_SETTINGS
    // A serializable transaction whose beginning nobody announced is announced by its first foreign scan.
    const own = Symbol('connection')
    const scans = new FdwScans({
      transactions: this.#transactions,
      snapshot: () => this.#snapshots.of(name) ?? this.#snapshots.of(own),
      settings: () => settings,
      maxTransactionMs: this.#limits.maxTransactionMs,
      maxResultBytes: this.#limits.maxResultBytes,
    })
    return new FdwSession(socket, {
      scans,
      explains: this.#explains,
      judge: (text) => {
        const verdict = this.#fdwVerdicts.of(text)
        if (verdict.kind === 'refused') this.#counts.refused++
        return verdict
      },
      serializable: (isBegun) => {
        if (!isBegun) this.#snapshots.end(own)
        else if (this.#snapshots.of(name) === undefined) this.#snapshots.begin(own)
      },
      // What was sent under the ones before is kept by their map.
      setting: (name, value) => void (settings = new Map([...settings, [name, value]])),
      drifted: () => void this.#counts.drifted++,
      answer: (question) => this.#options.answer?.(question) ?? '',
    })
  }
}

/** What is known of a client's text. */
interface PassVerdict {
  /** Why it is not passed; undefined: it is. */
  readonly objection: string | undefined
  readonly history: ShortHistory
}

const NOTHING_SHIPPABLE: Shippable = {
  functions: new Set(),
  operators: new Set(),
  types: new Set(),
  extensions: new Set(),
}

const NOTHING_PASSABLE: Passable = {
  functions: new Set(),
  types: new Set(),
  strangers: { functions: new Set(), operators: new Set(), types: new Set() },
}

function unsafeRole(role: RoleReport): MeshError {
  return new MeshError('MESH_ERR_PERMISSION', {
    what: `expected a role on production that can only read, found that ${JSON.stringify(role.role)} can do more: ${role.refused.join('; ')}`,
    remedy: 'give mesh a role with SELECT alone, or pass --trust-upstream-role',
  })
}

/** What postgres_fdw is told. From 15 on it declares a cursor anew where it would move one back, and so do we for older ones. */
function versionText(serverVersion: number): string {
  const [major, minor] = [Math.floor(serverVersion / 10_000), serverVersion % 10_000]
  return major >= 15 ? `${major}.${minor}` : '15.0'
}

/** Runs a catalogue read to its end and gathers its rows. */
async function runQuery(
  transactions: Transactions,
  text: string,
  values: readonly (string | null)[] = [],
  settings: SessionSettings = CATALOG_SETTINGS,
): Promise<QueryResult> {
  let fields: readonly PgField[] = []
  const rows: (string | null)[][] = []
  const framer = new MessageFramer()
  const sink: RowSink = {
    description: (bytes) => (fields = readRowDescription(bytes.subarray(5))),
    rows: (bytes) => {
      framer.push(Uint8Array.from(bytes))
      for (let row = framer.next(); row !== undefined; row = framer.next()) {
        if (row.piece === undefined) rows.push(readTextRow(row.payload))
      }
      return true
    },
    whenReady: () => Promise.resolve(),
  }
  const tail = new MessageBuilder().int16(0).count(values.length)
  for (const value of values) tail.value(value)
  const { end, thrown } = await transactions.start(
    { purpose: 'reserved', isolation: 'statement', settings },
    { text, parameterTypes: [], bindTail: tail.int16(0).finish() },
    { lane: 'catalog', maxRows: 0, after: 'commit', describe: true },
    sink,
  )
  if (thrown !== undefined) throw thrown
  if (end.kind === 'failed') throw thrownFault(end.error)
  return { fields, rows, tag: end.kind === 'complete' ? end.tag : '' }
}

/** Names in our own texts are PostgreSQL's, or written with their schema. */
const CATALOG_SETTINGS: SessionSettings = new Map([['search_path', 'pg_catalog']])

const NO_SETTINGS: SessionSettings = new Map()
