import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect } from 'node:net'
import { latin1 } from '../../../src/core/bytes.ts'
import type { Exchange } from '../../../src/core/exchange.ts'
import { hasResponse } from '../../../src/core/exchange.ts'
import { parseHead } from '../../../src/core/head.ts'
import { ClientConnection } from '../../support/load.ts'
import type { RunningMesh } from '../../support/mesh.ts'
import { runMesh, startMesh, temporaryFolder } from '../../support/mesh.ts'
import { readRecording, recordedSoFar, requestWords, statusOf } from '../../support/recorded.ts'
import { startTap } from '../../support/taps.ts'
import type { HttpTarget } from '../../support/targets.ts'
import { startHttpTarget } from '../../support/targets.ts'

const run = promisify(execFile)
const CURL_ABSENT = ['/usr/bin/curl', '/bin/curl', '/usr/local/bin/curl'].some((path) => existsSync(path))
  ? false
  : 'curl is not installed'

const folder = temporaryFolder()
const RECORDING = folder.path('shop.mcap')
let target: HttpTarget | undefined

/** Requests of every kind that a format might lose something of; all bodies have a length. */
const REQUESTS: readonly (readonly [method: string, path: string, lines: readonly string[], body: string])[] = [
  ['GET', '/cart?id=3&name=a%20b', ['Accept: text/plain', 'X-Twice: 1', 'X-Twice: 2'], ''],
  ['POST', '/orders', ['Content-Type: application/json'], '{"item":"caf\\u00e9","count":2}'],
  [
    'PUT',
    "/it's",
    ['Content-Type: text/plain', "X-Quote: it's $HOME `id`"],
    "don't \\ $(id) 'quote' \"this\"\nnext line",
  ],
  ['DELETE', '/orders/7', [], ''],
  ['PATCH', '/binary', ['Content-Type: application/octet-stream'], '\u0000\u0001\u0080\u00ff\r\n\u0000'],
  ['HEAD', '/cart', [], ''],
  ['GET', '/missing', [], ''],
]

function requestText(port: number, [method, path, lines, body]: (typeof REQUESTS)[number]): string {
  const length = body === '' ? [] : [`Content-Length: ${body.length}`]
  return `${[`${method} ${path} HTTP/1.1`, `Host: 127.0.0.1:${port}`, ...lines, ...length].join('\r\n')}\r\n\r\n${body}`
}

/** What every format has to keep of an exchange. */
function essence(exchange: Exchange): object {
  const { request } = exchange
  return {
    request: requestWords(exchange),
    headers: parseHead(request.head).fields.map(({ name, value }) => `${name}: ${value}`),
    body: latin1(request.body),
    status: statusOf(exchange),
    reply: hasResponse(exchange) ? latin1(exchange.response.body) : '',
  }
}

async function exported(format: string, recording = RECORDING): Promise<string> {
  const file = folder.path(`shop-${format}-${Math.random().toString(36).slice(2)}`)
  const { code, stderr } = await runMesh('export', recording, '--format', format, '-o', file)
  expect([code, stderr]).toEqual([0, expect.stringMatching(/^wrote \d+ exchanges as \w+ to /)])
  return file
}

/** Starts `mesh capture gor` and sends it the recording as GoReplay would. */
async function sentToReceiver(
  name: string,
  ...flags: readonly string[]
): Promise<{ readonly receiver: RunningMesh; readonly file: string }> {
  const file = folder.path(name)
  const sent = readFileSync(await exported('gor'))
  const receiver = startMesh(['capture', 'gor', '--listen', '127.0.0.1:0', '--keep-secrets', '-o', file, ...flags])
  const [, port] = await receiver.said(/listening on 127\.0\.0\.1:(\d+)/)
  const socket = connect(Number(port), '127.0.0.1')
  await once(socket, 'connect')
  socket.end(sent)
  return { receiver, file }
}

async function expectSameAsRecorded(file: string): Promise<void> {
  const [before, after] = [await readRecording(RECORDING), await readRecording(file)]
  expect(after.exchanges.map(essence)).toEqual(before.exchanges.map(essence))
  expect(after.imbalance).toEqual(new Map())
}

beforeAll(async () => {
  target = await startHttpTarget((response, request) => {
    const status = request.path === '/missing' ? 404 : 200
    const body = request.method === 'HEAD' ? '' : `${request.method} ${request.path} ${request.body.length}`
    response.writeHead(status, { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(body) }).end(body)
  })
  const tap = await startTap(target.port, RECORDING, '--keep-secrets')
  const connection = await ClientConnection.open(tap.port)
  for (const request of REQUESTS) await connection.ask(requestText(target.port, request))
  connection.close()
  tap.signal('SIGTERM')
  await tap.ended
})

afterAll(async () => {
  await target?.close()
  folder.remove()
})

