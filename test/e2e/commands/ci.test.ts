import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { temporaryFolder } from '../../support/mesh.ts'
import { startReplay } from '../../support/runs.ts'
import { recordSessions } from '../../support/session-recordings.ts'
import type { HttpTarget } from '../../support/targets.ts'
import { startHttpTarget } from '../../support/targets.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const folder = temporaryFolder()
const file = folder.path('shop.mcap')
let target: HttpTarget

beforeAll(async () => {
  await recordSessions(file, { host: 'shop', users: 5, steps: 20, gapMs: 50 })
  target = await startHttpTarget()
})
afterAll(async () => {
  await target.close()
  folder.remove()
})

/** The script of `action.yml`, as a runner would start it. */
function actionScript(): string {
  const action = parse(readFileSync(`${ROOT}/action.yml`, 'utf8')) as { runs: { steps: { run: string }[] } }
  return action.runs.steps[0]?.run ?? ''
}

describe('a CI job', () => {
  it('runs the action with its inputs as words, whatever is in them, and gets exit code and verdict', () => {
    const output = folder.path('outputs')
    writeFileSync(output, '')
    const script = folder.path('action.sh')
    writeFileSync(script, actionScript())
    const environment = {
      ...process.env,
      INPUT_RECORDINGS: `${file}\n`,
      INPUT_TARGET: 'http://127.0.0.1:1',
      INPUT_ARGS: '--match=request.method == "GET" && "$(touch pwned)`touch pwned`" != ""\n--plan\n',
      INPUT_OUTPUT: folder.path('run with spaces'),
      INPUT_VERSION: '',
      INPUT_GATES: 'p50 < 10s\nerror_rate < 1%\n',
      GITHUB_ACTION_PATH: ROOT,
      GITHUB_OUTPUT: output,
    }
    const words = ['--noprofile', '--norc', '-eo', 'pipefail', script]
    const { status, stdout, stderr } = spawnSync('bash', words, {
      env: environment,
      encoding: 'utf8',
      cwd: folder.path('.'),
    })
    expect(stderr).not.toContain('syntax error')
    expect(stdout).toContain('plan: 1 recording')
    expect(status).toBe(0)
    expect(existsSync(folder.path('pwned'))).toBe(false)
    expect(readFileSync(output, 'utf8')).toBe('exit-code=0\nverdict=\n')
  })

  it('finds the metrics of the run in its directory, and pushes them where it is told to, or says that it could not', async () => {
    const run = folder.path('run')
    const words = ['-o', run, '--on-invalid', 'warn', '--push-otlp', 'http://127.0.0.1:1']
    const { code, stderr } = await startReplay([file], target.url, ...words).ended
    expect(code).toBe(0)
    expect(stderr).toMatch(
      /the run was not pushed: the connection was refused \(http:\/\/127\.0\.0\.1:1\/v1\/metrics\)/,
    )
    expect(readFileSync(`${run}/metrics.prom`, 'utf8')).toMatch(/^mesh_run_verdict\{verdict="\w+"\} 1$/m)
  })
})
