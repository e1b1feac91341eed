import { monotonicNs } from '../core/clock.ts'
import type { MeshError } from '../core/errors.ts'
import { formatEndpoint } from '../core/segment.ts'
import type { Endpoint } from '../core/segment.ts'
import { formatCount, formatDurationNs } from '../core/units.ts'
import { type PostgresProxy, type PostgresProxyOptions, startPostgresProxy } from '../cow/postgres/proxy.ts'
import { type Metric, startMetricsServer } from '../net/metrics-server.ts'
import type { ExitCode } from './exit-codes.ts'
import { EXIT } from './exit-codes.ts'
import { postgresPlace } from './postgres-url.ts'
import { listenForStop } from './signals.ts'
import type { Terminal } from './terminal.ts'

/** Runs a proxy until INT or TERM, or until its overlay is gone. */
export async function runCow(
  options: PostgresProxyOptions,
  metricsAddress: Endpoint | undefined,
  terminal: Terminal,
): Promise<ExitCode> {
  const stop = listenForStop((name) => terminal.say(`${name}: sessions end, what they committed stays on the branch`))
  const startNs = monotonicNs()
  const proxy = await startPostgresProxy(options, stop.drain)
  sayCowStart(proxy, options, monotonicNs() - startNs, terminal)
  const metrics =
    metricsAddress === undefined
      ? undefined
      : await startMetricsServer(metricsAddress, { ready: () => !stop.drain.aborted, metrics: () => metricsOf(proxy) })
  const stopped = new Promise<undefined>((resolve) => {
    if (stop.drain.aborted) resolve(undefined)
    stop.drain.addEventListener('abort', () => resolve(undefined))
  })
  const failure: MeshError | undefined = await Promise.race([proxy.failed, stopped])
  const proof = await proofOf(proxy)
  await metrics?.close()
  await proxy.close()
  stop.release()
  terminal.out(proof)
  if (failure === undefined) return EXIT.ok
  throw failure
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
  const made = branch.isNew ? 'made' : 'as it was left'
  const tables = `${formatCount(branch.tables)} ${branch.tables === 1 ? 'table' : 'tables'}`
  terminal.say(
    `branch: ${branch.name === '' ? 'the first one' : branch.name}, ${tables}, ${made} (${formatDurationNs(tookNs)})`,
  )
  terminal.say(`audit log: ${proxy.auditFile}`)
  terminal.say(
    `listening on ${formatEndpoint(endpoint)}: psql postgres://USER@${formatEndpoint(endpoint)}/${options.upstream.database}; INT or TERM ends it in order`,
  )
}

/** What was done with production, for whoever has to answer for it. */
async function proofOf(proxy: PostgresProxy): Promise<string> {
  const { sent, refused, mostOpen } = proxy.gateCounters()
  const all = Object.values(sent).reduce((sum, count) => sum + count, 0)
  const branches = await proxy.branches()
  const copied = branches.reduce((sum, { counters }) => sum + counters.copiedUpRows, 0)
  const diverted = branches.reduce((sum, { counters }) => sum + counters.diverted, 0)
  const turnedAway = branches.reduce((sum, { counters }) => sum + counters.refused, refused)
  return [
    `production writes: 0. ${formatCount(all)} statements read it, each in a read-only transaction, over at most ${formatCount(mostOpen)} connections`,
    `  foreign scans ${formatCount(sent.scan)}, estimates ${formatCount(sent.explain)}, catalogues ${formatCount(sent.catalog + sent.dump)}, passed ${formatCount(sent.T0)}, by key ${formatCount(sent.TK)}`,
    `branch: ${formatCount(diverted)} statements that write were diverted, ${formatCount(copied)} rows copied up, ${formatCount(turnedAway)} statements refused`,
    '',
  ].join('\n')
}

function metricsOf(proxy: PostgresProxy): Metric[] {
  const { sent, rows, failed, refused, open, busy, waiting, timedOut } = proxy.gateCounters()
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
    counter('mesh_cow_gate_refused_total', 'Statements that the gate did not let through.', refused),
    gauge('mesh_cow_upstream_connections', 'Connections to production.', open),
    gauge('mesh_cow_upstream_busy', 'Connections to production that run a statement.', busy),
    gauge('mesh_cow_upstream_waiting', 'Statements that wait for a connection.', waiting),
    counter('mesh_cow_upstream_wait_timeouts_total', 'Statements that waited for a connection in vain.', timedOut),
  ]
}
