/**
 * What relaying costs, without recording: nginx `proxy_pass`, a bare 20-line relay, ours, and ours with the ring and a thread
 * that only drains it. All before the same server, alternating, driven by wrk (or autocannon where wrk is not installed).
 *
 *   node bench/floors/relay.js [--rounds 5] [--seconds 3] [--connections 50] [--json]
 *   node bench/floors/relay.js --idle 8000          resident memory with so many open connections through the tap
 *
 * Needs a build (`npm run build`). Requests/s depend on the machine and on who else uses it; the ratios and the CPU time a
 * request less so.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

import { cpuSeconds } from '../support/cpu.js'
import { isInstalled } from '../support/processes.js'
import { median } from '../support/statistics.js'
import { portOf } from '../support/server/port-of.js'

const SELF = fileURLToPath(import.meta.url)
const HOST = '127.0.0.1'
const BODY = 'x'.repeat(100)

/** The serving side of this file: one contender in a process of its own. It prints its port, then waits to be stopped. */
const SERVE = {
  async upstream() {
    const head = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${BODY.length}\r\n\r\n`
    const reply = Buffer.from(head + BODY)
    return listening(createServer({ noDelay: true }, (socket) => socket.on('data', () => socket.write(reply))))
  },

  async bare(upstream) {
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
      const target = connect({ host: HOST, port: upstream, noDelay: true, allowHalfOpen: true })
      client.pipe(target)
      target.pipe(client)
      client.on('error', () => target.destroy())
      target.on('error', () => client.destroy())
    })
    return listening(server)
  },

  async relay(upstream) {
    const { Relay } = await import('../../dist/net/relay.js')
    const { NO_TAP } = await import('../../dist/net/relay-tap.js')
    return (await Relay.start(relayOptions(upstream), NO_TAP)).address.port
  },

  async tap(upstream) {
    const { allocateRing } = await import('../../dist/net/ring.js')
    const { startTap } = await import('../../dist/capture/tap/tap.js')
    const ring = allocateRing()
    const reader = new Worker(SELF, { workerData: { ring } })
    const stop = new AbortController()
    const tap = await startTap({ ...relayOptions(upstream), graceMs: 0 }, ring, stop.signal)
    const report = async () => {
      stop.abort()
      await tap.closed
      const [read] = await once(reader, 'message')
      const { relay, losses, costP50Ns, costP99Ns } = tap.counters()
      const relayedBytes = relay.requestBytes + relay.responseBytes
      const balanced = read.bytes + read.gapBytes === relayedBytes && read.gapBytes === losses.ringFullBytes
      console.log(JSON.stringify({ balanced, relayedBytes, lostBytes: losses.ringFullBytes, costP50Ns, costP99Ns }))
      process.exit(0)
    }
    process.once('SIGTERM', () => void report())
    return tap.address.port
  },
}

function relayOptions(upstream) {
  return { listen: { address: HOST, port: 0 }, upstream: { address: HOST, port: upstream } }
}

async function listening(server) {
  server.listen(0, HOST, 4096)
  await once(server, 'listening')
  return portOf(server)
}

/** The reading thread of `tap`: counts, and says what it counted. */
async function drainRing() {
  const { RingSource } = await import('../../dist/capture/tap/source.js')
  const totals = { bytes: 0, gapBytes: 0, segments: 0 }
  for await (const batch of new RingSource(workerData.ring).segments(new AbortController().signal)) {
    totals.segments += batch.length
    for (const segment of batch) {
      if (segment.kind === 'data') totals.bytes += segment.bytes.length
      if (segment.kind === 'gap') totals.gapBytes += segment.length
    }
  }
  parentPort.postMessage(totals, [])
}

/** Starts a contender of this file; `output` is what it prints at its end. */
async function startNode(name, upstream = 0) {
  const child = spawn(process.execPath, [SELF, '--serve', name, '--upstream', `${upstream}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text))
  while (!output.includes('\n')) await once(child.stdout, 'data')
  const stop = async () => {
    child.kill()
    await once(child, 'close')
    return output.split('\n').slice(1).join('\n')
  }
  return { port: Number.parseInt(output, 10), pid: child.pid, stop }
}

/** Starts nginx with one worker and the given server block. */
async function startNginx(folder, name, port, location) {
  const file = join(folder, `${name}.conf`)
  const lines = [
    `daemon off; worker_processes 1; pid ${folder}/${name}.pid; error_log ${folder}/${name}.log;`,
    'events { worker_connections 16384; }',
    'http { access_log off; keepalive_requests 1000000000; client_body_temp_path /tmp; proxy_temp_path /tmp;',
    location.upstream === undefined ? '' : `upstream up { server ${HOST}:${location.upstream}; keepalive 1024; }`,
    `server { listen ${HOST}:${port} backlog=4096; location / { ${location.rule} } } }`,
  ]
  writeFileSync(file, lines.join('\n'))
  const child = spawn('nginx', ['-c', file, '-e', `${folder}/${name}.log`], { stdio: ['ignore', 'ignore', 'inherit'] })
  while (!(await answers(port))) await new Promise((resolve) => setTimeout(resolve, 20))
  const stop = async () => {
    child.kill()
    await once(child, 'close')
    return ''
  }
  return { port, pid: child.pid, stop }
}

