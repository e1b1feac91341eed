import type { MeshError } from '../../core/errors.ts'
import type { Endpoint } from '../../core/segment.ts'
import type { TlsTermination } from '../../net/tls.ts'
import { type BranchCounters, type BranchLimits, DEFAULT_BRANCH_LIMITS, sumOfCounters } from './branch/branch.ts'
import { branchDatabase, maintenanceDatabase, openBranchDatabase, type BranchState } from './branch/branch-database.ts'
import { listenForResets } from './branch/reset-notice.ts'
import { PostgresEngine } from './engine.ts'
import type { Authentication } from './front/authentication.ts'
import { type CowListener, listenForClients } from './front/listener.ts'
import type { GateCounters } from './gate/counters.ts'
import type { Gate } from './gate/gate.ts'
import type { RoleReport } from './gate/role-check.ts'
import { StatementStatistics, type StatisticsReport } from './gate/statement-statistics.ts'
import { CLUSTER_QUERY, endSessions, lockBranch, requireOverlayServer } from './overlay/own-server.ts'
import { claimOverlay, type Overlay, type OverlayOptions } from './overlay/overlay.ts'
import { auditFileOf } from './proxy-gate.ts'
import { openParts } from './proxy-parts.ts'
import type { ServerOptions } from './server-options.ts'

/** What a proxy is started with. */
export interface PostgresProxyOptions {
  /** Production, and the role that reads it. */
  readonly upstream: ServerOptions
  readonly overlay: OverlayOptions
  /** Where the gate's socket and the audit log are; private to us and the overlay. */
  readonly stateFolder: string
  /** The branch that clients work on; '' for the first one. */
  readonly branch: string
  readonly listen: Endpoint
  readonly tls?: TlsTermination | undefined
  readonly authentication: Authentication
  readonly maxClients: number
  readonly limits?: Partial<BranchLimits>
  /** Connections to production at most. */
  readonly poolSize?: number | undefined
  readonly statementTimeoutMs?: number | undefined
  readonly trustUpstreamRole: boolean
  /** `overlay`: no statement runs on production as it is. Default `all`. */
  readonly lanes?: 'all' | 'overlay'
  /** The compiled `pg-dump-thread.js`. Default: the one beside the program. */
  readonly dumpThread?: URL | undefined
}

/** What a proxy did with production and on its branch. */
export interface ProxyProof {
  readonly gate: GateCounters
  readonly branch: Readonly<BranchCounters>
  /** What production's own `pg_stat_statements` says of our role since the start; undefined where that cannot be read. */
  readonly production: StatisticsReport | 'unreadable' | undefined
}

/** A proxy that serves. */
export interface PostgresProxy {
  readonly endpoint: Endpoint
  readonly role: RoleReport
  readonly branch: BranchState
  readonly auditFile: string
  readonly clients: number
  gateCounters(): GateCounters
  /** What was done so far, for whoever has to answer for it. Asks production for its statistics, where these can be read. */
  proof(): Promise<ProxyProof>
  /** Settles when the overlay is gone though nobody asked for it. */
  readonly failed: Promise<MeshError>
  /** Takes no more clients and ends the sessions that there are: what `proof` tells then is all. */
  endSessions(): Promise<void>
  close(): Promise<void>
}

/**
 * Starts all of it: the gate to production, the overlay, the branch with its clone of the schema, and the door for clients. Whatever
 * was started is ended again where a later part fails.
 */
export async function startPostgresProxy(options: PostgresProxyOptions, signal: AbortSignal): Promise<PostgresProxy> {
  const started: (() => Promise<void>)[] = []
  // The signal is for the start: what runs goes on until it is closed, and connects to production until then.
  const starting = new AbortController()
  const stop = (): void => starting.abort(signal.reason)
  signal.addEventListener('abort', stop)
  if (signal.aborted) stop()
  try {
    return await startParts(options, started, starting.signal)
  } catch (thrown) {
    for (const end of started.toReversed()) await end()
    throw thrown
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

async function startParts(
  options: PostgresProxyOptions,
  started: (() => Promise<void>)[],
  signal: AbortSignal,
): Promise<PostgresProxy> {
  const { upstream, branch: name } = options
  const claim = await claimOverlay(options.overlay)
  started.push(() => claim.release())
  const source = await openParts(options, claim, signal)
  const { gate, overlay } = source
  const statistics = StatementStatistics.begin(gate)
  started.push(
    () => gate.close(),
    () => overlay.close(),
  )
  if (overlay.self === undefined) started.push(await takeOwnServer(overlay, gate, [upstream.database, name], signal))
  const branch = await openBranchDatabase(source, name, signal)
  const engine = new PostgresEngine({
    overlay,
    gate,
    production: gate,
    ...(options.lanes === undefined ? {} : { lanes: options.lanes }),
    limits: { ...DEFAULT_BRANCH_LIMITS, ...options.limits },
    databaseOf: (asked) => (asked === upstream.database ? branch.database : undefined),
  })
  const closing = new AbortController()
  const ears = await listenForResets({
    connect: () =>
      overlay.connectAdmin(maintenanceDatabase(upstream.database), AbortSignal.any([signal, closing.signal])),
    reset: (database) => engine.reload(database),
    away: (back) => engine.pauseUntil(back),
  })
  started.push(() => {
    closing.abort()
    return ears.close()
  })
  const { listen, tls, authentication, maxClients } = options
  const listener = await listenForClients({ listen, tls, authentication, maxClients, engine })
  started.push(() => listener.close())
  const auditFile = auditFileOf(options.stateFolder)
  return running({ engine, gate, overlay, listener, branch, auditFile, statistics: await statistics }, started)
}

/** Checks a server of the user's own, and takes the branch there; gives what lets it go. */
async function takeOwnServer(
  overlay: Overlay,
  gate: Gate,
  [upstream, branch]: readonly [upstream: string, branch: string],
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const { rows } = await gate.query(CLUSTER_QUERY)
  const admin = await overlay.connectAdmin(maintenanceDatabase(upstream), signal)
  try {
    await requireOverlayServer(admin, rows[0]?.[0] ?? '')
    const database = branchDatabase(upstream, branch)
    await lockBranch(admin, database)
    await endSessions(admin, database)
  } catch (thrown) {
    admin.destroy()
    throw thrown
  }
  return () => admin.end()
}

interface Parts {
  readonly engine: PostgresEngine
  readonly gate: Gate
  readonly overlay: Overlay
  readonly listener: CowListener
  readonly branch: BranchState
  readonly auditFile: string
  readonly statistics: StatementStatistics | undefined
}

function running(parts: Parts, started: readonly (() => Promise<void>)[]): PostgresProxy {
  const { engine, gate, overlay, listener, branch, auditFile, statistics } = parts
  return {
    endpoint: listener.endpoint,
    role: gate.role,
    branch,
    auditFile,
    get clients() {
      return listener.clients
    },
    gateCounters: () => gate.counters(),
    proof: async () => {
      const production = await statistics?.since()
      return { gate: gate.counters(), branch: sumOfCounters(await engine.branches()), production }
    },
    failed: new Promise((resolve) => {
      void overlay.closed.then((reason) => {
        if (reason !== undefined) resolve(reason)
      })
    }),
    endSessions: () => listener.close(),
    close: async () => {
      for (const end of started.toReversed()) await end()
    },
  }
}
