import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { wrk } from '../support/clients.js'
import { cpuSeconds } from '../support/cpu.js'
import { replay, startTap, verdictNotes } from '../support/mesh.js'
import { isInstalled, startChild } from '../support/processes.js'
import { writeRequests } from '../support/recordings.js'
import { startNginx, startNginxProxy } from '../support/server/nginx.js'
import { medianOf } from '../support/statistics.js'
import { count, decimals, milliseconds, ratio } from '../support/table.js'

const RELAY = fileURLToPath(new URL('../floors/relay.js', import.meta.url))
const CONNECTIONS = 50
const RATE = 5000
/** Of the recorded traffic at the fixed rate: few, so that what is measured is the proxy and not a crowd of sockets. */
const FIXED_CONNECTIONS = 20
/** 200 bytes of body. */
const PATH = '/200'
const SETTLING_MS = 200
const DIRECT = 'no proxy'
const PROXY = 'nginx proxy_pass'
const BARE = 'bare pipe relay'
const RELAY_ALONE = "mesh's relay, no recording"
const TAP = 'mesh capture tap, recording'

/** What the tap costs: as many requests as go through, then what it adds to each at a fixed rate; and whether it recorded them all. */
export async function tap({ folder, rounds, runs, seconds, say }) {
  const upstream = await startNginx()
  if (upstream === undefined) return { title: 'Tap', absent: 'nginx is not installed (apt-get install nginx-light)' }
  if (!isInstalled('wrk')) return { title: 'Tap', absent: 'wrk is not installed (apt-get install wrk)' }
  const full = await fullSpeed({ folder, upstream, rounds, seconds, say })
  const fixed = await fixedRate({ folder, upstream, runs, seconds: 2 * seconds, say })
  await upstream.stop()
  return {
    title: 'Tap',
    tables: [full.table, fixed.table, ledgerTable([full.ledger, fixed.ledger])],
    notes: [...full.notes, ...fixed.notes],
    goals: [...full.goals, ...fixed.goals],
    figures: { fullSpeed: full.figures, fixedRate: fixed.figures },
  }
}

async function fullSpeed({ folder, upstream, rounds, seconds, say }) {
  const output = join(folder, 'tap-full.mcap')
  const recording = await startTap(folder, { upstream: upstream.port, output })
  const contenders = {
    [DIRECT]: { port: upstream.port, pid: 0, stop: () => undefined },
    [PROXY]: await startNginxProxy(upstream.port),
    [BARE]: await startRelay('bare', upstream.port),
    [RELAY_ALONE]: await startRelay('relay', upstream.port),
    [TAP]: recording,
  }
  const sent = { replies: 0, upstream: 0, runs: 0 }
  const found = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]))
  // Round 0 warms everyone up and counts for the ledger only.
  for (let round = 0; round <= rounds; round++) {
    for (const [name, { port, pid }] of Object.entries(contenders)) {
      const before = { cpu: cpuSeconds(pid), served: await upstream.served() }
      const options = { connections: CONNECTIONS, seconds: round === 0 ? 1 : seconds }
      const { perSecond, replies } = await wrk(`http://127.0.0.1:${port}${PATH}`, options)
      if (name === TAP) {
        sent.replies += replies
        sent.upstream += (await settledCount(upstream)) - before.served
        sent.runs++
      }
      if (round === 0) continue
      found[name].push({ perSecond, cpuUs: ((cpuSeconds(pid) - before.cpu) * 1e6) / replies })
      say(`tap ${round}/${rounds}: ${name} ${count(perSecond)}/s`)
    }
  }
  for (const [name, contender] of Object.entries(contenders)) if (name !== TAP) await contender.stop()
  const ledger = {
    ...(await recording.stop()),
    name: `wrk, ${sent.runs} runs`,
    sent: sent.replies,
    served: sent.upstream,
  }
  rmSync(output, { force: true })
  return presentFullSpeed({ found, ledger, rounds, seconds })
}

function presentFullSpeed({ found, ledger, rounds, seconds }) {
  const rates = Object.fromEntries(Object.entries(found).map(([name, all]) => [name, medianOf(all, 'perSecond')]))
  return {
    table: {
      columns: ['before nginx', 'requests/s', 'x proxy_pass', 'CPU us a request'],
      rows: Object.keys(found).map((name) => [
        name,
        count(rates[name]),
        ratio(rates[name], rates[PROXY]),
        decimals(medianOf(found[name], 'cpuUs'), 1),
      ]),
    },
    ledger,
    notes: [
      `wrk -t1 -c${CONNECTIONS}, medians of ${rounds} alternating rounds of ${seconds} s; client, proxy, recorder and nginx share the CPUs. The CPU of a tap is that of its relay and its recorder together; its peak memory was ${count(ledger.peakBytes / 1024 ** 2)} MiB.`,
    ],
    goals: [
      { what: 'recording tap, of nginx proxy_pass', value: rates[TAP] / rates[PROXY], least: 0.5 },
      { what: 'requests of wrk that the tap did not record', value: unrecorded(ledger), most: 0 },
    ],
    figures: { found, rates, ledger },
  }
}

