import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fileParts } from '../../../src/archive/parts.ts'
import { readRunDirectory } from '../../../src/report/read-run.ts'
import type { Run } from '../../../src/report/run.ts'
import { exchange, message, response } from '../../support/exchanges.ts'
import type { MeshResult } from '../../support/mesh.ts'
import { temporaryFolder } from '../../support/mesh.ts'
import { recordingInfo, TestRecorder } from '../../support/recordings.ts'
import { startReplay } from '../../support/runs.ts'
import type { HttpTarget } from '../../support/targets.ts'
import { startHttpTarget } from '../../support/targets.ts'

/** Rounds of one request of each route, 10 ms apart. */
const ROUNDS = 40
const PATHS = ['/price', '/gone', '/same', '/once'] as const

/** Replies of `/price` at the recording and now: the price changed, the time is another each time. */
const reply = (price: number, at: string): string => JSON.stringify({ item: { name: 'tea', price }, at })

const folder = temporaryFolder()
const file = folder.path('shop.mcap')
let target: HttpTarget
let runs = 0

beforeAll(async () => {
  await record()
  let clock = 0
  target = await startHttpTarget((answer, { path }) => {
    const body = reply(path === '/price' ? 12 : 10, `now ${clock++}`)
    answer.writeHead(path === '/gone' ? 404 : 200, { 'content-type': 'application/json' })
    // In pieces: the reply is chunked.
    answer.write(body.slice(0, 5))
    answer.end(body.slice(5))
  })
})
afterAll(async () => {
  await target.close()
  folder.remove()
})

/** Nobody asks for `/once` with the same query again. */
function pathOf(id: number): string {
  const path = PATHS[id % PATHS.length] ?? ''
  return path === '/once' ? `${path}?n=${id}` : path
}

async function record(): Promise<void> {
  const recorder = await TestRecorder.open({ openPart: fileParts(file), info: recordingInfo() })
  for (let id = 0; id < ROUNDS * PATHS.length; id++) {
    const atNs = id * 10e6
    const body = reply(10, `then ${id}`)
    recorder.writer.write(
      exchange({
        id,
        connection: id % PATHS.length,
        position: Math.floor(id / PATHS.length),
        request: message([`GET ${pathOf(id)} HTTP/1.1`, 'Host: shop.example']),
        requestFirstNs: atNs,
        requestLastNs: atNs,
        response: response(
          ['HTTP/1.1 200 OK', 'Content-Type: application/json', `Content-Length: ${body.length}`],
          body,
          { firstNs: atNs + 1e6, lastNs: atNs + 1e6 },
        ),
      }),
    )
  }
  await recorder.writer.close()
}

interface Checked extends MeshResult {
  readonly run: Run
  readonly directory: string
}

async function check(...flags: readonly string[]): Promise<Checked> {
  const directory = folder.path(`run-${runs++}`)
  const result = await startReplay([file], target.url, '-o', directory, '--on-invalid', 'warn', ...flags).ended
  return { ...result, directory, run: await readRunDirectory(directory) }
}

describe('mesh replay --check status', () => {
  it('counts by route which status became which, in text, JSON and HTML, and gates can ask for it', async () => {
    const gates = ['mismatch_rate{route="GET /same"} < 1%', 'mismatch_rate < 1%'].flatMap((gate) => ['--gate', gate])
    const { code, stdout, run, directory } = await check('--check', 'status', ...gates)
    expect(run.check).toMatchObject({
      mode: 'status',
      replies: 160,
      comparable: 160,
      changed: 40,
      changes: [{ route: 'GET /gone', recorded: 200, now: 404, count: 40 }],
      moreChanged: 0,
    })
    expect(code).toBe(3)
    expect(run.gates.map(({ outcome }) => outcome)).toEqual(['passed', 'failed'])
    expect(stdout).toContain('Compared the status of 160 of 160 replies: 40 differ from the recorded one.')
    expect(stdout).toMatch(/^GET \/gone +200 +404 +40$/m)
    expect(readFileSync(`${directory}/report.html`, 'utf8')).toContain('Replies against the recorded ones')
    expect(readFileSync(`${directory}/summary.md`, 'utf8')).toContain('GET /gone | 200 | 404 | 40')
  })

  it('says nothing of it where nobody asked, and reads such runs', async () => {
    const { stdout, run, code } = await check()
    expect(code).toBe(0)
    expect(run.check).toBeUndefined()
    expect(stdout).not.toContain('Compared')
  })
})

describe('mesh replay --check body', () => {
  const bodyGates = ['body_mismatch_rate{route="GET /same"} < 1%', 'body_mismatch_rate < 1%']
  const gates = bodyGates.flatMap((gate) => ['--gate', gate])

  it('names the field that changed, and learns from repeats in the recording which differ by themselves', async () => {
    const { code, stdout, run, directory } = await check('--check', 'body', ...gates)
    const bodies = run.check?.bodies
    expect(bodies).toMatchObject({ compared: 160, same: 0, differing: 120, noisy: 40, notCompared: {}, moreFields: 0 })
    expect(bodies?.fields).toEqual([
      { route: 'GET /gone', field: 'status', kind: 'changed', count: 40, example: { recorded: '200', now: '404' } },
      { route: 'GET /once', field: 'body.at', kind: 'changed', count: 40, example: expect.anything() as unknown },
      {
        route: 'GET /price',
        field: 'body.item.price',
        kind: 'changed',
        count: 40,
        example: { recorded: '10', now: '12' },
      },
    ])
    expect(bodies?.noise).toContainEqual({ route: 'GET /same', field: 'body.at' })
    expect(bodies?.noise).not.toContainEqual({ route: 'GET /once', field: 'body.at' })
    expect(code).toBe(3)
    expect(run.gates).toMatchObject([
      { outcome: 'passed', actual: 0, samples: 40 },
      { outcome: 'failed', actual: 0.75, samples: 160 },
    ])
    expect(stdout).toContain('Compared 160 of 160 replies with the recorded ones: 120 differ, 40 in noise')
    expect(stdout).toMatch(/^GET \/price body\.item\.price changed +40\n {2}10 -> 12$/m)
    expect(readFileSync(`${directory}/report.html`, 'utf8')).toContain('body.item.price')
    expect(readFileSync(`${directory}/summary.md`, 'utf8')).toContain('body.item.price')
  })

  it('learns from clones of a request too, and ignores what it is told to', async () => {
    const ignore = ['--ignore', 'GET /price body.item', '--ignore', 'status']
    const { run } = await check('--check', 'body', '--amplify', '2', '--jitter', '100ms', ...ignore, ...gates)
    expect(run.check?.bodies).toMatchObject({ compared: 320, differing: 0, fields: [] })
    expect(run.check?.bodies?.noise).toContainEqual({ route: 'GET /once', field: 'body.at' })
    expect(run.check).toMatchObject({ changed: 80 })
    expect(run.gates.map(({ outcome }) => outcome)).toEqual(['passed', 'passed'])
  })

  it.each([
    [['--gate', 'body_mismatch_rate < 1%'], 'bodies are not compared in this run'],
    [['--check', 'body', '--ignore', 'updatedAt'], 'expected a field such as body.updatedAt'],
    [['--ignore', 'body.at'], 'give --check body too'],
    [['--check', 'status', '--closed', '2'], '--closed and --check exclude each other'],
  ])('refuses %j before anything is sent', async (flags, says) => {
    const before = target.seen.length
    const { code, stderr } = await startReplay([file], target.url, ...flags).ended
    expect([code, target.seen.length - before]).toEqual([2, 0])
    expect(stderr).toContain(says)
  })
})
