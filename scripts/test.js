#!/usr/bin/env node
/**
 * `npm test`: sets up what it needs, then types, lint, dead code, packaging, unit and end-to-end tests. The last line counts tests as
 * the runner itself counted them: `N passed, N failed, N skipped`.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const WORK = `${ROOT}/.work`
const RESULT = `${WORK}/vitest.json`

function run(title, command, args) {
  process.stdout.write(`\n== ${title}\n`)
  const started = Date.now()
  const result = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit' })
  const seconds = ((Date.now() - started) / 1000).toFixed(1)
  const passed = result.status === 0
  process.stdout.write(`${passed ? 'ok' : 'FAILED'} in ${seconds}s: ${title}\n`)
  return passed
}

function tool(name) {
  return `${ROOT}/node_modules/.bin/${name}`
}

const setUp = spawnSync(process.execPath, ['scripts/setup.js', '--test'], { cwd: ROOT, stdio: 'inherit' })
if (setUp.status !== 0) process.exit(1)

mkdirSync(WORK, { recursive: true })
rmSync(RESULT, { force: true })
const checks = [
  run('types', tool('tsc'), ['-p', 'tsconfig.test.json']),
  run('lint', tool('oxlint'), ['--type-aware', '--deny-warnings']),
  run('format', tool('oxfmt'), ['--check']),
  run('dead code', tool('knip'), []),
  run('packaging', tool('publint'), ['--strict']),
  run('tests', tool('vitest'), ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${RESULT}`]),
]

if (!existsSync(RESULT)) {
  process.stdout.write('\nthe test runner wrote no result\n')
  process.exit(1)
}
const result = JSON.parse(readFileSync(RESULT, 'utf8'))
const skipped = result.numPendingTests + result.numTodoTests
const broken = checks.filter((passed) => !passed).length
if (broken > 0) process.stdout.write(`\n${broken} of ${checks.length} checks failed\n`)
process.stdout.write(`\n${result.numPassedTests} passed, ${result.numFailedTests} failed, ${skipped} skipped\n`)
process.exit(broken === 0 ? 0 : 1)
