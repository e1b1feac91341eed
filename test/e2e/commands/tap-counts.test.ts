import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, describe, expect, it } from 'vitest'
import { hasResponse } from '../../../src/core/exchange.ts'
import { ClientConnection, CountingClient, getRequest } from '../../support/load.ts'
import { temporaryFolder } from '../../support/mesh.ts'
import { pathOf, readRecording, requestWords } from '../../support/recorded.ts'
import { startTap } from '../../support/taps.ts'
import type { HttpTarget } from '../../support/targets.ts'
import { isListening, startHttpTarget } from '../../support/targets.ts'

const folder = temporaryFolder()
const targets: HttpTarget[] = []

async function target(): Promise<HttpTarget> {
  const started = await startHttpTarget()
  targets.push(started)
  return started
}

afterAll(async () => {
  await Promise.all(targets.map((started) => started.close()))
  folder.remove()
})

describe('a tap beside a client that counts for itself', () => {
  it('records every one of 5,000 requests over 20 connections', async () => {
    const file = folder.path('counted.mcap')
    const tap = await startTap((await target()).port, file)
    const client = new CountingClient(tap.port, 20)
    await client.run(5000)
    tap.signal('SIGTERM')
    expect((await tap.ended).code).toBe(0)

    const { ending, exchanges, imbalance, ledger } = await readRecording(file)
    expect(client.answers).toBe(5000)
    expect(ending).toBe('closed')
    expect(imbalance).toEqual(new Map())
    expect(ledger.requests).toMatchObject({ seen: 5000, whole: 5000, pending: 0 })
    expect(ledger.responses).toMatchObject({ seen: 5000, whole: 5000, pending: 0 })
    expect(ledger.connections).toMatchObject({ seen: 20, whole: 20, pending: 0 })
    expect(exchanges.filter(hasResponse).map(pathOf).toSorted()).toEqual(client.sent.map(({ path }) => path).toSorted())
  })

  it('explains the requests that were reset half way through as cut, and loses none', async () => {
    const file = folder.path('resets.mcap')
    const upstream = await target()
    const tap = await startTap(upstream.port, file)
    const client = new CountingClient(tap.port, 5)
    const counted = client.run(1000)
    for (let half = 0; half < 10; half++) {
      const connection = await ClientConnection.open(tap.port)
      await connection.ask(getRequest(`/before/${half}`, tap.port))
      connection.socket.write(`POST /half/${half} HTTP/1.1\r\nHost: shop\r\nContent-Length: 100\r\n\r\nhalf of it`)
      while (!upstream.seen.some(({ path }) => path === `/half/${half}`)) await upstream.saw(upstream.seen.length + 1)
      connection.reset()
    }
    await counted
    tap.signal('SIGTERM')
    expect((await tap.ended).code).toBe(0)

    const { exchanges, imbalance, ledger } = await readRecording(file)
    expect(imbalance).toEqual(new Map())
    expect(ledger.requests).toMatchObject({ seen: 1020, whole: 1010, cut: 10, pending: 0 })
    expect(ledger.responses).toMatchObject({ seen: 1010, whole: 1010, pending: 0 })
    const cut = exchanges.filter(({ request }) => request.cut !== undefined)
    expect(cut.map(requestWords).toSorted()).toEqual(Array.from({ length: 10 }, (_, half) => `POST /half/${half}`))
    for (const { request, response } of cut) expect([request.cut, response]).toEqual(['close', 'close'])
  })
})

describe('a tap that ends by itself', () => {
  it('stops after --limit exchanges with exit 0, and holds exactly that many', async () => {
    const file = folder.path('limit.mcap')
    const tap = await startTap((await target()).port, file, '--limit', '300', '--grace', '1s')
    const client = new CountingClient(tap.port, 5)
    const running = client.run()
    const { code, stderr } = await tap.ended
    await running
    expect(stderr).toContain('the ledger balances')
    expect(code).toBe(0)
    const { ending, exchanges, imbalance } = await readRecording(file)
    expect(exchanges).toHaveLength(300)
    expect(ending).toBe('closed')
    expect(imbalance).toEqual(new Map())
    expect(client.answers).toBeGreaterThanOrEqual(300)
  })

  it('stops after --duration with exit 0, and takes no more connections', async () => {
    const file = folder.path('duration.mcap')
    const tap = await startTap((await target()).port, file, '--duration', '1500ms', '--grace', '500ms')
    const client = new CountingClient(tap.port, 5)
    const running = client.run()
    const { code } = await tap.ended
    await running
    expect(code).toBe(0)
    expect(await isListening(tap.port)).toBe(false)
    const { ending, exchanges, imbalance } = await readRecording(file)
    expect(ending).toBe('closed')
    expect(imbalance).toEqual(new Map())
    expect(exchanges.filter(hasResponse).length).toBeGreaterThanOrEqual(client.answers)
  })

  it('lets a connection that is busy finish its reply after TERM', async () => {
    const file = folder.path('drain.mcap')
    let finish: () => void = () => undefined
    const upstream = await startHttpTarget((response) => {
      finish = () => response.writeHead(200, { 'content-length': 2 }).end('ok')
    })
    targets.push(upstream)
    const tap = await startTap(upstream.port, file)
    const connection = await ClientConnection.open(tap.port)
    const reply = connection.ask(getRequest('/slow', tap.port))
    await upstream.saw(1)
    tap.signal('SIGTERM')
    await tap.said(/SIGTERM: no new connections/)
    const refused = connect(tap.port, '127.0.0.1')
    await Promise.race([once(refused, 'error'), once(refused, 'close')])
    finish()
    expect(await reply).toContain('200 OK')
    connection.close()
    expect((await tap.ended).code).toBe(0)
    const { exchanges } = await readRecording(file)
    expect(exchanges.filter(hasResponse).map(pathOf)).toEqual(['/slow'])
  })
})
