import { join } from 'node:path'

import { BRIEF_SECONDS, cpuUsOfReply } from '../support/cpu.js'
import { replayOnTerminal } from '../support/mesh.js'
import { isInstalled } from '../support/processes.js'
import { writeRequests } from '../support/recordings.js'
import { startNginx } from '../support/server/nginx.js'
import { median, medianOf } from '../support/statistics.js'
import { count, decimals, milliseconds } from '../support/table.js'

const REQUESTS = 10_000
const RATE = 1000

/** A run's seconds: long enough that what a dashboard costs at its start is not what is measured. */
const SECONDS = 3

/** What watching a run costs it: the dashboard against lines, and a run directory with its reports against none. */
export async function dashboard({ folder, rounds, seconds, say }) {
  const title = 'Dashboard and report'
  if (!isInstalled('script')) return { title, absent: 'script (util-linux) is not installed' }
  const server = await startNginx()
  if (server === undefined) return { title, absent: 'nginx is not installed (apt-get install nginx-light)' }
  const recording = await writeRequests(join(folder, 'dashboard.mcap'), { requests: REQUESTS, perSecond: 1000 })
  const length = SECONDS * seconds
  let directories = 0
  const common = (length) => ['--to', `http://127.0.0.1:${server.port}`, '--loop', '-d', `${length}s`, '--warmup', '1s']
  const [full, paced] = [
    ['--speed', 'max', '-c', '50'],
    ['--rate', `${RATE}/s`],
  ]
  const report = () => ['-o', join(folder, `watched-${directories++}`)]
  const contenders = {
    lines: () => ['--no-dashboard'],
    dashboard: () => [],
    'dashboard and report': () => report(),
  }
  const found = Object.fromEntries(Object.keys(contenders).map((name) => [name, { full: [], brief: [], paced: [] }]))
  for (let round = 1; round <= rounds; round++) {
    for (const [name, words] of Object.entries(contenders)) {
      const run = await replayOnTerminal(folder, recording, [...common(length + 1), ...full, ...words()])
      const brief = await replayOnTerminal(folder, recording, [...common(BRIEF_SECONDS), ...full, ...words()])
      const late = await replayOnTerminal(folder, recording, [...common(length + 1), ...paced, ...words()])
      found[name].full.push(run)
      found[name].brief.push(brief)
      found[name].paced.push(late)
      const lag = milliseconds(late.lagP99Ns)
      say(`dashboard ${round}/${rounds}: ${name} ${count(run.repliesPerSecond)}/s, at ${RATE}/s lag p99 ${lag} ms`)
    }
  }
  await server.stop()
  return { title, ...present(found, length, rounds) }
}

const cpuUs = ({ full, brief }) => full.map((run, round) => cpuUsOfReply(run, brief[round]))

/** CPU seconds that a run takes before its first reply and after its last. */
function cpuOfStartAndEnd({ full, brief }) {
  const each = cpuUs({ full, brief })
  return full.map((run, round) => run.cpuSeconds - (each[round] * run.answered) / 1e6)
}

function present(found, length, rounds) {
  const paired = (name, value) =>
    median(found[name].full.map((run, round) => value(run) / value(found.lines.full[round])))
  const rows = Object.entries(found).map(([name, { full, brief, paced }]) => [
    name,
    `${count(medianOf(full, 'repliesPerSecond'))}/s`,
    decimals(
      paired(name, ({ repliesPerSecond }) => repliesPerSecond),
      3,
    ),
    decimals(median(cpuUs({ full, brief })), 2),
    decimals(median(cpuOfStartAndEnd({ full, brief })), 2),
    decimals(median(paced.map(({ cpuSeconds }) => cpuSeconds)), 2),
    milliseconds(medianOf(paced, 'lagP99Ns')),
  ])
  const goals = ['dashboard', 'dashboard and report'].map((name) => ({
    what: `${name}: throughput of a run with lines, x`,
    value: paired(name, ({ repliesPerSecond }) => repliesPerSecond),
    least: 0.97,
  }))
  const columns = [
    'shown as',
    'throughput',
    'x lines',
    'CPU us a reply',
    'CPU s of start and end',
    `CPU s at ${RATE}/s`,
    'lag p99, ms',
  ]
  const notes = [
    `\`--speed max -c 50\` for the throughput and \`--rate ${RATE}/s\` for the lag, ${length} s each, on a terminal of 200 by 50; ratios are of the same round, medians of ${rounds} rounds. CPU a reply is a run's less that of one of ${BRIEF_SECONDS} s.`,
  ]
  return { tables: [{ columns, rows }], notes, goals, figures: found }
}
