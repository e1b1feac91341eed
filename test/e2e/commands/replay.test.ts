import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { readRunDirectory } from '../../../src/report/read-run.ts'
import { runMesh, temporaryFolder } from '../../support/mesh.ts'
import { readIntervals, startReplay } from '../../support/runs.ts'
import type { SessionRecording } from '../../support/session-recordings.ts'
import { recordSessions, stepBody, stepPath, THREE_HOSTS } from '../../support/session-recordings.ts'
import { notBefore } from '../../support/not-before.ts'
import { byConnection, closedPort, HttpTargets } from '../../support/targets.ts'

/** Reads and writes of one user in turn. */
const WRITES: SessionRecording = {
  host: 'w',
  users: 4,
  steps: 6,
  gapMs: 50,
  method: (step) => (step % 2 === 0 ? 'GET' : 'POST'),
}

const folder = temporaryFolder()
const fileOf = ({ host }: SessionRecording): string => folder.path(`${host}.mcap`)
const hostFiles = THREE_HOSTS.map(fileOf)
const targets = new HttpTargets()

beforeAll(async () => {
  for (const recording of [...THREE_HOSTS, WRITES]) await recordSessions(fileOf(recording), recording)
})

afterEach(() => targets.closeAll())

afterAll(() => folder.remove())

describe('what a replay sends', () => {
  it('is reads only, unless writes are allowed', async () => {
    const { url, seen } = await targets.start()
    const { stderr } = await startReplay([fileOf(WRITES)], url).ended
    expect(stderr).toContain('held back  12 POST: they would write (--allow-writes sends them)')
    expect(seen).toHaveLength(12)
    expect(new Set(seen.map(({ method }) => method))).toEqual(new Set(['GET']))
  })

  it('is everything with --allow-writes, bodies as recorded, in order', async () => {
    const { url, seen } = await targets.start()
    const { stderr } = await startReplay([fileOf(WRITES)], url, '--allow-writes').ended
    expect(stderr).not.toContain('held back')
    for (const requests of byConnection(seen)) {
      const user = Number(requests[0]?.path.split('/')[3])
      const steps = [0, 1, 2, 3, 4, 5]
      expect(requests.map(({ method, path, body }) => [method, path, body.toString()])).toEqual(
        steps.map((step) => [
          step % 2 === 0 ? 'GET' : 'POST',
          stepPath('w', user, step),
          step % 2 === 0 ? '' : stepBody(user, step),
        ]),
      )
    }
    expect(seen).toHaveLength(24)
  })

  it("bears the marks of the run and the target's Host, and the headers that -H sets", async () => {
    const { url, port, seen } = await targets.start()
    const directory = folder.path('marked')
    await startReplay([fileOf(WRITES)], url, '-H', 'Authorization: Bearer canary', '-H', 'Cookie:', '-o', directory)
      .ended
    const { runId } = await readRunDirectory(directory)
    expect(seen).toHaveLength(12)
    for (const { headers } of seen) {
      expect(headers).toMatchObject({
        host: `127.0.0.1:${port}`,
        'x-mesh-replay': runId,
        baggage: `mesh-replay=${runId}`,
        authorization: 'Bearer canary',
      })
      expect(headers.cookie).toBeUndefined()
    }
  })

  it('is nothing with --plan, which prints what it would be', async () => {
    const { url, seen } = await targets.start()
    const { code, stdout } = await startReplay(hostFiles, url, '--amplify', '3', '--plan').ended
    expect(code).toBe(0)
    expect(stdout).toMatch(/sends +900 requests of 30 sessions, each 3 times/)
    expect(seen).toHaveLength(0)
  })

  it('is nothing where the peak is above the recorded one times N and --yes is missing', async () => {
    const { url, seen } = await targets.start()
    const { code, stderr } = await startReplay(hostFiles, url, '--speed', '10x').ended
    expect(code).toBe(2)
    expect(stderr).toMatch(/the peak of \d.* is above the recorded .*: confirm with --yes \[MESH_ERR_CONFIRMATION\]\n$/)
    expect(seen).toHaveLength(0)
    await startReplay(hostFiles, url, '--speed', '10x', '--yes').ended
    expect(seen).toHaveLength(300)
  })

  it('is nothing where the peak is above --max-rate, whatever was confirmed', async () => {
    const { url, seen } = await targets.start()
    const { code, stderr } = await startReplay(hostFiles, url, '--amplify', '3', '--max-rate', '50/s', '--yes').ended
    expect(code).toBe(1)
    expect(stderr).toMatch(/expected a peak of at most 50\.0\/s, found .* \(--max-rate\).*\[MESH_ERR_LIMIT\]\n$/)
    expect(seen).toHaveLength(0)
  })
})

