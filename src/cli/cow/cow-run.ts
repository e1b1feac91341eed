import { monotonicNs } from '../../core/clock.ts'
import type { MeshError } from '../../core/errors.ts'
import { formatEndpoint } from '../../core/segment.ts'
import type { Endpoint } from '../../core/segment.ts'
import { formatCount, formatDurationNs } from '../../core/units.ts'
import type { GateCounters } from '../../cow/postgres/gate/counters.ts'
import type { StatisticsReport } from '../../cow/postgres/gate/statement-statistics.ts'
import {
  type PostgresProxy,
  type PostgresProxyOptions,
  type ProxyProof,
  startPostgresProxy,
} from '../../cow/postgres/proxy.ts'
import { type Metric, startMetricsServer } from '../../net/metrics-server.ts'
import type { ExitCode } from '../exit-codes.ts'
import { EXIT } from '../exit-codes.ts'
import { postgresPlace } from './postgres-url.ts'
import { listenForStop } from '../signals.ts'
import type { Terminal } from '../terminal.ts'

/** Runs a proxy until INT or TERM, or until its overlay is gone. */
export async function runCow(
  options: PostgresProxyOptions,
  metricsAddress: Endpoint | undefined,
  terminal: Terminal,
): Promise<ExitCode> {
  let serves = false
  const stop = listenForStop((name) => {
    terminal.say(
      serves ? `${name}: sessions end, what they committed stays on the branch` : `${name}: ending the start`,
    )
  })
  const startNs = monotonicNs()
  const proxy = await startPostgresProxy(options, stop.drain).catch((error: unknown) => {
    stop.release()
    if (stop.name() === undefined) throw error
    return undefined
  })
  // Stopped before it was ready, as was asked: whatever had been started has ended.
  if (proxy === undefined) {
    terminal.say('stopped before it was ready')
    return EXIT.ok
  }
  serves = true
  try {
    return await serve(proxy, stop.drain, metricsAddress, terminal, () =>
      sayCowStart(proxy, options, monotonicNs() - startNs, terminal),
    )
  } finally {
    await proxy.close()
    stop.release()
  }
}

/** Until the signal, or until the overlay is gone; then the proof, of all that was done up to the last session's end. */
async function serve(
  proxy: PostgresProxy,
  drain: AbortSignal,
  metricsAddress: Endpoint | undefined,
  terminal: Terminal,
  sayStart: () => void,
): Promise<ExitCode> {
  const metrics =
    metricsAddress === undefined
      ? undefined
      : await startMetricsServer(metricsAddress, { ready: () => !drain.aborted, metrics: () => metricsOf(proxy) })
  sayStart()
  const stopped = new Promise<undefined>((resolve) => {
    if (drain.aborted) resolve(undefined)
    drain.addEventListener('abort', () => resolve(undefined))
  })
  const failure: MeshError | undefined = await Promise.race([proxy.failed, stopped])
  await proxy.endSessions()
  const proof = await proxy.proof()
  await metrics?.close()
  terminal.out(proofText(proof))
  if (failure !== undefined) throw failure
  return proof.gate.writes > 0 ? EXIT.checkFailed : EXIT.ok
}

/** Says what a proxy reads, what it writes to, and where it listens. */
export function sayCowStart(
  proxy: PostgresProxy,
  options: PostgresProxyOptions,
  tookNs: number,
  terminal: Terminal,
): void {
  const { role, branch, endpoint } = proxy
  const version = `PostgreSQL ${Math.floor(role.serverVersion / 10_000)}${role.isReplica ? ', a replica' : ''}`
  terminal.say(`production: ${postgresPlace(options.upstream)} (${version}) as ${role.role}, in read-only transactions`)
  for (const warning of role.warned) terminal.warn(`mesh: the role ${role.role} on production: ${warning}`)
  for (const refusal of role.refused) terminal.warn(`mesh: the role ${role.role} on production is trusted: ${refusal}`)
  if (!branch.sameCollation) {
    terminal.warn(
      "mesh: the overlay sorts text otherwise than production: ORDER BY and ranges of text may differ; --overlay URL with production's locale mends it",
    )
  }
  for (const line of branch.drift)
    terminal.warn(`mesh: production's schema has changed since the branch was made: ${line}`)
  if (branch.drift.length > 0) {
    terminal.warn(
      'mesh: the branch keeps the schema that it was made with, and fails where it reads what is gone; another --branch, or this one after mesh cow branch drop, has the new one',
    )
  }
  for (const entry of branch.leftOut)
    terminal.warn(
      `mesh: the branch does without ${entry}: it refers to a table of production that is none of its own there`,
    )
  const made = branch.isNew ? 'made' : 'as it was left'
  const tables = `${formatCount(branch.tables)} ${branch.tables === 1 ? 'table' : 'tables'}`
  terminal.say(
    `branch: ${branch.name === '' ? 'the first one' : branch.name}, ${tables}, ${made} (${formatDurationNs(tookNs)})`,
  )
  terminal.say(`audit log: ${proxy.auditFile}`)
  const address = `postgres://ROLE@${formatEndpoint(endpoint)}/${options.upstream.database}`
  terminal.say(
    `listening on ${formatEndpoint(endpoint)}: psql ${address}, as your application's role or a table's owner`,
  )
  terminal.say('INT or TERM ends it in order')
}

