import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRunDirectory } from '../../../src/report/read-run.ts'
import { temporaryFolder } from '../../support/mesh.ts'
import type { SessionRecording } from '../../support/session-recordings.ts'
import { recordSessions } from '../../support/session-recordings.ts'
import type { HttpTarget } from '../../support/targets.ts'
import { startHttpTarget } from '../../support/targets.ts'
import { HAS_TERMINAL, startMeshOnTerminal } from '../../support/terminal.ts'

/** 50 requests a second for a minute: longer than any test looks. */
const RECORDING: SessionRecording = { host: 'shop', users: 5, steps: 600, gapMs: 100 }

const folder = temporaryFolder()
const file = folder.path('shop.mcap')
let target: HttpTarget

beforeAll(async () => {
  await recordSessions(file, RECORDING)
  target = await startHttpTarget()
})
afterAll(async () => {
  await target.close()
  folder.remove()
})

const OTHER_SCREEN = '\u001B[?1049h'
const OWN_SCREEN = '\u001B[?1049l'

describe.skipIf(!HAS_TERMINAL)('mesh replay on a terminal', () => {
  it('shows a dashboard, pauses and changes the rate by keys, stops at q, and says in the report what an operator did', async () => {
    const run = folder.path('run')
    const mesh = startMeshOnTerminal(['replay', file, '--to', target.url, '--gate', 'p50 < 10s', '-o', run])
    await mesh.shown(/RESPONSE[^]*GATES[^]*GENERATOR[^]*q stop/)
    // Until the run has begun a key changes nothing, and is told so.
    await mesh.shown(/done +[1-9]/)
    mesh.type('p')
    await mesh.shown(/PAUSED by you/)
    mesh.type('p+')
    await mesh.shown(/1\.1x the planned rate, by you/)
    mesh.type('?')
    await mesh.shown(/KEYS/)
    mesh.type('q')
    const { code, text } = await mesh.ended
    expect(code).toBe(130)
    const [, after] = text.split(OWN_SCREEN)
    expect(text.indexOf(OTHER_SCREEN)).toBeLessThan(text.indexOf(OWN_SCREEN))
    expect(after).toMatch(/SIGINT: sending no more[^]*operator {4}paused it at [^]*exit 130/)
    const { operator = [], verdict, interrupted } = await readRunDirectory(run)
    expect(operator.map(({ speed }) => speed)).toEqual([0, 1, 1.1])
    expect(verdict.reasons.map((reason) => reason.code)).toContain('operator')
    expect(interrupted).toBe(true)
  })

  it.each([
    ['with --no-dashboard', ['--no-dashboard'], {}],
    ['where NO_COLOR is set', [], { NO_COLOR: '1' }],
    ['on a dumb terminal', [], { TERM: 'dumb' }],
  ] as const)('shows lines %s', async (_, flags, environment) => {
    const mesh = startMeshOnTerminal(['replay', file, '--to', target.url, '-d', '50s', ...flags], environment)
    await mesh.shown(/ of 50\.0s/)
    mesh.type('\u0003')
    const { code, text } = await mesh.ended
    expect(code).toBe(130)
    expect(text).not.toContain(OTHER_SCREEN)
  })

  it('gives the terminal back when it crashes', async () => {
    // Keys are read one by one as soon as the dashboard has the terminal.
    const look = "setInterval(() => { if (process.stdin.isRaw) throw new Error('boom') }, 20)"
    const crash = `import { isMainThread } from 'node:worker_threads'; if (isMainThread) ${look}`
    const options = `--import data:text/javascript,${encodeURIComponent(crash)}`
    const mesh = startMeshOnTerminal(['replay', file, '--to', target.url], { NODE_OPTIONS: options })
    const { code, text } = await mesh.ended
    expect(code).toBe(1)
    expect(text.split(OTHER_SCREEN)).toHaveLength(2)
    expect(text.split(OWN_SCREEN).at(-1)).toContain('boom')
    expect(text).toContain('\u001B[?25h')
  })
})