describe('a replay onto a target that fails', () => {
  it('says that nobody is there before it sends anything, with exit 1', async () => {
    const { code, stdout, stderr } = await startReplay([fileOf(WRITES)], `http://127.0.0.1:${await closedPort()}`).ended
    expect(stderr).toMatch(
      /the connection was refused \(--to 127\.0\.0\.1:\d+\): is the server running\? \[MESH_ERR_UNREACHABLE\]\n$/,
    )
    expect(stdout).toBe('')
    expect(code).toBe(1)
  })

  it('holds a plan that would be refused against itself, without sending anything', async () => {
    const words = ['--plan', '--speed', '2x', '--max-rate', '1/s']
    const { code, stdout, stderr } = await startReplay([fileOf(WRITES)], 'http://127.0.0.1:9', ...words).ended
    expect(stdout).toContain('plan: 1 recording onto http://127.0.0.1:9')
    expect(stderr).toMatch(/this plan would not run as it is: .*--max-rate/)
    expect(code).toBe(0)
  })

  it.each(['http://user:hunter2@127.0.0.1:9', 'http://127.0.0.1:9/?password=hunter2', 'ftp://user:hunter2@h'])(
    'refuses a target that holds a secret, and does not repeat it: %#',
    async (url) => {
      const { code, stdout, stderr } = await startReplay([fileOf(WRITES)], url).ended
      expect(stdout + stderr).not.toContain('hunter2')
      expect(code).toBe(2)
    },
  )

  it('is stopped by the breaker with exit 5 where most requests end in errors', async () => {
    const { url, seen } = await targets.start((response) => response.writeHead(503, { 'content-length': 0 }).end())
    const directory = folder.path('broken')
    const { code, stderr } = await startReplay(hostFiles, url, '--amplify', '3', '-o', directory).ended
    expect(stderr).toMatch(/stopped by the breaker: 100 % of the last \d+ shots .* were errors/)
    expect(code).toBe(5)
    expect(seen.length).toBeLessThan(900)
    expect((await readRunDirectory(directory)).totals.statuses).toMatchObject({ 503: expect.any(Number) as number })
  })

  it('goes on with --no-breaker, and counts the replies that differ from the recorded ones', async () => {
    const { url, seen } = await targets.start((response) => response.writeHead(503, { 'content-length': 0 }).end())
    const directory = folder.path('unbroken')
    await startReplay(hostFiles, url, '--no-breaker', '-o', directory).ended
    expect(seen).toHaveLength(300)
    const { totals } = await readRunDirectory(directory)
    expect(totals).toMatchObject({ replies: 300, mismatches: 300, statuses: { 503: 300 } })
  })

  it('reports a target that dies in the middle, and does not send again what may have arrived', async () => {
    const dying = await targets.start()
    const directory = folder.path('dying')
    const replay = startReplay(hostFiles, dying.url, '--no-breaker', '-o', directory)
    await dying.saw(100)
    await dying.close()
    await replay.ended
    const { totals } = await readRunDirectory(directory)
    expect(totals.shots).toBe(300)
    expect(totals.errors['refused']).toBeGreaterThan(0)
    expect(totals.replies + Object.values(totals.errors).reduce((sum, count) => sum + count, 0)).toBe(300)
    const counts = new Map<string, number>()
    for (const { path } of dying.seen) counts.set(path, (counts.get(path) ?? 0) + 1)
    expect([...counts.values()].filter((count) => count > 1)).toEqual([])
  })
})

