import { join } from 'node:path'

import { autocannon, bareLoop, gor, hey, wrk } from '../support/clients.js'
import { replay, runMesh } from '../support/mesh.js'
import { isInstalled } from '../support/processes.js'
import { writeRequests } from '../support/recordings.js'
import { startNginx } from '../support/server/nginx.js'
import { median } from '../support/statistics.js'
import { count, ratio } from '../support/table.js'

const CONNECTIONS = 50
const REQUESTS = 10_000
const FLOORS = ['bare socket loop', 'wrk', 'autocannon']
const MESH = 'mesh replay --speed max'

/** As fast as it goes: our replay of distinct recorded requests beside a loop that counts data events, and beside the peers. */
export async function sending({ folder, rounds, seconds, say }) {
  const server = await startNginx()
  if (server === undefined) return { title: 'Sending', absent: 'nginx is not installed (apt-get install nginx-light)' }
  const recording = await writeRequests(join(folder, 'sending.mcap'), { requests: REQUESTS, perSecond: 1000 })
  const url = `http://127.0.0.1:${server.port}/items/1`
  const load = { connections: CONNECTIONS, seconds }
  const contenders = {
    'bare socket loop': () => bareLoop(url, load),
    [MESH]: () => fullSpeed(folder, recording, server.port, seconds),
    wrk: () => wrk(url, load),
    hey: () => hey(url, load),
    autocannon: () => autocannon(url, load),
    gor: async () => gor(url, { ...load, file: await gorFile(folder, recording), served: () => server.served() }),
  }
  const absent = ['wrk', 'hey', 'gor'].filter((tool) => !isInstalled(tool))
  for (const tool of absent) delete contenders[tool]
  const rates = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]))
  for (let round = 1; round <= rounds; round++) {
    for (const [name, run] of Object.entries(contenders)) {
      const { perSecond } = await run()
      rates[name].push(perSecond)
      say(`sending ${round}/${rounds}: ${name} ${count(perSecond)}/s`)
    }
  }
  await server.stop()
  return present(rates, absent, rounds, seconds)
}

async function fullSpeed(folder, recording, port, seconds) {
  const pace = ['--speed', 'max', '--loop', '-c', `${CONNECTIONS}`, '-d', `${seconds + 1}s`, '--warmup', '1s']
  const run = await replay(folder, recording, ['--to', `http://127.0.0.1:${port}`, ...pace])
  const strange = Object.keys(run.statuses).filter((status) => status !== '200')
  if (run.unanswered > 0 || strange.length > 0) {
    throw new Error(`mesh replay: ${run.unanswered} shots unanswered, statuses ${JSON.stringify(run.statuses)}`)
  }
  return { perSecond: run.repliesPerSecond }
}

let madeGorFile

/** The same requests for GoReplay, made once. */
async function gorFile(folder, recording) {
  madeGorFile ??= (async () => {
    const file = join(folder, 'sending.gor')
    await runMesh(folder, ['export', recording, '--format', 'gor', '-o', file])
    return file
  })()
  return madeGorFile
}

function present(rates, absent, rounds, seconds) {
  const medians = Object.fromEntries(Object.entries(rates).map(([name, values]) => [name, median(values)]))
  const mine = medians[MESH]
  const rows = Object.entries(rates).map(([name, values]) => [
    name,
    count(medians[name]),
    `${count(Math.min(...values))}-${count(Math.max(...values))}`,
    ...FLOORS.map((floor) => ratio(medians[name], medians[floor])),
  ])
  const goals = [
    { what: 'replay, of the bare socket loop', value: mine / medians['bare socket loop'], least: 0.85 },
    { what: 'replay, of wrk', value: mine / medians.wrk, least: 0.65 },
    { what: 'replay, of autocannon', value: mine / medians.autocannon, least: 1.5 },
  ]
  return {
    title: 'Sending',
    tables: [{ columns: ['client', 'replies/s', 'least-most', ...FLOORS.map((floor) => `x ${floor}`)], rows }],
    notes: [
      `${CONNECTIONS} connections against nginx with one worker and a reply of 2 bytes; medians of ${rounds} alternating rounds of ${seconds} s.`,
      `mesh sends ${count(REQUESTS)} distinct recorded requests from one sending thread, and frames, checks and records every reply; the others send one request again and again. The bare loop counts data events and reads nothing. It, mesh and autocannon, which share a compiler, have 1 s of warm-up.`,
      ...absent.map((tool) => `${tool} is not installed, and not in the table.`),
    ],
    goals,
    figures: { rates, medians },
  }
}
