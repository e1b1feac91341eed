import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { hasResponse } from '../../../src/core/exchange.ts'
import { readRunDirectory } from '../../../src/report/read-run.ts'
import { ClientConnection, getRequest } from '../../support/load.ts'
import { temporaryFolder } from '../../support/mesh.ts'
import { pathOf, readRecording } from '../../support/recorded.ts'
import { startReplay } from '../../support/runs.ts'
import { recordSessions } from '../../support/session-recordings.ts'
import type { RunningTap } from '../../support/taps.ts'
import { startTap } from '../../support/taps.ts'
import { closedPort, startHttpTarget, startTcpTarget } from '../../support/targets.ts'

const MEBIBYTE = 1024 * 1024

const folder = temporaryFolder()
const closers: (() => Promise<void>)[] = []
let outputs = 0

afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})
afterAll(() => folder.remove())

/** An upstream that takes everything and says nothing until told to. */
async function silentUpstream(): Promise<{ readonly port: number; readonly took: (bytes: number) => Promise<Socket> }> {
  let received = 0
  const sockets: Socket[] = []
  let look: () => void = () => undefined
  const upstream = await startTcpTarget((taken) => {
    sockets.push(taken)
    taken.on('data', (bytes) => {
      received += bytes.length
      look()
    })
  })
  closers.push(upstream.close)
  return {
    port: upstream.port,
    took: (bytes) =>
      new Promise((resolve) => {
        look = () => {
          const [socket] = sockets
          if (received >= bytes && socket !== undefined) resolve(socket)
        }
        look()
      }),
  }
}

async function ended(tap: RunningTap): Promise<string> {
  tap.signal('SIGTERM')
  const { code, stderr } = await tap.ended
  expect(stderr).toContain('the ledger balances')
  expect(code).toBe(0)
  return stderr
}

describe('a tap before an upstream that misbehaves', () => {
  it('ends connections that the upstream refuses, and says how many and why', async () => {
    const file = folder.path(`shop-${outputs++}.mcap`)
    const tap = await startTap(await closedPort(), file)
    for (let count = 0; count < 3; count++) {
      const client = connect(tap.port, '127.0.0.1')
      client.on('error', () => undefined)
      client.write(getRequest('/', tap.port))
      await new Promise((resolve) => {
        client.on('close', resolve)
      })
    }
    expect(await ended(tap)).toContain('connections that never reached the upstream: 3 ECONNREFUSED')
    const { exchanges, imbalance, ledger } = await readRecording(file)
    expect(imbalance).toEqual(new Map())
    expect(exchanges.filter(hasResponse)).toEqual([])
    expect(ledger.connections.seen).toBe(3)
  })

  it('passes a reset in the middle of a reply on, and records that reply as cut', async () => {
    const file = folder.path(`shop-${outputs++}.mcap`)
    const upstream = await silentUpstream()
    const tap = await startTap(upstream.port, file)
    const request = getRequest('/half', tap.port)
    const client = connect(tap.port, '127.0.0.1')
    client.write(request)
    const server = await upstream.took(request.length)
    server.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nthe first of it')
    await once(client, 'data')
    server.resetAndDestroy()
    const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNRESET')
    await ended(tap)
    const { exchanges, imbalance } = await readRecording(file)
    expect(imbalance).toEqual(new Map())
    const [exchange] = exchanges.filter(hasResponse)
    expect(exchange?.response).toMatchObject({ cut: 'close' })
  })

  it('keeps a connection through which nothing comes back, until it is told to end', async () => {
    const file = folder.path(`shop-${outputs++}.mcap`)
    const upstream = await silentUpstream()
    const tap = await startTap(upstream.port, file, '--grace', '500ms')
    const request = getRequest('/never', tap.port)
    const client = await ClientConnection.open(tap.port)
    const reply = client.ask(request)
    await upstream.took(request.length)
    await Promise.all([ended(tap), expect(reply).rejects.toThrow('ended before the reply')])
    const { exchanges, imbalance, ledger } = await readRecording(file)
    expect(imbalance).toEqual(new Map())
    expect(exchanges.map((exchange) => [pathOf(exchange), hasResponse(exchange)])).toEqual([['/never', false]])
    expect(ledger.requests).toMatchObject({ seen: 1, whole: 1 })
  })
})

