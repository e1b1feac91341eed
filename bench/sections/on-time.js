import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { autocannon, wrk } from '../support/clients.js'
import { replay, verdictNotes } from '../support/mesh.js'
import { isInstalled, startChild } from '../support/processes.js'
import { writeRequests } from '../support/recordings.js'
import { startNginx } from '../support/server/nginx.js'
import { medianOf } from '../support/statistics.js'
import { count, milliseconds } from '../support/table.js'

const DELAY_SERVER = fileURLToPath(new URL('../support/server/delay.js', import.meta.url))
const RATES = [1000, 10_000]
const REQUESTS = 10_000
const DELAY_MS = 50
const DELAYED_RATE = 200

/** At a fixed rate: how late each shot left, and what is said of a server whose time is known. */
export async function onTime({ folder, runs, seconds, say }) {
  const recording = await writeRequests(join(folder, 'on-time.mcap'), { requests: REQUESTS, perSecond: 1000 })
  const paced = await lagAtRates({ folder, recording, runs, seconds: 2 * seconds, say })
  const known = await knownServer({ folder, recording, seconds, say })
  const { figures = {} } = paced
  return {
    title: 'On time',
    tables: [...paced.tables, ...known.tables],
    notes: [...paced.notes, ...known.notes],
    goals: [...paced.goals, ...known.goals],
    figures: { lag: figures, knownServer: known.figures },
  }
}

async function lagAtRates({ folder, recording, runs, seconds, say }) {
  const server = await startNginx()
  if (server === undefined) return { tables: [], goals: [], notes: ['nginx is not installed: lag was not measured.'] }
  const found = Object.fromEntries(RATES.map((rate) => [rate, []]))
  for (let run = 1; run <= runs; run++) {
    for (const rate of RATES) {
      const url = `http://127.0.0.1:${server.port}`
      const result = await replay(folder, recording, ['--to', url, ...pace(rate, seconds)])
      found[rate].push(result)
      say(`on time ${run}/${runs}: ${rate}/s lag p99 ${milliseconds(result.lagP99Ns)} ms, ${result.verdict}`)
    }
  }
  await server.stop()
  const figure = (rate, field) => milliseconds(medianOf(found[rate], field))
  return {
    tables: [
      {
        columns: ['rate', 'lag p50, ms', 'lag p99, ms', 'lag max, ms', 'service p50, ms', 'verdicts'],
        rows: RATES.map((rate) => [
          `${count(rate)}/s`,
          ...['lagP50Ns', 'lagP99Ns', 'lagMaxNs', 'serviceP50Ns'].map((field) => figure(rate, field)),
          found[rate].map(({ verdict }) => verdict).join(' '),
        ]),
      },
    ],
    notes: [
      `Lag is the part of lateness that is ours. Recorded traffic with random gaps, \`--pacing precise\`, against nginx; medians of ${runs} runs of ${seconds} s.`,
      ...verdictNotes(Object.fromEntries(RATES.map((rate) => [`${count(rate)}/s`, found[rate]]))),
    ],
    goals: RATES.flatMap((rate) => [
      { what: `lag p50 at ${count(rate)}/s, ms`, value: medianOf(found[rate], 'lagP50Ns') / 1e6, most: 0.05 },
      { what: `lag p99 at ${count(rate)}/s, ms`, value: medianOf(found[rate], 'lagP99Ns') / 1e6, most: 2 },
    ]),
    figures: found,
  }
}

function pace(rate, seconds) {
  return ['--rate', `${rate}/s`, '-d', `${seconds + 1}s`, '--warmup', '1s', '--loop', '--pacing', 'precise']
}

/** What clients report of a server that takes 50 ms for every request. */
async function knownServer({ folder, recording, seconds, say }) {
  const server = startChild(process.execPath, [DELAY_SERVER, `${DELAY_MS}`])
  const [, port] = await server.seen('out', /(\d+)\n/)
  const url = `http://127.0.0.1:${port}`
  const run = await replay(folder, recording, ['--to', url, ...pace(DELAYED_RATE, seconds)])
  const limited = await autocannon(`${url}/items/1`, { connections: 50, seconds, rate: DELAYED_RATE })
  const rows = [
    [`mesh replay --rate ${DELAYED_RATE}/s`, milliseconds(run.serviceP50Ns), 'service time'],
    [`mesh replay --rate ${DELAYED_RATE}/s`, milliseconds(run.responseP50Ns), 'response time, from when it was due'],
    [`autocannon -c 50 -R ${DELAYED_RATE}`, milliseconds(limited.p50Ns), 'latency, "corrected" for its rate'],
  ]
  const figures = { mesh: run, autocannon: limited }
  if (isInstalled('wrk')) {
    // Ten connections that wait 50 ms each: 200/s.
    figures.wrk = await wrk(`${url}/items/1`, { connections: 10, seconds })
    rows.push(['wrk -c10', milliseconds(figures.wrk.p50Ns), 'latency of a closed loop, without a rate'])
  }
  await server.stop()
  say(`on time: a server of ${DELAY_MS} ms has a service p50 of ${milliseconds(run.serviceP50Ns)} ms`)
  const p50 = run.serviceP50Ns / 1e6
  return {
    tables: [{ columns: [`a server that takes ${DELAY_MS} ms`, 'p50, ms', 'which is'], rows }],
    notes: [`The server of ${DELAY_MS} ms is asked at ${DELAYED_RATE}/s for ${seconds} s; one run each.`],
    goals: [{ what: `service p50 of a server of ${DELAY_MS} ms`, value: p50, least: DELAY_MS, most: DELAY_MS + 2 }],
    figures,
  }
}
