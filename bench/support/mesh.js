import { chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { runProgram, startChild } from './processes.js'

const MESH = fileURLToPath(new URL('../../bin/mesh.js', import.meta.url))
const USAGE = new URL('usage-at-exit.js', import.meta.url).href
const INVALID = 4
let usageFiles = 0

/** What a process of ours used is written to a file in `folder`, which is also where it runs: no settings file of a user is read. */
function measured(folder, words) {
  const file = join(folder, `usage-${usageFiles++}.json`)
  return {
    args: ['--import', USAGE, MESH, ...words],
    options: { cwd: folder, env: { ...process.env, BENCH_USAGE_FILE: file } },
    usage: () => JSON.parse(readFileSync(file, 'utf8')),
  }
}

/**
 * Runs `mesh` to its end: its output, CPU seconds, peak memory and seconds by the wall.
 * @param {string} folder
 * @param {readonly string[]} words
 * @param {{ seconds?: number, codes?: readonly number[] }} limits
 */
export async function runMesh(folder, words, limits = {}) {
  const { args, options, usage } = measured(folder, words)
  const start = performance.now()
  const result = await runProgram(process.execPath, args, { ...options, ...limits })
  return { ...result, ...usage(), wallSeconds: (performance.now() - start) / 1000 }
}

/** `mesh replay` on a terminal of its own (`script`, of util-linux): its run, the CPU seconds of all of it, and what it wrote there. */
export async function replayOnTerminal(folder, recording, words) {
  const { args, usage, options } = measured(folder, ['replay', recording, ...words, '--yes', '--json'])
  const out = join(folder, `terminal-${usageFiles}.json`)
  const quoted = [process.execPath, ...args].map((word) => `'${word}'`).join(' ')
  const env = { ...options.env, TERM: 'xterm' }
  for (const name of ['CI', 'NO_COLOR']) delete env[name]
  const shell = `stty cols 200 rows 50; exec ${quoted} > '${out}'`
  // At the end of its own input `script` types an end of input again and again: it gets one that stays open.
  const stdio = /** @type {const} */ ('pipe')
  const terminal = { ...options, env, stdio, codes: [0, INVALID] }
  const { out: drawn } = await runProgram('script', ['-qefc', shell, '/dev/null'], terminal)
  const { totals, achieved, verdict, counters } = JSON.parse(readFileSync(out, 'utf8'))
  return {
    repliesPerSecond: (totals.replies * 1e9) / achieved.windowNs,
    answered: counters.answered,
    lagP99Ns: totals.lag.p99Ns,
    verdict: verdict.name,
    drawnBytes: drawn.length,
    ...usage(),
  }
}

/** `mesh replay`: the run as its JSON says. A run that is not valid is a result too, and says so. */
export async function replay(folder, recording, words) {
  const all = ['replay', recording, ...words, '--yes', '--json', '-q']
  const { out, cpuSeconds } = await runMesh(folder, all, { codes: [0, INVALID] })
  const run = JSON.parse(out)
  const { totals, achieved, verdict, counters } = run
  return {
    repliesPerSecond: (totals.replies * 1e9) / achieved.windowNs,
    // With those of the warm-up, which are in no other figure.
    answered: counters.answered,
    cpuSeconds,
    unanswered: totals.shots - totals.replies,
    statuses: totals.statuses,
    lagP50Ns: totals.lag.p50Ns,
    lagP99Ns: totals.lag.p99Ns,
    lagMaxNs: totals.lag.maxNs,
    serviceP50Ns: totals.serviceTime.p50Ns,
    serviceP99Ns: totals.serviceTime.p99Ns,
    responseP50Ns: totals.responseTime.p50Ns,
    verdict: verdict.name,
    reasons: verdict.reasons.map(({ what }) => what),
  }
}

/** Why runs were not valid, or the target not up to it: the first run of each name that says so. */
export function verdictNotes(runsByName) {
  return Object.entries(runsByName).flatMap(([name, runs]) => {
    const run = runs.find(({ verdict }) => verdict !== 'VALID')
    return run === undefined ? [] : [`${name}: ${run.verdict}: ${run.reasons.join('; ')}.`]
  })
}

/** Starts `mesh capture tap` before a server on this machine. `stop` ends it in order and reads its ledger. */
export async function startTap(folder, { upstream, output, words = [] }) {
  const all = [
    'capture',
    'tap',
    '--listen',
    '127.0.0.1:0',
    '--upstream',
    `127.0.0.1:${upstream}`,
    '-o',
    output,
    ...words,
  ]
  const { args, options, usage } = measured(folder, all)
  const child = startChild(process.execPath, args, options)
  const [, port] = await child.seen('err', /listening on 127\.0\.0\.1:(\d+)/)
  const stop = async () => {
    const { code, err } = await child.stop('SIGTERM')
    return { code, ...readLedgerLine(err), ...usage() }
  }
  return { port: Number(port), pid: child.pid, stop }
}

/**
 * Starts `mesh cow postgres`. `seconds`: from its start to the line that says where it listens; `peakBytes`: its memory until then.
 * `stop` ends it in order and gives its proof and what it used.
 */
export async function startCow(folder, { upstream, state, words = [] }) {
  // The overlay's server may run as somebody else, who has to come in.
  chmodSync(folder, 0o755)
  const all = ['cow', 'postgres', '--upstream', upstream, '--state', state, '--listen', '127.0.0.1:0', ...words]
  const { args, options, usage } = measured(folder, all)
  const start = performance.now()
  const child = startChild(process.execPath, args, options)
  const [, port] = await child.seen('err', /listening on 127\.0\.0\.1:(\d+)/, 300)
  const seconds = (performance.now() - start) / 1000
  const stop = async () => {
    const { code, out } = await child.stop('SIGTERM')
    return { code, out, proof: out.split('\n')[0], ...usage() }
  }
  const memory = (name) => memoryBytes(child.pid, name)
  return {
    port: Number(port),
    pid: child.pid,
    seconds,
    peakBytes: memory('VmHWM'),
    residentBytes: () => memory('VmRSS'),
    stop,
  }
}

/** Of a process, a line of its `status` in kB. */
function memoryBytes(pid, name) {
  return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

/** Starts `mesh mirror` before a server on this machine. `stop` ends it in order; what it gives is the proof's JSON. */
export async function startMirror(folder, { upstream, to }) {
  const place = ['--listen', '127.0.0.1:0', '--upstream', `127.0.0.1:${upstream}`]
  const { args, options } = measured(folder, ['mirror', ...place, '--to', to, '--json'])
  const child = startChild(process.execPath, args, options)
  const [, port] = await child.seen('err', /listening on 127\.0\.0\.1:(\d+)/)
  return { port: Number(port), pid: child.pid, stop: async () => JSON.parse((await child.stop('SIGTERM')).out) }
}

/** The closing line of a tap: `recorded shop.mcap: 12 of 12 requests whole, 12 of 12 responses, dropped 1+1; the ledger balances`. */
export function readLedgerLine(text) {
  const line = text.split('\n').findLast((each) => each.startsWith('recorded ')) ?? ''
  const plain = line.replaceAll(/(\d),(?=\d{3})/g, '$1')
  const [, whole, seen, responses, responsesSeen] =
    /: (\d+) of (\d+) requests whole, (\d+) of (\d+) responses/.exec(plain) ?? []
  const fates = [...plain.matchAll(/, ([a-z-]+) (-?\d+)\+(-?\d+)/g)].map(([, fate, requests, replies]) => [
    fate,
    { requests: Number(requests), responses: Number(replies) },
  ])
  return {
    requests: { whole: Number(whole), seen: Number(seen) },
    responses: { whole: Number(responses), seen: Number(responsesSeen) },
    fates: Object.fromEntries(fates),
    balances: line.includes('the ledger balances'),
    line,
  }
}