describe('requests that no server should take', () => {
  it.each([
    ['a header of 1 MB', `GET /long HTTP/1.1\r\nHost: shop\r\nX-Long: ${'x'.repeat(MEBIBYTE)}\r\n\r\n`],
    ['100,000 headers', `GET /many HTTP/1.1\r\nHost: shop\r\n${'X-Many: 1\r\n'.repeat(100_000)}\r\n`],
    ['a NUL in a header', 'GET /nul HTTP/1.1\r\nHost: shop\r\nX-Nul: a\0b\r\n\r\n'],
    ['two lengths', 'POST /two HTTP/1.1\r\nHost: shop\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    ['length and chunks', 'POST /both HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a broken chunk', 'POST /chunk HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n'],
  ])('pass through the tap byte for byte, are never recorded as whole, and are explained: %s', async (_, request) => {
    const file = folder.path(`shop-${outputs++}.mcap`)
    const upstream = await silentUpstream()
    const tap = await startTap(upstream.port, file)
    const client = await ClientConnection.open(tap.port)
    const reply = client.ask(request)
    const server = await upstream.took(Buffer.byteLength(request, 'latin1'))
    server.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    expect(await reply).toContain('400 Bad Request')
    client.close()
    await ended(tap)
    const { exchanges, imbalance, ledger } = await readRecording(file)
    expect(imbalance).toEqual(new Map())
    expect(exchanges.filter(({ request }) => request.cut === undefined)).toEqual([])
    expect(ledger.requests).toMatchObject({ seen: 1, whole: 0, pending: 0 })
    expect(ledger.requests.undecodable + ledger.requests.cut).toBe(1)
    expect([...ledger.reasons.keys()].join(' ')).toMatch(/requests\.(undecodable\.|cut\.undecodable)/)
  })
})

describe('a replay onto a target that misbehaves', () => {
  const RECORDING = folder.path('replayed.mcap')
  const record = (): Promise<void> => recordSessions(RECORDING, { host: 'shop', users: 6, steps: 2, gapMs: 100 })

  it('gives replies up after --timeout where the target reads and says nothing, and counts them', async () => {
    await record()
    const silent = await startTcpTarget((socket) => socket.resume())
    closers.push(silent.close)
    const directory = folder.path('silent')
    const url = `http://127.0.0.1:${silent.port}`
    const { code } = await startReplay([RECORDING], url, '--timeout', '1s', '-o', directory).ended
    const { totals } = await readRunDirectory(directory)
    expect(totals).toMatchObject({ shots: 12, replies: 0, errors: { timeout: 12 } })
    expect(code).toBe(4)
  })

  it('gives up a target that does not even read', async () => {
    const deaf = await startTcpTarget((socket) => socket.pause())
    closers.push(deaf.close)
    const directory = folder.path('deaf')
    const url = `http://127.0.0.1:${deaf.port}`
    await startReplay([RECORDING], url, '--timeout', '1s', '-o', directory).ended
    expect((await readRunDirectory(directory)).totals.errors).toMatchObject({ timeout: 12 })
  })

  it('counts replies that are no HTTP, and those that are cut short, by what is wrong with them', async () => {
    const rude = await startTcpTarget((socket) => {
      socket.once('data', () => socket.end('I am no web server\r\n\r\n'))
    })
    closers.push(rude.close)
    const short = await startTcpTarget((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort'))
    })
    closers.push(short.close)
    for (const [port, error] of [
      [rude.port, 'bad_reply'],
      [short.port, 'closed'],
    ] as const) {
      const directory = folder.path(error)
      await startReplay([RECORDING], `http://127.0.0.1:${port}`, '-o', directory).ended
      expect((await readRunDirectory(directory)).totals.errors).toMatchObject({ [error]: 12 })
    }
  })

  it('connects again where the target closes after each reply, and loses nothing', async () => {
    const closing = await startHttpTarget((response) => {
      response.writeHead(200, { connection: 'close', 'content-length': 0 }).end()
    })
    closers.push(closing.close)
    const directory = folder.path('closing')
    await startReplay([RECORDING], closing.url, '-o', directory).ended
    expect((await readRunDirectory(directory)).totals).toMatchObject({ replies: 12, errors: {} })
    expect(new Set(closing.seen.map(({ connection }) => connection)).size).toBe(12)
  })
})
