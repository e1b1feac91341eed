import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fileParts } from '../../src/archive/parts.ts'
import { readRunDirectory } from '../../src/report/read-run.ts'
import type { Run } from '../../src/report/run.ts'
import { exchange, message, response } from '../support/exchanges.ts'
import type { MeshResult } from '../support/mesh.ts'
import { temporaryFolder } from '../support/mesh.ts'
import { recordingInfo, TestRecorder } from '../support/recordings.ts'
import { startReplay } from '../support/runs.ts'
import type { HttpTarget } from '../support/targets.ts'
import { startHttpTarget } from '../support/targets.ts'

/** Rounds of one request of each route, 10 ms apart. */
const ROUNDS = 60
const PATHS = ['/price', '/gone', '/same'] as const

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
        request: message([`GET ${PATHS[id % PATHS.length] ?? ''} HTTP/1.1`, 'Host: shop.example']),
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
      replies: 180,
      comparable: 180,
      changed: 60,
      changes: [{ route: 'GET /gone', recorded: 200, now: 404, count: 60 }],
      moreChanged: 0,
    })
    expect(code).toBe(3)
    expect(run.gates.map(({ outcome }) => outcome)).toEqual(['passed', 'failed'])
    expect(stdout).toContain('Compared the status of 180 of 180 replies: 60 differ from the recorded one.')
    expect(stdout).toMatch(/^GET \/gone +200 +404 +60$/m)
    expect(readFileSync(`${directory}/report.html`, 'utf8')).toContain('Replies against the recorded ones')
    expect(readFileSync(`${directory}/summary.md`, 'utf8')).toContain('GET /gone | 200 | 404 | 60')
  })

  it('says nothing of it where nobody asked, and reads such runs', async () => {
    const { stdout, run, code } = await check()
    expect(code).toBe(0)
    expect(run.check).toBeUndefined()
    expect(stdout).not.toContain('Compared')
  })
})