async function startRelay(name, upstreamPort) {
  const child = startChild(process.execPath, [RELAY, '--serve', name, '--upstream', `${upstreamPort}`])
  const [, port] = await child.seen('out', /(\d+)\n/)
  return { ...child, port: Number(port) }
}

/** The same requests at a rate that everyone holds: the time that a proxy adds. */
async function fixedRate({ folder, upstream, runs, seconds, say }) {
  const requests = await writeRequests(join(folder, 'fixed.mcap'), {
    requests: 10_000,
    perSecond: 1000,
    connections: FIXED_CONNECTIONS,
  })
  const output = join(folder, 'tap-fixed.mcap')
  // A tap leaves out what a replay of ours sends: here it is what is to be recorded.
  const recording = await startTap(folder, { upstream: upstream.port, output, words: ['--keep-replayed'] })
  const proxy = await startNginxProxy(upstream.port)
  const contenders = { [DIRECT]: upstream, [PROXY]: proxy, [TAP]: recording }
  const found = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]))
  const counted = { sent: 0, served: 0 }
  for (let run = 1; run <= runs; run++) {
    for (const [name, { port }] of Object.entries(contenders)) {
      const served = await upstream.served()
      // The generator shares the CPUs with all that it measures: spinning for precision would take one away from them.
      const pace = ['--pacing', 'eco', '--rate', `${RATE}/s`, '-d', `${seconds + 1}s`, '--warmup', '1s', '--loop']
      const result = await replay(folder, requests, ['--to', `http://127.0.0.1:${port}${PATH}`, ...pace])
      found[name].push(result)
      if (name === TAP) {
        counted.sent += result.answered
        counted.served += (await settledCount(upstream)) - served
      }
      say(
        `tap ${run}/${runs}: ${name} at ${RATE}/s, service p50 ${milliseconds(result.serviceP50Ns)} ms, ${result.verdict}`,
      )
    }
  }
  await proxy.stop()
  const ledger = { ...(await recording.stop()), name: `mesh replay, ${runs} runs`, ...counted }
  rmSync(output, { force: true })
  return presentFixedRate({ found, ledger, runs, seconds })
}

function presentFixedRate({ found, ledger, runs, seconds }) {
  const p50 = (name) => medianOf(found[name], 'serviceP50Ns')
  const p99 = (name) => medianOf(found[name], 'serviceP99Ns')
  return {
    table: {
      columns: [`at ${count(RATE)}/s`, 'service p50, ms', 'p99, ms', 'added p50, ms', 'added p99, ms', 'verdicts'],
      rows: Object.keys(found).map((name) => [
        name,
        milliseconds(p50(name)),
        milliseconds(p99(name)),
        name === DIRECT ? '' : milliseconds(p50(name) - p50(DIRECT)),
        name === DIRECT ? '' : milliseconds(p99(name) - p99(DIRECT)),
        found[name].map(({ verdict }) => verdict).join(' '),
      ]),
    },
    ledger,
    notes: [
      `At a fixed rate: \`mesh replay --rate ${RATE}/s --pacing eco\` of traffic recorded on ${FIXED_CONNECTIONS} connections; medians of ${runs} runs of ${seconds} s. It sleeps between requests instead of spinning: on few CPUs a spinning generator would take from the proxy what it measures.`,
      ...verdictNotes(found),
    ],
    goals: [
      { what: `p50 that the tap adds at ${count(RATE)}/s, ms`, value: (p50(TAP) - p50(DIRECT)) / 1e6, most: 0.3 },
      { what: `requests at ${count(RATE)}/s that the tap did not record`, value: unrecorded(ledger), most: 0 },
    ],
    figures: { found, ledger },
  }
}

/** What nginx has counted once the last requests of a client that left have come through the proxy. */
async function settledCount(upstream) {
  for (let last = await upstream.served(); ;) {
    await pause(SETTLING_MS)
    const now = await upstream.served()
    if (now === last || Number.isNaN(now)) return now
    last = now
  }
}

/** Exchanges that the client had answered and the recording does not have whole. */
function unrecorded({ sent, requests, responses }) {
  return Math.max(0, sent - Math.min(requests.whole, responses.whole))
}

function ledgerTable(ledgers) {
  return {
    columns: [
      'recorded by the tap',
      'answered',
      'nginx got',
      'seen',
      'recorded',
      'dropped',
      'other fates',
      'unrecorded',
      'ledger',
    ],
    rows: ledgers.map((ledger) => {
      const { dropped, ...others } = ledger.fates
      const rest = Object.entries(others).map(([fate, { requests, responses }]) => `${fate} ${requests}+${responses}`)
      return [
        ledger.name,
        count(ledger.sent),
        count(ledger.served),
        count(ledger.requests.seen),
        `${count(ledger.requests.whole)}+${count(ledger.responses.whole)}`,
        dropped === undefined ? '0' : `${dropped.requests}+${dropped.responses}`,
        rest.length === 0 ? 'none' : rest.join(', '),
        count(unrecorded(ledger)),
        ledger.balances && ledger.code === 0 ? 'balances' : `exit code ${ledger.code}: ${ledger.line}`,
      ]
    }),
  }
}
