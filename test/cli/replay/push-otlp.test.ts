import { once } from 'node:events'
import { createServer, Server as HttpServer, type RequestListener } from 'node:http'
import { createServer as createTcpServer, type Server } from 'node:net'
import { describe, expect, it } from 'vitest'
import { pushOtlp } from '../../../src/cli/replay/push-otlp.ts'
import type { Terminal } from '../../../src/cli/terminal.ts'
import { shopRun } from '../../report/runs.ts'

function listening(): { readonly said: string[]; readonly terminal: Terminal } {
  const said: string[] = []
  const say = (text: string): void => void said.push(text)
  const talk = { out: say, say, warn: say, progress: say, draw: say, divert: () => undefined }
  return { said, terminal: { ...talk, columns: 80, colour: false, interactive: false, drawable: false } }
}

/** Pushes to a collector that answers so. */
async function pushTo(answer: RequestListener, timeoutMs?: number): Promise<readonly string[]> {
  return pushToServer(createServer(answer), timeoutMs)
}

async function pushToServer(server: Server, timeoutMs?: number): Promise<readonly string[]> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const { said, terminal } = listening()
  await pushOtlp(
    shopRun(),
    `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/v1/metrics`,
    terminal,
    timeoutMs,
  )
  if (server instanceof HttpServer) server.closeAllConnections()
  server.close()
  return said
}

describe('pushing a run', () => {
  it('posts it whole, once, as JSON', async () => {
    const bodies: string[] = []
    const said = await pushTo((request, response) => {
      let body = `${request.method} ${request.url} ${request.headers['content-type']} `
      request.on('data', (piece: Buffer) => (body += piece.toString()))
      request.on('end', () => {
        bodies.push(body)
        response.end('{}')
      })
    })
    expect(bodies).toHaveLength(1)
    expect(bodies[0]).toMatch(/^POST \/v1\/metrics application\/json \{"resourceMetrics":.*\}$/s)
    expect(said).toEqual([expect.stringMatching(/^the run was pushed to/)])
  })

  it('says that it was refused, or cut off, and fails nothing', async () => {
    expect(await pushTo((_, response) => response.writeHead(503).end())).toEqual([
      expect.stringMatching(/was not pushed: expected a status of 2xx, found 503/),
    ])
    expect(await pushTo((request) => request.socket.destroy())).toEqual([expect.stringMatching(/was not pushed: /)])
  })

  it('says that nothing answered in time', async () => {
    expect(await pushTo(() => undefined, 50)).toEqual([
      expect.stringMatching(/was not pushed: nothing answered within 50\.0ms \(/),
    ])
  })

  it('says that something else listens there', async () => {
    const server = createTcpServer((socket) => socket.on('error', () => undefined).end('SSH-2.0-OpenSSH_9.2\r\n'))
    expect(await pushToServer(server)).toEqual([
      expect.stringMatching(/was not pushed: what answers there does not speak HTTP/),
    ])
  })
})