describe('the directory of a run', () => {
  const directory = folder.path('run')
  let printed = ''

  it('holds what the run printed: mesh report prints the same text again, and JSON', async () => {
    const { url } = await targets.start()
    const run = await startReplay(hostFiles, url, '--amplify', '2', '--warmup', '500ms', '-o', directory).ended
    printed = run.stdout
    const reports = ['junit.xml', 'metrics.prom', 'report.html', 'summary.md']
    expect(readdirSync(directory).toSorted()).toEqual(
      ['intervals.ndjson', 'latency.hgrm', 'run.json', ...reports].toSorted(),
    )
    expect(readFileSync(join(directory, 'report.html'), 'utf8')).toMatch(/<h3>Response time<\/h3>/)
    const again = await runMesh('report', directory)
    expect(again).toMatchObject({ code: 0, stderr: '' })
    expect(again.stdout).toBe(printed)
    const json = await runMesh('report', directory, '--format', 'json')
    expect(JSON.parse(json.stdout)).toMatchObject({ schema: 'mesh.run/v1', interrupted: false })
    expect((await runMesh('report', directory, '--format', 'hgrm')).stdout).toMatch(/#\[Mean/)
  })

  it('has rows a second that add up to its totals exactly', async () => {
    const { totals } = await readRunDirectory(directory)
    const rows = readIntervals(directory).filter(({ kind }) => kind === 'second')
    const sum = (value: (row: (typeof rows)[number]) => number): number =>
      rows.reduce((all, row) => all + value(row), 0)
    for (const name of ['shots', 'sent', 'replies', 'mismatches', 'bytesSent', 'bytesReceived', 'warmup'] as const) {
      expect([name, sum((row) => row[name])]).toEqual([name, totals[name]])
    }
    for (const name of ['responseTime', 'serviceTime'] as const) {
      expect([name, sum((row) => row[name].count)]).toEqual([name, totals[name].count])
      expect([name, sum((row) => row[name].sumNs)]).toEqual([name, totals[name].sumNs])
    }
    expect(totals.shots + totals.warmup).toBe(600)
    expect(totals.warmup).toBeGreaterThan(0)
  })

  it('names the slowest exchanges as they were recorded, and prints five of them', async () => {
    // The first of its user: answered when everybody else was, and all that waits for it is less than twenty.
    const slow = stepPath('b', 3, 0)
    const held: (() => void)[] = []
    let others = 2 * (300 - 10)
    const { url } = await targets.start((response, { path }) => {
      if (path === slow) held.push(() => response.end('late'))
      else response.end('ok')
      if (!path.startsWith(stepPath('b', 3, 0).slice(0, -1)) && --others === 0)
        notBefore(100, () => held.forEach((answer) => answer()))
    })
    const slowest = folder.path('slowest')
    const flags = ['--amplify', '2', '--jitter', '0s', '--workers', '2', '-o', slowest]
    const { stdout } = await startReplay(hostFiles, url, ...flags).ended
    const run = await readRunDirectory(slowest)
    expect(run.slowest).toHaveLength(20)
    const named = (run.slowest ?? []).filter(({ recorded }) => recorded?.request === `GET ${slow}`)
    expect(named.map(({ clone }) => clone).toSorted((a, b) => a - b)).toEqual([0, 1])
    for (const { recorded, responseNs, serviceNs } of named) {
      expect(recorded).toMatchObject({ host: 'b', connection: 3, session: expect.stringMatching(/^sid=mesh-/) })
      expect(responseNs).toBeGreaterThanOrEqual(serviceNs)
      expect(serviceNs).toBeGreaterThan(100e6)
    }
    expect(Math.max(...named.map(({ responseNs }) => responseNs))).toBeLessThanOrEqual(
      run.totals.responseTime.maxNs ?? 0,
    )
    expect(stdout).toMatch(/\nslowest +at +response +service +blocked +status\n(?:GET \/.*\n){5}\n/)
    expect(readFileSync(join(slowest, 'report.html'), 'utf8')).toContain('<h3>The slowest 20</h3>')
  })

  it('is never written over', async () => {
    const { url, seen } = await targets.start()
    const { code, stderr } = await startReplay(hostFiles, url, '-o', directory).ended
    expect(code).toBe(1)
    expect(stderr).toMatch(/found 7 files in it .*\[MESH_ERR_FILE_EXISTS\]\n$/)
    expect(seen).toHaveLength(0)
  })

  it('says interrupted after Ctrl-C, which ends the run with exit 130 and its partial result', async () => {
    const { url, saw, seen } = await targets.start()
    const interrupted = folder.path('interrupted')
    const replay = startReplay(hostFiles, url, '--loop', '-o', interrupted)
    await saw(50)
    replay.signal('SIGINT')
    const { code, stdout, stderr } = await replay.ended
    expect(stderr).toContain('SIGINT: sending no more, waiting for replies')
    expect(stdout).toContain('(interrupted)')
    expect(code).toBe(130)
    const run = await readRunDirectory(interrupted)
    expect(run.interrupted).toBe(true)
    expect(run.totals.replies).toBe(seen.length)
  })

  it('prints run.json instead of the text with --json', async () => {
    const { url } = await targets.start()
    const { stdout } = await startReplay([fileOf(WRITES)], url, '--json').ended
    expect(JSON.parse(stdout)).toMatchObject({ schema: 'mesh.run/v1', totals: { replies: 12 } })
  })
})
