import type { Metric } from '../../net/metrics-server.ts'
import type { TapCounters } from './tap.ts'

/** A tap's counters for Prometheus. What its recorder counts comes beside them. */
export function tapMetrics(counters: TapCounters): Metric[] {
  const { relay, losses } = counters
  const total = (name: string, help: string, value: number, labels: Readonly<Record<string, string>> = {}): Metric => ({
    name: `mesh_tap_${name}_total`,
    help,
    type: 'counter',
    value,
    labels,
  })
  const gauge = (name: string, help: string, value: number, labels: Readonly<Record<string, string>> = {}): Metric => ({
    name: `mesh_tap_${name}`,
    help,
    type: 'gauge',
    value,
    labels,
  })
  const ended = 'Connections that did not end by themselves.'
  const failed = 'Connections that never reached the upstream.'
  const relayed = 'Bytes passed on.'
  const lost = 'Bytes passed on of which no copy was recorded.'
  const cost = 'Time from the reading of a chunk to its writing, sampled.'
  return [
    total('connections', 'Connections accepted.', relay.accepted),
    gauge('connections_open', 'Connections now open.', relay.open),
    total('connections_ended_early', ended, relay.refused, { why: 'limit' }),
    total('connections_ended_early', ended, relay.cut, { why: 'drain' }),
    total('connections_ended_early', ended, relay.clientBroke, { why: 'client' }),
    total('connections_ended_early', ended, relay.upstreamBroke, { why: 'upstream' }),
    total('connections_ended_early', ended, relay.headerMissing, { why: 'proxy_header' }),
    total('accept_failures', 'Connections that the system could not accept.', relay.acceptFailures),
    ...[...relay.upstreamFailures].map(([code, count]) => total('upstream_failures', failed, count, { code })),
    total('relayed_bytes', relayed, relay.requestBytes, { direction: 'request' }),
    total('relayed_bytes', relayed, relay.responseBytes, { direction: 'response' }),
    total('unrecorded_bytes', lost, losses.ringFullBytes, { why: 'ring_full' }),
    total('unrecorded_bytes', lost, losses.unheardBytes, { why: 'recorder_dead' }),
    gauge('backlog_bytes', 'Bytes that wait for the recorder.', counters.backlogBytes),
    gauge('relay_seconds', cost, counters.costP50Ns / 1e9, { quantile: '0.5' }),
    gauge('relay_seconds', cost, counters.costP99Ns / 1e9, { quantile: '0.99' }),
  ]
}
