/**
 * How late a sending thread sends, at fixed rates, against nginx: the lag that `--pacing precise` and `eco` leave. Needs `npm run build`.
 *
 *     node bench/floors/lag.js [--rates 1000,10000] [--seconds 5] [--pacing precise] [--workers 1] [--json]
 */
import { parseArgs } from 'node:util'

import { monotonicNs } from '../../dist/core/clock.js'
import { Measurement } from '../../dist/measure/measurement.js'
import { Fleet } from '../../dist/replay/fleet.js'
import { DEFAULT_REPLAY_LIMITS } from '../../dist/replay/replay.js'
import { packShots } from '../../dist/replay/shot-batch.js'
import { startNginx } from '../support/server/nginx.js'

/** What a schedule hands over at a time. */
const BATCH_NS = 50e6

function batch(shard, workers, from, to, rate) {
  const shots = []
  for (let index = from; index < to; index++) {
    if (index % workers !== shard) continue
    shots.push({
      dueNs: (index * 1e9) / rate,
      connection: index % 200,
      session: index % 200,
      clone: 0,
      route: index % 20,
      bytes: Buffer.from(`GET /items/${index} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: mesh\r\n\r\n`),
      headRequest: false,
      lastOnConnection: false,
      recordedStatus: 200,
      recording: 0,
      exchange: 0,
      recordedAtNs: 0,
    })
  }
  return packShots(shots)
}

export async function lagAt(port, { rate, seconds, pacing, workers }) {
  const measurement = new Measurement({ workers })
  const fleet = await Fleet.open({
    workers,
    options: {
      ...DEFAULT_REPLAY_LIMITS,
      target: { host: '127.0.0.1', port, address: '127.0.0.1', tls: undefined, sourceAddresses: [] },
      order: 'connection',
      loop: 'open',
      pacing,
      breaker: undefined,
      durationNs: undefined,
    },
    routeCount: 20,
    warmupNs: 1e9,
    onInterval: ({ snapshot }) => snapshot && measurement.add(snapshot),
  })
  fleet.begin(monotonicNs() + 200e6)
  const total = rate * (seconds + 1)
  const step = Math.max(1, Math.round((rate * BATCH_NS) / 1e9))
  for (let from = 0; from < total; from += step) {
    for (let shard = 0; shard < workers; shard++) {
      await fleet.submit(shard, batch(shard, workers, from, Math.min(total, from + step), rate))
    }
  }
  fleet.end()
  const { health } = await fleet.finished
  measurement.finish()
  const { lag, blocked } = measurement.total
  const ms = (histogram, quantile) => Number(((histogram.quantileNs(quantile) ?? 0) / 1e6).toFixed(3))
  return { rate, pacing, p50: ms(lag, 0.5), p99: ms(lag, 0.99), max: ms(lag, 1), blockedP99: ms(blocked, 0.99), health }
}

async function main() {
  const { values } = parseArgs({
    options: {
      rates: { type: 'string', default: '1000,10000' },
      seconds: { type: 'string', default: '5' },
      pacing: { type: 'string', default: 'precise' },
      workers: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
    },
  })
  const server = await startNginx()
  if (server === undefined) throw new Error('nginx is not installed: apt-get install nginx-light')
  const rows = []
  for (const rate of values.rates.split(',').map(Number)) {
    const options = { rate, seconds: Number(values.seconds), pacing: values.pacing, workers: Number(values.workers) }
    rows.push(await lagAt(server.port, options))
  }
  await server.stop()
  if (values.json) console.log(JSON.stringify(rows))
  else {
    for (const { rate, pacing, p50, p99, max, health } of rows) {
      const waits = health.threads.map(({ waitShare }) => `${Math.round(100 * (waitShare ?? 0))} %`).join(', ')
      console.log(`${rate}/s ${pacing}: lag p50 ${p50} ms, p99 ${p99} ms, max ${max} ms; waited for a CPU ${waits}`)
    }
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) await main()
