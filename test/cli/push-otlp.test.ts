import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { describe, expect, it } from 'vitest'
import { pushOtlp } from '../../src/cli/push-otlp.ts'
import type { Terminal } from '../../src/cli/terminal.ts'
import { shopRun } from '../report/runs.ts'

function listening(): { readonly said: string[]; readonly terminal: Terminal } {
  const said: string[] = []
  const say = (text: string): void => void said.push(text)
  const talk = { out: say, say, warn: say, progress: say, draw: say, divert: () => undefined }
  return { said, terminal: { ...talk, columns: 80, colour: false, interactive: false, drawable: false } }
}

/** Pushes to a collector that answers so. */
async function pushTo(answer: RequestListener): Promise<readonly string[]> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const { said, terminal } = listening()
  await pushOtlp(shopRun(), `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/v1/metrics`, terminal)
  server.closeAllConnections()
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
})
