import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runMesh, temporaryFolder } from '../../support/mesh.ts'
import { startReplay } from '../../support/runs.ts'
import { recordSessions } from '../../support/session-recordings.ts'
import type { HttpTarget } from '../../support/targets.ts'
import { answerAfter, startHttpTarget } from '../../support/targets.ts'

const folder = temporaryFolder()
const file = folder.path('a.mcap')
let target: HttpTarget

beforeAll(async () => {
  await recordSessions(file, { host: 'a', users: 20, steps: 2, gapMs: 500 })
  target = await startHttpTarget(answerAfter(1))
})
afterAll(async () => {
  await target.close()
  folder.remove()
})

describe('mesh replay --against', () => {
  it('says that there are too few earlier runs, which fails only a gate of history', async () => {
    const earlier = folder.path('perf')
    const flags = ['--on-invalid', 'warn', '--against', earlier]
    const first = await startReplay([file], target.url, '--on-invalid', 'warn', '-o', join(earlier, 'one')).ended
    expect(first.code).toBe(0)
    const { code, stdout } = await startReplay([file], target.url, ...flags, '-o', join(earlier, 'two')).ended
    expect(stdout).toMatch(/^compared {4}not judged against earlier runs: [01] comparable/m)
    expect(code).toBe(0)
    const gated = await startReplay([file], target.url, ...flags, '--gate', 'mean < 2 * history').ended
    expect(gated.stderr).toContain('exit 4: 1 of 1 gate has no data')
    expect(gated.code).toBe(4)
  })

  it('refuses a directory that is not there before anything is sent', async () => {
    const { code, stderr } = await runMesh('replay', file, '--to', 'http://127.0.0.1:9', '--against', folder.path('no'))
    expect(stderr).toContain('MESH_ERR_FILE_NOT_FOUND')
    expect(code).toBe(1)
  })
})
