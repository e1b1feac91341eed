import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { runMesh } from '../support/mesh.js'
import { startChild } from '../support/processes.js'
import { writeRequests } from '../support/recordings.js'

const SERVER = fileURLToPath(new URL('../support/server/varied.js', import.meta.url))
const BASE_MS = 20
const PAIRS = 12
/** Comparisons under way at a time: each sends 60 requests a second, and waits for most of its time. */
const TOGETHER = 6

/** How often so many of twenty are to be flagged. */
const CASES = [
  { name: 'the same (A/A)', slower: 1, most: 1 / 20 },
  { name: '10 % slower', slower: 1.1, least: 15 / 20 },
  { name: '15 % slower', slower: 1.15, least: 18 / 20 },
]

/** `--baseline` against a candidate that is as fast or slower by a known part: how often it is flagged. */
export async function baseline({ folder, quick, say }) {
  const runs = quick ? 1 : 20
  const recording = await writeRequests(join(folder, 'baseline.mcap'), {
    requests: 600,
    perSecond: 60,
    connections: 30,
  })
  const tasks = CASES.flatMap((one) => Array.from({ length: runs }, (_, run) => ({ ...one, seed: run + 1 })))
  const found = []
  const work = async () => {
    for (let task = tasks.pop(); task !== undefined; task = tasks.pop()) {
      const result = await compare(folder, recording, task)
      found.push({ ...task, ...result })
      say(`baseline ${found.length}: ${task.name}: ${result.answer}`)
    }
  }
  await Promise.all(Array.from({ length: TOGETHER }, work))
  const of = ({ name }) => found.filter((result) => result.name === name)
  const flagged = (results) => results.filter(({ isFlagged }) => isFlagged).length
  const middle = (results) =>
    results.map(({ ratio }) => ratio).toSorted((a, b) => a - b)[Math.floor(results.length / 2)]
  return {
    title: 'Baseline',
    tables: [
      {
        columns: ['candidate', 'runs', 'flagged as worse', 'p50, median change', 'wanted'],
        rows: CASES.map((one) => [
          one.name,
          String(of(one).length),
          String(flagged(of(one))),
          `${((middle(of(one)) ?? Number.NaN) * 100).toFixed(1)} %`,
          one.most === undefined ? `at least ${one.least * 20} of 20` : `at most ${one.most * 20} of 20`,
        ]),
      },
    ],
    notes: [
      `Each run: ${PAIRS} pairs of blocks of 2 s at 60/s onto two servers of some ${BASE_MS} ms, processes of their own, times random; ${TOGETHER} runs at a time.`,
      'Blocks that our side disturbed count too (`--on-invalid warn`): pairing is to bear what a busy machine does to both.',
    ],
    goals: CASES.map((one) => ({
      what: `${one.name}: share of runs that are flagged`,
      value: flagged(of(one)) / Math.max(1, of(one).length),
      ...(one.most === undefined ? { least: one.least } : { most: one.most }),
    })),
    figures: found,
  }
}

async function compare(folder, recording, { slower, seed }) {
  const servers = await Promise.all([BASE_MS, BASE_MS * slower].map(startServer))
  const [before, now] = servers.map(({ url }) => url)
  const flags = ['--pairs', String(PAIRS), '--step', '2s', '--pacing', 'eco', '--on-invalid', 'warn']
  const words = [
    'replay',
    recording,
    '--to',
    now,
    '--baseline',
    before,
    ...flags,
    '--seed',
    String(seed),
    '--json',
    '-q',
  ]
  const { out, code } = await runMesh(folder, words, { codes: [0, 3], seconds: 600 })
  await Promise.all(servers.map(({ stop }) => stop()))
  const { findings } = JSON.parse(out).comparison
  const worse = findings.filter(({ answer }) => answer === 'worse')
  return {
    isFlagged: code === 3,
    ratio: findings[0].change,
    answer:
      worse.length === 0
        ? 'no worse'
        : worse.map(({ metric, change }) => `${metric} +${(change * 100).toFixed(1)} %`).join(', '),
  }
}

async function startServer(meanMs) {
  const child = startChild(process.execPath, [SERVER, String(meanMs)])
  const [, port] = await child.seen('out', /(\d+)\n/, 60)
  return { url: `http://127.0.0.1:${port}`, stop: () => child.stop('SIGKILL') }
}
