import { join } from 'node:path'

import { bareLoop, paced } from '../support/clients.js'
import { BRIEF_SECONDS, cpuUsOfReply } from '../support/cpu.js'
import { replay } from '../support/mesh.js'
import { writeRequests } from '../support/recordings.js'
import { startNginx } from '../support/server/nginx.js'
import { median } from '../support/statistics.js'
import { count, decimals } from '../support/table.js'

const REQUESTS = 10_000
const CONNECTIONS = 50
const RATE = 10_000

/** Eco: where pacing is precise a thread takes what CPU it gets, whatever a request costs. */
const [MAX, PACED] = ['mesh --speed max', `mesh --rate ${RATE}/s --pacing eco`]
const [LOOPS, CLIENTS] = ['bare socket loops', `bare clients at ${RATE}/s`]

/** What a request costs with two sending threads, of what it costs with one; beside it two bare clients, which share nothing but the machine. */
export async function workers({ folder, rounds, seconds, say }) {
  const title = 'Two workers'
  const server = await startNginx()
  if (server === undefined) return { title, absent: 'nginx is not installed (apt-get install nginx-light)' }
  const recording = await writeRequests(join(folder, 'workers.mcap'), { requests: REQUESTS, perSecond: 1000 })
  const base = `http://127.0.0.1:${server.port}`
  const measure = async (words) => {
    const run = (length) =>
      replay(folder, recording, ['--to', base, '--loop', '--warmup', '1s', ...words, '-d', length])
    const long = await run(`${2 * seconds + 1}s`)
    return { us: cpuUsOfReply(long, await run(`${BRIEF_SECONDS}s`)), perSecond: long.repliesPerSecond }
  }
  const mesh = (pace) => (threads) => measure([...pace, '--workers', `${threads}`])
  const contenders = {
    [MAX]: mesh(['--speed', 'max', '-c', `${CONNECTIONS}`]),
    [PACED]: mesh(['--rate', `${RATE}/s`, '--pacing', 'eco']),
    [LOOPS]: (programs) =>
      together(programs, async (connections) => bareLoop(`${base}/items/1`, { connections, seconds })),
    [CLIENTS]: (programs) =>
      together(programs, async (connections, share) => {
        const load = { connections, seconds: 2 * seconds, rate: RATE * share }
        const { cpuUs, answered } = await paced(`${base}/items/1`, load)
        return { cpuUs, perSecond: answered / load.seconds }
      }),
  }
  const found = Object.fromEntries(Object.keys(contenders).map((name) => [name, { 1: [], 2: [] }]))
  for (let round = 1; round <= rounds; round++) {
    for (const [name, run] of Object.entries(contenders)) {
      // What comes first may have the better minute: each does in turn.
      for (const threads of round % 2 === 0 ? [2, 1] : [1, 2]) {
        const result = await run(threads)
        found[name][threads].push(result)
        say(`workers ${round}/${rounds}: ${name}, ${threads}: ${decimals(result.us)} us, ${count(result.perSecond)}/s`)
      }
    }
  }
  await server.stop()
  return { title, ...present(found, rounds, seconds) }
}

/** Programs of their own, with as many connections in all. */
async function together(programs, run) {
  const all = await Promise.all(Array.from({ length: programs }, () => run(CONNECTIONS / programs, 1 / programs)))
  const perSecond = all.reduce((sum, each) => sum + each.perSecond, 0)
  return { us: all.reduce((sum, each) => sum + each.cpuUs * each.perSecond, 0) / perSecond, perSecond }
}

function present(found, rounds, seconds) {
  const ratioOf = (name) => median(found[name][2].map(({ us }, round) => us / found[name][1][round].us))
  const rows = Object.entries(found).map(([name, of]) => [
    name,
    ...[1, 2].flatMap((threads) => [
      decimals(median(of[threads].map(({ us }) => us))),
      count(median(of[threads].map(({ perSecond }) => perSecond))),
    ]),
    decimals(ratioOf(name)),
  ])
  const columns = ['sender', 'one: CPU us a reply', 'one: replies/s', 'two: CPU us', 'two: replies/s', 'two / one']
  const goals = [
    [MAX, LOOPS],
    [PACED, CLIENTS],
  ].flatMap(([mesh, bare]) => [
    { what: `${mesh}: CPU of two workers, of one`, value: ratioOf(mesh), most: 1.15 },
    { what: `the same, of what two ${bare} take`, value: ratioOf(mesh) / ratioOf(bare), most: 1.05 },
  ])
  const notes = [
    `All threads of the program, ${2 * seconds} s less a run of ${BRIEF_SECONDS} s; ratios are of the same round, medians of ${rounds} rounds. nginx with one worker has the same CPUs.`,
    `Bare loops and clients are programs of their own that share nothing but ${CONNECTIONS} connections between them: what two of them cost more than one is the machine's doing.`,
  ]
  return { tables: [{ columns, rows }], notes, goals, figures: found }
}
