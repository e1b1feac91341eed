/**
 * The whole benchmark: replay, correlation, tap, mirror, ingest and copy-on-write side by side with the peers and with our own floors, in turns, in one
 * go and against the same servers; the start of a copy-on-write branch; what is held in memory at most; and how surely a comparison with a
 * baseline is right (twenty minutes). Needs `npm run build`; nginx, wrk, hey, gor, PostgreSQL and
 * PgBouncer are used where they are installed.
 *
 *     npm run bench -- [--only sending,workers,correlation,on-time,dashboard,tap,mirror,ingest,cow,cow-start,memory,baseline] [--rounds 5] [--megabytes 500] [--quick] [--json FILE]
 *
 * stdout is Markdown, stderr says what goes on. `--quick` is one short round of everything: it shows that it works, its figures
 * mean nothing.
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

import { baseline } from './sections/baseline.js'
import { correlation } from './sections/correlation.js'
import { cow } from './sections/cow.js'
import { cowStart } from './sections/cow-start.js'
import { dashboard } from './sections/dashboard.js'
import { ingest } from './sections/ingest.js'
import { memory } from './sections/memory.js'
import { mirror } from './sections/mirror.js'
import { onTime } from './sections/on-time.js'
import { sending } from './sections/sending.js'
import { tap } from './sections/tap.js'
import { workers } from './sections/workers.js'
import { describeMachine, endWarning, machineLine, pulse, pulseText, startWarning } from './support/machine.js'
import { endEverything, temporaryFolder } from './support/processes.js'
import { count, markdownTable } from './support/table.js'

const SECTIONS = {
  sending,
  workers,
  correlation,
  'on-time': onTime,
  dashboard,
  tap,
  mirror,
  ingest,
  cow,
  'cow-start': cowStart,
  memory,
  baseline,
}

/** Rounds are of those who race each other, runs of what is measured at a fixed rate or size; seconds are of one round. */
const FULL = { rounds: 5, runs: 3, seconds: 5, megabytes: 500, exchanges: 200_000 }
const QUICK = { rounds: 1, runs: 1, seconds: 1, megabytes: 20, exchanges: 20_000 }

function readOptions() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: Object.keys(SECTIONS).join(',') },
      rounds: { type: 'string' },
      megabytes: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  })
  const base = values.quick ? QUICK : FULL
  const names = values.only.split(',')
  const unknown = names.find((name) => !(name in SECTIONS))
  if (unknown !== undefined) usage(`--only: expected of ${Object.keys(SECTIONS).join(', ')}, found ${unknown}`)
  return {
    names,
    json: values.json,
    quick: values.quick,
    ...base,
    rounds: positive('--rounds', values.rounds ?? base.rounds),
    megabytes: positive('--megabytes', values.megabytes ?? base.megabytes),
  }
}

function positive(name, value) {
  const number = Number(value)
  if (!Number.isInteger(number) || number < 1) usage(`${name}: expected a whole number from 1, found ${value}`)
  return number
}

function usage(text) {
  say(text)
  process.exit(2)
}

function say(line) {
  process.stderr.write(`${line}\n`)
}

function print(text) {
  process.stdout.write(`${text}\n`)
}

/** A section that cannot run is said to, and does not keep the others from running. */
async function runSection(name, context) {
  try {
    return await SECTIONS[name](context)
  } catch (error) {
    return { title: name, failed: error instanceof Error ? error.message : String(error) }
  } finally {
    endEverything()
  }
}

function printSection({ title, tables = [], notes = [], absent, failed }) {
  print(`\n### ${title}\n`)
  if (absent !== undefined) print(`Not measured: ${absent}.`)
  if (failed !== undefined) print(`FAILED: ${failed}`)
  for (const { columns, rows } of tables) print(`${markdownTable(columns, rows)}\n`)
  for (const note of notes) print(`- ${note}`)
}

function printGoals(goals) {
  const rows = goals.map((goal) => [goal.what, figure(goal.value), goalText(goal), metText(goal)])
  print(`\n### Goals\n\n${markdownTable(['goal', 'measured', 'wanted', 'met'], rows)}`)
}

function goalText({ least, most }) {
  if (least === undefined) return `<= ${figure(most)}`
  return most === undefined ? `>= ${figure(least)}` : `${figure(least)}-${figure(most)}`
}

function metText({ value, least = -Infinity, most = Infinity }) {
  if (!Number.isFinite(value)) return 'not measured'
  return value >= least && value <= most ? 'yes' : 'NO'
}

function figure(value) {
  if (!Number.isFinite(value)) return '-'
  return value >= 100 || Number.isInteger(value) ? count(value) : value.toFixed(value < 1 ? 3 : 2)
}

async function main() {
  const options = readOptions()
  const machine = describeMachine()
  const before = pulse()
  print(`${machineLine(machine)}; at the start ${pulseText(before)}`)
  warn(startWarning(before))
  if (options.quick) warn('a quick run shows that it works; its figures mean nothing')
  const start = performance.now()
  const sections = {}
  for (const name of options.names) {
    sections[name] = await runSection(name, { ...options, folder: temporaryFolder(), say })
    printSection(sections[name])
  }
  const goals = Object.values(sections).flatMap((section) => section.goals ?? [])
  if (goals.length > 0) printGoals(goals)
  const seconds = Math.round((performance.now() - start) / 1000)
  const after = pulse()
  print(`\nAfter ${seconds} s: ${pulseText(after)}`)
  warn(endWarning(before, after))
  if (options.json !== undefined) {
    const document = { machine, before, after, seconds, options, sections, goals }
    writeFileSync(options.json, `${JSON.stringify(document, undefined, 1)}\n`)
  }
  process.exit(Object.values(sections).some(({ failed }) => failed !== undefined) ? 1 : 0)
}

function warn(sentence) {
  if (sentence !== undefined) print(`WARNING: ${sentence}.`)
}

await main()