async function answers(port) {
  const socket = connect({ host: HOST, port })
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  }).finally(() => socket.destroy())
}

async function freePort() {
  const server = createServer()
  const port = await listening(server)
  server.close()
  await once(server, 'close')
  return port
}

/** Requests/s of one run against a port. */
async function load(port, connections, seconds) {
  const url = `http://${HOST}:${port}/`
  if (isInstalled('wrk')) {
    const child = spawn('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, url], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text))
    await once(child, 'close')
    return Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1])
  }
  const { default: autocannon } = await import('autocannon')
  const result = await autocannon({ url, connections, duration: seconds, workers: 1 })
  return result.requests.average
}

async function compare({ rounds, seconds, connections, json }) {
  const folder = mkdtempSync(join(tmpdir(), 'mesh-relay-'))
  const nginx = isInstalled('nginx')
  const rule = `return 200 "${BODY}";`
  const upstream = nginx
    ? await startNginx(folder, 'upstream', await freePort(), { rule })
    : await startNode('upstream')
  const contenders = new Map([['direct', { ...upstream, stop: async () => '' }]])
  if (nginx) {
    const passing = 'proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection "";'
    const location = { upstream: upstream.port, rule: passing }
    contenders.set('nginx proxy_pass', await startNginx(folder, 'proxy', await freePort(), location))
  }
  contenders.set('bare pipe relay', await startNode('bare', upstream.port))
  contenders.set('relay', await startNode('relay', upstream.port))
  contenders.set('relay + ring', await startNode('tap', upstream.port))
  const runs = [...contenders].map(([name, contender]) => ({ name, ...contender, rates: [], cpuUs: [] }))
  for (let round = 0; round < rounds; round++) {
    for (const run of runs) {
      const before = cpuSeconds(run.pid)
      const rate = await load(run.port, connections, seconds)
      run.rates.push(rate)
      run.cpuUs.push(((cpuSeconds(run.pid) - before) * 1e6) / (rate * seconds))
    }
  }
  const base = median(runs.find((run) => run.name === (nginx ? 'nginx proxy_pass' : 'bare pipe relay'))?.rates ?? [])
  const rows = []
  for (const run of runs) {
    const notes = (await run.stop()).trim()
    const rate = median(run.rates)
    rows.push({
      name: run.name,
      requestsPerSecond: Math.round(rate),
      ratio: rate / base,
      cpuUs: median(run.cpuUs),
      notes,
    })
  }
  await upstream.stop()
  rmSync(folder, { recursive: true })
  if (json) console.log(JSON.stringify(rows))
  else print(rows)
}

function print(rows) {
  console.log('relay                 requests/s    ratio   CPU us/request')
  for (const { name, requestsPerSecond, ratio, cpuUs, notes } of rows) {
    const figures = `${`${requestsPerSecond}`.padStart(10)} ${ratio.toFixed(2).padStart(8)} ${cpuUs.toFixed(1).padStart(12)}`
    console.log(`${name.padEnd(20)} ${figures}   ${notes}`)
  }
}

/** Opens idle connections through the tap, from this process, and says what the tap's process then holds. */
async function measureIdle(count) {
  const upstream = await startNode('upstream')
  const tap = await startNode('tap', upstream.port)
  const rssMib = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${tap.pid}/status`, 'utf8'))?.[1]) / 1024
  const before = rssMib()
  const sockets = []
  for (let opened = 0; opened < count; opened++) {
    const socket = connect({ host: HOST, port: tap.port })
    socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
    sockets.push(once(socket, 'data').then(() => socket))
    if (opened % 500 === 499) await Promise.all(sockets)
  }
  const open = await Promise.all(sockets)
  const each = ((rssMib() - before) * 1024) / count
  console.log(`${count} open connections: ${rssMib().toFixed(0)} MiB resident, ${each.toFixed(1)} KiB each`)
  for (const socket of open) socket.destroy()
  console.log((await tap.stop()).trim())
  await upstream.stop()
}

async function main() {
  const { values } = parseArgs({
    options: {
      serve: { type: 'string' },
      upstream: { type: 'string' },
      idle: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      connections: { type: 'string', default: '50' },
      json: { type: 'boolean', default: false },
    },
  })
  if (values.serve !== undefined) console.log(await SERVE[values.serve](Number(values.upstream)))
  else if (values.idle !== undefined) await measureIdle(Number(values.idle))
  else {
    const { rounds, seconds, connections } = values
    await compare({
      rounds: Number(rounds),
      seconds: Number(seconds),
      connections: Number(connections),
      json: values.json,
    })
  }
}

if (isMainThread) await main()
else await drainRing()
