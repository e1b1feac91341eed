import { join } from 'node:path'

import { paced } from '../support/clients.js'
import { startMirror, startTap } from '../support/mesh.js'
import { freePort, startNginx } from '../support/server/nginx.js'
import { startStalledServer } from '../support/server/stalled.js'
import { median } from '../support/statistics.js'
import { count, decimals, milliseconds } from '../support/table.js'

const RATE = 500
const CONNECTIONS = 20
/** 200 bytes of body. */
const PATH = '/200'

const TAP = 'mesh capture tap, recording'
const HEALTHY = 'mesh mirror, staging answers'
const STALLED = 'mesh mirror, staging never answers'
const DOWN = 'mesh mirror, staging is down'

/** What production's clients notice of a mirror: nothing, whatever staging does. The same load through a plain tap is what it is held against. */
export async function mirror({ folder, rounds, seconds, say }) {
  const upstream = await startNginx()
  if (upstream === undefined) return { title: 'Mirror', absent: 'nginx is not installed (apt-get install nginx-light)' }
  const [staging, stalled] = [await startNginx(), await startStalledServer()]
  const to = (port) => startMirror(folder, { upstream: upstream.port, to: `http://127.0.0.1:${port}` })
  const contenders = {
    [TAP]: await startTap(folder, { upstream: upstream.port, output: join(folder, 'mirror.mcap') }),
    [HEALTHY]: await to(staging.port),
    [STALLED]: await to(stalled.port),
    [DOWN]: await to(await freePort()),
  }
  const names = Object.keys(contenders)
  const found = Object.fromEntries(names.map((name) => [name, []]))
  const asked = Object.fromEntries(names.map((name) => [name, { sent: 0, answered: 0, failed: 0 }]))
  // Round 0 warms everyone up and counts for the proofs only. Each round begins with another one.
  for (let round = 0; round <= rounds; round++) {
    for (const place of names.keys()) {
      const name = names[(place + round) % names.length]
      const load = { connections: CONNECTIONS, rate: RATE, seconds: round === 0 ? 1 : seconds }
      const result = await paced(`http://127.0.0.1:${contenders[name].port}${PATH}`, load)
      for (const what of Object.keys(asked[name])) asked[name][what] += result[what]
      if (round === 0) continue
      found[name].push(result)
      say(`mirror ${round}/${rounds}: ${name}, p99 ${milliseconds(result.p99Ns)} ms`)
    }
  }
  const ended = {}
  for (const name of names) ended[name] = await contenders[name].stop()
  await Promise.all([upstream.stop(), staging.stop(), stalled.stop()])
  return present(
    { found, asked, proofs: Object.fromEntries(names.slice(1).map((name) => [name, ended[name]])) },
    rounds,
    seconds,
  )
}

function present({ found, asked, proofs }, rounds, seconds) {
  const spread = (name, field) => {
    const values = found[name].map((run) => run[field])
    return { middle: median(values), least: Math.min(...values), most: Math.max(...values) }
  }
  const tapP99 = spread(TAP, 'p99Ns')
  const noise = tapP99.most / tapP99.middle
  return {
    title: 'Mirror',
    tables: [
      {
        columns: [`GETs at ${count(RATE)}/s through`, 'p50, ms', 'least-most', 'p99, ms', 'least-most', 'x tap'],
        rows: Object.keys(found).map((name) => {
          const [p50, p99] = [spread(name, 'p50Ns'), spread(name, 'p99Ns')]
          return [name, ...cells(p50), ...cells(p99), decimals(p99.middle / tapP99.middle)]
        }),
      },
      {
        columns: ['proof', 'asked', 'answered', 'seen', 'mirrored', 'of that answered', 'unanswered', 'dropped', 'why'],
        rows: Object.entries(proofs).map(([name, { requests, counts }]) => [
          name,
          ...[asked[name].sent, asked[name].answered, requests.seen, counts.sent, counts.answered].map(count),
          count(sum(counts.unanswered)),
          count(sum(counts.dropped)),
          Object.entries({ ...counts.unanswered, ...counts.dropped })
            .map(([why, times]) => `${why} ${count(times)}`)
            .join(', '),
        ]),
      },
    ],
    notes: [
      `${CONNECTIONS} connections, ${count(RATE)} requests a second, medians of ${rounds} alternating rounds of ${seconds} s; clients, relay, mirror, nginx and staging share the CPUs. From when a request was written to its reply.`,
    ],
    goals: [
      ...[HEALTHY, STALLED, DOWN].map((name) => ({
        what: `p99 of ${name.replace('mesh mirror, ', '')}, of the tap's (most: the tap's own worst round)`,
        value: spread(name, 'p99Ns').middle / tapP99.middle,
        most: noise,
      })),
      { what: 'requests that clients had no reply to', value: unanswered(asked), most: 0 },
      { what: 'requests whose copy the mirrors cannot account for', value: unaccounted(asked, proofs), most: 0 },
    ],
    figures: { found, asked, proofs },
  }
}

function cells({ middle, least, most }) {
  return [milliseconds(middle), `${milliseconds(least)}-${milliseconds(most)}`]
}

function sum(tally) {
  return Object.values(tally).reduce((total, times) => total + times, 0)
}

function unanswered(asked) {
  return Object.values(asked).reduce((total, { sent, answered, failed }) => total + sent - answered + failed, 0)
}

function unaccounted(asked, proofs) {
  return Object.entries(proofs).reduce((total, [name, { counts }]) => {
    const known = counts.answered + sum(counts.unanswered) + sum(counts.dropped)
    return total + Math.abs(asked[name].answered - known)
  }, 0)
}
