import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { summariseForCi } from '../../../src/cli/replay/ci-summary.ts'
import type { Terminal } from '../../../src/cli/terminal.ts'
import { shopRun } from '../../report/runs.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mesh-ci-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

function listening(): { readonly said: string[]; readonly terminal: Terminal } {
  const said: string[] = []
  const say = (text: string): void => void said.push(text)
  const talk = { out: say, say, warn: say, progress: say, draw: say, divert: () => undefined }
  const terminal: Terminal = { ...talk, columns: 80, colour: false, interactive: false, drawable: false }
  return { said, terminal }
}

const FAILED = {
  gate: 'p99 < 1ms',
  severity: 'fail',
  outcome: 'failed',
  unit: 'ns',
  samples: 40_000,
  actual: 9e6,
  limit: 1e6,
  what: 'p99 is 9ms: 100% over, not below 1ms',
} as const

describe('a CI job', () => {
  it('finds the summary on its page, behind what others wrote there', async () => {
    const file = join(folder, 'summary.md')
    await writeFile(file, 'before\n')
    const { said, terminal } = listening()
    await summariseForCi(shopRun(), { GITHUB_STEP_SUMMARY: file }, terminal)
    expect(await readFile(file, 'utf8')).toMatch(/^before\n### VALID: /)
    expect(said).toEqual([])
  })

  it('is shown the gates that failed, and nothing outside of GitHub', async () => {
    const { said, terminal } = listening()
    const run = { ...shopRun(), gates: [FAILED] }
    await summariseForCi(run, {}, terminal)
    expect(said).toEqual([])
    await summariseForCi(run, { GITHUB_ACTIONS: 'true' }, terminal)
    expect(said).toEqual(['::error title=mesh%3A p99 < 1ms::p99 is 9ms: 100%25 over, not below 1ms'])
  })

  it('is warned of a measurement that is not valid where --on-invalid warn excuses it', async () => {
    const { said, terminal } = listening()
    const run = shopRun()
    const reasons = [{ code: 'lag', verdict: 'INVALID', what: 'we sent late', remedy: '' }] as const
    const invalid = { ...run, verdict: { name: 'INVALID', reasons } } as const
    await summariseForCi(invalid, { GITHUB_ACTIONS: 'true' }, terminal)
    const asked = { ...run.asked, options: { ...run.asked.options, onInvalid: 'warn' } }
    await summariseForCi({ ...invalid, asked }, { GITHUB_ACTIONS: 'true' }, terminal)
    const message = 'title=mesh%3A the measurement is not valid::we sent late'
    expect(said).toEqual([`::error ${message}`, `::warning ${message}`])
  })

  it('is warned of a summary that cannot be written, and goes on', async () => {
    const { said, terminal } = listening()
    await summariseForCi(shopRun(), { GITHUB_STEP_SUMMARY: join(folder, 'no', 'such') }, terminal)
    expect(said.join('\n')).toContain('summary could not be written')
  })
})
