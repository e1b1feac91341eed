import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRunDirectory } from '../../../src/report/read-run.ts'
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
    const token = (text: string): readonly string[] => ['--on-invalid', 'warn', '-H', `Authorization: Bearer ${text}`]
    const flags = [...token('second-token'), '--against', earlier]
    const before = [...token('first-token'), '-o']
    const first = await startReplay([file], target.url, ...before, join(earlier, 'one')).ended
    expect(first.code).toBe(0)
    const other = await startReplay([file], target.url, ...before, join(earlier, 'other'), '--order', 'none').ended
    expect(other.code).toBe(0)
    const { code, stdout } = await startReplay([file], target.url, ...flags, '-o', join(earlier, 'two')).ended
    expect(stdout).toMatch(/^compared {4}not judged against earlier runs: [01] comparable/m)
    const { comparison, asked } = await readRunDirectory(join(earlier, 'two'))
    const skipped = new Map(comparison?.skipped.map(({ name, why }) => [name, why]))
    expect(skipped.get('other')).toMatch(/^(--order none, and here connection|disturbed by our own side)$/)
    // A token is new in every run.
    expect(skipped.get('one') ?? 'disturbed by our own side').toBe('disturbed by our own side')
    expect(JSON.stringify(asked)).not.toContain('second-token')
    expect(code).toBe(0)
    const gated = await startReplay([file], target.url, ...flags, '--gate', 'mean < 2 * history').ended
    expect(gated.stderr).toContain('exit 4: 1 of 1 gate has no data')
    expect(gated.code).toBe(4)
  })

  it('takes a directory of earlier runs that the run itself makes, the first of them', async () => {
    const earlier = folder.path('new')
    const flags = ['--on-invalid', 'warn', '--against', earlier, '-o', join(earlier, 'one')]
    const { code, stdout } = await startReplay([file], target.url, ...flags).ended
    expect(stdout).toMatch(/^compared {4}not judged against earlier runs: 0 comparable/m)
    expect(code).toBe(0)
  })

  it('refuses a directory that is not there before anything is sent', async () => {
    const { code, stderr } = await runMesh('replay', file, '--to', 'http://127.0.0.1:9', '--against', folder.path('no'))
    expect(stderr).toContain('MESH_ERR_FILE_NOT_FOUND')
    expect(code).toBe(1)
  })
})

describe('mesh replay --baseline', () => {
  it.each([
    ['candidate', 503, 200],
    ['baseline', 200, 503],
  ])('stops with exit 5 where the %s only fails', async (side, ofCandidate, ofBaseline) => {
    const [baseline, candidate] = [await answering(ofBaseline), await answering(ofCandidate)]
    try {
      const directory = folder.path(`dead-${side}`)
      const flags = ['--baseline', baseline.url, '--pairs', '8', '--step', '5s', '-o', directory]
      const { code, stderr } = await startReplay([file], candidate.url, ...flags).ended
      // A block of 6 s has 240 shots: where the machine is busy it may be over before anybody looks.
      expect(stderr).toMatch(
        new RegExp(`^exit 5: stopped by the breaker: the ${side}: 100 % of the last [12]\\d\\d shots`, 'm'),
      )
      expect(code).toBe(5)
      const dead = side === 'candidate' ? candidate : baseline
      expect(dead.seen.length).toBeLessThanOrEqual(240)
      expect(await readRunDirectory(directory)).toMatchObject({ interrupted: false, comparison: { used: 0 } })
    } finally {
      await Promise.all([baseline.close(), candidate.close()])
    }
  })
})

function answering(status: number): Promise<HttpTarget> {
  return startHttpTarget((response) => response.writeHead(status).end())
}
