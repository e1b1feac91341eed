#!/usr/bin/env node
/**
 * `npm test`: sets up what it needs, then types, lint, dead code, packaging, unit and end-to-end tests. The last line counts tests as
 * the runner itself counted them: `N passed, N failed, N skipped`.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const WORK = `${ROOT}/.work`

function run(title, command, args) {
  process.stdout.write(`\n== ${title}\n`)
  const started = Date.now()
  const result = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit' })
  const seconds = ((Date.now() - started) / 1000).toFixed(1)
  const passed = result.status === 0
  process.stdout.write(`${passed ? 'ok' : 'FAILED'} in ${seconds}s: ${title}\n`)
  return passed
}

/** The same for one of several steps at a time: what it says comes at its end, in one piece. */
function runBeside(title, command, args) {
  const started = Date.now()
  return new Promise((resolve) => {
    const pieces = []
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => pieces.push(piece))
    child.on('error', (error) => pieces.push(Buffer.from(`${error.message}\n`)))
    child.on('close', (status) => {
      const seconds = ((Date.now() - started) / 1000).toFixed(1)
      const passed = status === 0
      const said = Buffer.concat(pieces).toString()
      process.stdout.write(`\n== ${title}\n${said}${passed ? 'ok' : 'FAILED'} in ${seconds}s: ${title}\n`)
      resolve(passed)
    })
  })
}

function tool(name) {
  return `${ROOT}/node_modules/.bin/${name}`
}

const setUp = spawnSync(process.execPath, ['scripts/setup.js', '--test'], { cwd: ROOT, stdio: 'inherit' })
if (setUp.status !== 0) process.exit(1)

mkdirSync(WORK, { recursive: true })

/** Runs the tests of some projects; their counts are the runner's own, from its JSON result. */
function runTests(title, projects, words) {
  const file = `${WORK}/vitest-${title}.json`
  rmSync(file, { force: true })
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
  const chosen = projects.flatMap((project) => ['--project', project])
  const passed = run(`${title} tests`, tool('vitest'), ['run', ...chosen, ...words, ...reporters])
  if (existsSync(file)) return { passed, result: JSON.parse(readFileSync(file, 'utf8')) }
  process.stdout.write(`\nthe test runner wrote no result for ${title}\n`)
  return { passed: false, result: { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0, numTodoTests: 0 } }
}

const checks = await Promise.all([
  runBeside('types', tool('tsc'), ['-p', 'tsconfig.test.json']),
  // They import what is built.
  runBeside('types of the benches', tool('tsc'), ['-p', 'tsconfig.bench.json']),
  runBeside('lint', tool('oxlint'), ['--type-aware', '--deny-warnings']),
  runBeside('format', tool('oxfmt'), ['--check']),
  runBeside('dead code', tool('knip'), []),
  runBeside('packaging', tool('publint'), ['--strict']),
])
// The command line runs beside the unit tests where nothing is timed. What measures goes end to end one file after the other: it runs
// generators and targets of its own, which must not starve each other.
const tests = [
  // Replays take the time that was recorded: a third worker uses what two leave idle while they wait.
  runTests('unit', ['unit', 'commands'], ['--maxWorkers=3']),
  runTests('e2e', ['e2e'], ['--no-file-parallelism']),
]

const broken = [...checks, ...tests.map(({ passed }) => passed)].filter((passed) => !passed).length
if (broken > 0) process.stdout.write(`\n${broken} of ${checks.length + tests.length} checks failed\n`)
const sum = (count) => tests.reduce((total, { result }) => total + count(result), 0)
const [passed, failed] = [sum((result) => result.numPassedTests), sum((result) => result.numFailedTests)]
const skipped = sum((result) => result.numPendingTests + result.numTodoTests)
process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`)
process.exit(broken === 0 ? 0 : 1)