describe('a recording that is exported and imported again', () => {
  it.each(['gor', 'har'])('keeps method, target, headers, bodies and status as %s', async (format) => {
    const file = await exported(format)
    const again = folder.path(`again-${format}.mcap`)
    const { code } = await runMesh('capture', 'import', file, '--keep-secrets', '-o', again)
    expect(code).toBe(0)
    const [before, after] = [await readRecording(RECORDING), await readRecording(again)]
    expect(after.exchanges.map(essence)).toEqual(before.exchanges.map(essence))
    expect(after.imbalance).toEqual(new Map())
    const started = ({ info }: typeof before, exchange: Exchange | undefined): bigint =>
      info.originUnixNs + BigInt(Math.round(exchange?.requestFirstNs ?? 0))
    for (const [index, exchange] of before.exchanges.entries()) {
      expect(started(after, after.exchanges[index])).toBe(started(before, exchange))
    }
  })

  it('passes through gzip', async () => {
    const file = await exported('gor')
    await run('gzip', ['-k', file])
    const again = folder.path('zipped.mcap')
    expect((await runMesh('capture', 'import', `${file}.gz`, '--keep-secrets', '-o', again)).code).toBe(0)
    await expectSameAsRecorded(again)
  })

  it('passes through the receiver of what gor --output-tcp sends, which ends in order on TERM', async () => {
    const { receiver, file } = await sentToReceiver('received.mcap')
    await recordedSoFar(file, REQUESTS.length)
    receiver.signal('SIGTERM')
    expect((await receiver.ended).code).toBe(0)
    await expectSameAsRecorded(file)
  })

  it('ends the receiver by itself at --limit', async () => {
    const { receiver, file } = await sentToReceiver('limited.mcap', '--limit', String(REQUESTS.length))
    expect((await receiver.ended).code).toBe(0)
    await expectSameAsRecorded(file)
  })

  it('ends the receiver by itself after --duration, whatever still comes', async () => {
    const file = folder.path('timed.mcap')
    const words = ['capture', 'gor', '--listen', '127.0.0.1:0', '--keep-secrets', '--duration', '4s', '-o', file]
    const sent = readFileSync(await exported('gor'))
    const receiver = startMesh(words)
    const [, port] = await receiver.said(/listening on 127\.0\.0\.1:(\d+)/)
    // It may be over before we get to it.
    const socket = connect(Number(port), '127.0.0.1').on('error', () => undefined)
    socket.end(sent)
    expect(await receiver.ended).toMatchObject({ code: 0, stderr: expect.stringContaining('the ledger balances') })
    const [before, after] = [await readRecording(RECORDING), await readRecording(file)]
    expect(after.exchanges.map(essence)).toEqual(before.exchanges.slice(0, after.exchanges.length).map(essence))
    expect(after.imbalance).toEqual(new Map())
  })

  it('is one JSON object a line as ndjson', async () => {
    const lines = readFileSync(await exported('ndjson'), 'utf8')
      .trimEnd()
      .split('\n')
    const rows = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(rows.map(({ method, target, status }) => [method, target, status])).toEqual(
      REQUESTS.map(([method, path]) => [method, path, path === '/missing' ? 404 : 200]),
    )
  })

  it.skipIf(CURL_ABSENT)('is commands as curl, which a shell runs, and which send the same requests', async () => {
    const script = readFileSync(await exported('curl'), 'utf8')
    const before = target?.seen.length ?? 0
    const shell = spawn('sh', ['-e'], { stdio: ['pipe', 'ignore', 'pipe'] })
    let complaints = ''
    shell.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text))
    shell.stdin.end(script)
    await once(shell, 'close')
    expect(complaints).toBe('')
    expect(shell.exitCode).toBe(0)
    const sent = target?.seen.slice(before) ?? []
    expect(sent.map(({ method, path, body }) => [method, path, body.toString('latin1')])).toEqual(
      REQUESTS.map(([method, path, , body]) => [method, path, body]),
    )
    for (const [index, [, , lines]] of REQUESTS.entries()) {
      const raw = sent[index]?.rawHeaders ?? []
      const headers = raw.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${raw[at + 1]}`] : []))
      expect(headers).toEqual(expect.arrayContaining([...lines]))
    }
  })

  it('cannot be imported from ndjson, which is said', async () => {
    const { code, stderr } = await runMesh(
      'capture',
      'import',
      await exported('ndjson'),
      '-o',
      folder.path('none.mcap'),
    )
    expect(stderr).toMatch(
      /found NDJSON as mesh export writes it, which cannot be imported yet .*\[MESH_ERR_FILE_KIND\]\n$/,
    )
    expect(code).toBe(1)
  })

  it('is read from stdin and written to stdout as well', async () => {
    const reading = startMesh(['export', '-', '--format', 'ndjson', '-o', '-'], { input: readFileSync(RECORDING) })
    const { code, stdout } = await reading.ended
    expect(code).toBe(0)
    expect(stdout.trimEnd().split('\n')).toHaveLength(REQUESTS.length)
  })
})