/** What was done with production, for whoever has to answer for it. */
function proofText({ gate, branch, production }: ProxyProof): string {
  const { sent, mostOpen, writes } = gate
  const lines = [
    `production writes: ${formatCount(writes)}. ${formatCount(statementsSent(gate))} statements read it, each in a read-only transaction, over at most ${formatCount(mostOpen)} connections`,
    `  foreign scans ${formatCount(sent.scan)}, estimates ${formatCount(sent.explain)}, catalogues ${formatCount(sent.catalog + sent.dump)}, passed ${formatCount(sent.T0)}, by key ${formatCount(sent.TK)}`,
    ...(production === undefined ? [] : [`  ${statisticsText(production)}`]),
    `branch: ${formatCount(branch.diverted)} statements that write were diverted, ${formatCount(branch.copiedUpRows)} rows copied up, ${formatCount(branch.refused + gate.refused)} statements refused`,
  ]
  return `${lines.join('\n')}\n`
}

/** All statements that were sent to production. */
export function statementsSent({ sent }: Pick<GateCounters, 'sent'>): number {
  return Object.values(sent).reduce((sum, count) => sum + count, 0)
}

/** What production itself counted, in one line. */
export function statisticsText(report: StatisticsReport | 'unreadable'): string {
  if (report === 'unreadable') return 'pg_stat_statements there: not readable for the time of this run'
  const { calls, writes } = report
  return `pg_stat_statements there: ${formatCount(calls)} calls of our role, ${formatCount(writes)} of them no reads`
}

function metricsOf(proxy: PostgresProxy): Metric[] {
  const { sent, rows, failed, refused, writes, drifted, open, busy, waiting, timedOut } = proxy.gateCounters()
  const gauge = (name: string, help: string, value: number): Metric => ({ name, help, type: 'gauge', value })
  const counter = (name: string, help: string, value: number): Metric => ({ name, help, type: 'counter', value })
  return [
    gauge('mesh_cow_clients', 'Clients that are connected.', proxy.clients),
    ...Object.entries(sent).map(([lane, value]): Metric => ({
      name: 'mesh_cow_upstream_statements_total',
      help: 'Statements sent to production.',
      type: 'counter',
      value,
      labels: { lane },
    })),
    counter('mesh_cow_upstream_rows_total', 'Rows read from production.', rows),
    counter('mesh_cow_upstream_errors_total', 'Statements that production answered with an error.', failed),
    counter(
      'mesh_cow_schema_drift_errors_total',
      "Scans of the branch that failed since production's schema is another by now.",
      drifted,
    ),
    counter('mesh_cow_gate_refused_total', 'Statements that the gate did not let through.', refused),
    counter('mesh_cow_upstream_writes_total', 'Statements that production reported as anything but a read.', writes),
    gauge('mesh_cow_upstream_connections', 'Connections to production.', open),
    gauge('mesh_cow_upstream_busy', 'Connections to production that run a statement.', busy),
    gauge('mesh_cow_upstream_waiting', 'Statements that wait for a connection.', waiting),
    counter('mesh_cow_upstream_wait_timeouts_total', 'Statements that waited for a connection in vain.', timedOut),
  ]
}
