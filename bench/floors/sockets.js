/**
 * The floor of the sender: a bare loop over sockets that writes one fixed request and counts data events, our sender in
 * process (every reply framed, compared and recorded), and wrk, against the same nginx, in turns. Needs `npm run build`.
 *
 *     node bench/floors/sockets.js [--rounds 5] [--seconds 3] [--connections 50] [--path /] [--json]
 */
import { spawnSync } from 'node:child_process'
import { connect } from 'node:net'
import { parseArgs } from 'node:util'

import { monotonicNs } from '../../dist/core/clock.js'
import { IntervalRecorder } from '../../dist/measure/interval.js'
import { DEFAULT_REPLAY_LIMITS, runReplay } from '../../dist/replay/replay.js'
import { packShots } from '../../dist/replay/shot-batch.js'
import { startNginx } from '../support/server/nginx.js'
import { median } from '../support/statistics.js'

const DISTINCT_REQUESTS = 10_000
const SHOTS_A_BATCH = 500

/** One fixed request on each connection, again as soon as anything comes back. */
export function bareLoop(port, { connections, seconds, path }) {
  const request = Buffer.from(requestText(path, 0), 'latin1')
  let replies = 0
  const sockets = Array.from({ length: connections }, () => connect({ port, host: '127.0.0.1', noDelay: true }))
  for (const socket of sockets) {
    socket.on('connect', () => socket.write(request))
    socket.on('data', () => {
      replies++
      socket.write(request)
    })
  }
  return new Promise((resolve) => {
    const start = monotonicNs()
    setTimeout(() => {
      for (const socket of sockets) socket.destroy()
      resolve((replies * 1e9) / (monotonicNs() - start))
    }, seconds * 1000)
  })
}

/** Our sender as a closed loop over distinct requests, everything recorded. */
export async function ourSender(port, { connections, seconds, path, order }) {
  const recorder = new IntervalRecorder({ worker: 0, routeCount: 20 })
  const originNs = monotonicNs()
  const options = {
    ...DEFAULT_REPLAY_LIMITS,
    target: { host: '127.0.0.1', port, address: '127.0.0.1', tls: undefined, sourceAddresses: [] },
    order,
    loop: /** @type {const} */ ('closed'),
    pacing: /** @type {const} */ ('precise'),
    maxConnections: connections,
    breaker: undefined,
    durationNs: seconds * 1e9,
    originNs,
  }
  const snapshots = setInterval(() => recorder.take(monotonicNs() - originNs), 1000)
  const summary = await runReplay(batches(path), options, recorder, new AbortController().signal)
  clearInterval(snapshots)
  if (summary.counters.answered !== summary.counters.sent) throw new Error(JSON.stringify(summary))
  return (summary.counters.answered * 1e9) / summary.endNs
}

const made = new Map()

/** The same 10,000 distinct requests again and again, of 200 connections, 20 routes. */
async function* batches(path) {
  if (!made.has(path)) {
    const shots = Array.from({ length: DISTINCT_REQUESTS }, (_, index) => ({
      dueNs: index * 1e5,
      connection: index % 200,
      session: index % 200,
      clone: 0,
      route: index % 20,
      bytes: Buffer.from(requestText(path, index), 'latin1'),
      headRequest: false,
      lastOnConnection: false,
      recordedStatus: 200,
      recording: 0,
      exchange: 0,
      recordedAtNs: 0,
    }))
    const packed = []
    for (let from = 0; from < shots.length; from += SHOTS_A_BATCH) {
      packed.push(packShots(shots.slice(from, from + SHOTS_A_BATCH)))
    }
    made.set(path, packed)
  }
  for (;;) yield* made.get(path)
}

function requestText(path, index) {
  const base = path.endsWith('/') ? path : `${path}/`
  return `GET ${base}items/${100_000 + index}?page=${index % 7} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: mesh\r\nAccept: */*\r\n\r\n`
}

/** Requests per second as wrk says, undefined without it. */
export function wrk(port, { connections, seconds, path }) {
  const url = `http://127.0.0.1:${port}${path}`
  const { stdout, error } = spawnSync('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, url], { encoding: 'utf8' })
  if (error !== undefined) return undefined
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1])
}

async function main() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      connections: { type: 'string', default: '50' },
      path: { type: 'string', default: '/' },
      only: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  })
  const options = { connections: Number(values.connections), seconds: Number(values.seconds), path: values.path }
  const server = await startNginx()
  if (server === undefined) throw new Error('nginx is not installed: apt-get install nginx-light')
  const runs = {
    bare: () => bareLoop(server.port, options),
    mesh: () => ourSender(server.port, { ...options, order: 'connection' }),
    'mesh-order-none': () => ourSender(server.port, { ...options, order: 'none' }),
    wrk: () => wrk(server.port, options),
  }
  const results = Object.fromEntries(Object.keys(runs).map((name) => [name, []]))
  const cpu = Object.fromEntries(Object.keys(runs).map((name) => [name, []]))
  // Round -1 warms the compiler up and is not counted.
  for (let round = -1; round < Number(values.rounds); round++) {
    for (const [name, run] of Object.entries(runs)) {
      if (values.only !== undefined && !values.only.split(',').includes(name)) continue
      const before = process.cpuUsage()
      const rate = await run()
      const { user, system } = process.cpuUsage(before)
      if (rate === undefined || round < 0) continue
      results[name].push(rate)
      // Of this process: a busy machine changes rates more than it changes this.
      if (name !== 'wrk') cpu[name].push((user + system) / (rate * options.seconds))
    }
  }
  await server.stop()
  const medians = Object.fromEntries(
    Object.entries(results)
      .filter(([, rates]) => rates.length > 0)
      .map(([name, rates]) => [name, median(rates)]),
  )
  if (values.json) console.log(JSON.stringify({ options, results, medians, cpuMicroseconds: cpu }))
  else {
    for (const [name, rate] of Object.entries(medians)) {
      const ratios = ['bare', 'wrk'].filter((floor) => floor in medians && floor !== name)
      const text = ratios.map((floor) => `${(rate / medians[floor]).toFixed(2)} x ${floor}`).join('  ')
      const each = cpu[name].length === 0 ? '' : `${median(cpu[name]).toFixed(1)} us CPU each`
      console.log(`${name.padEnd(16)} ${Math.round(rate).toString().padStart(8)}/s  ${text.padEnd(24)}  ${each}`)
    }
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) await main()
