import { readFileSync } from 'node:fs'
import { TLSSocket } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'

import { resolveTarget, type TargetOptions } from '../../../src/replay/senders/resolve-target.ts'
import { sendShots, shot } from './shots.ts'
import { reply, type ScriptedTarget, startTarget } from './targets.ts'

const FIXTURES = new URL('../../../fixtures/tls/', import.meta.url)
const cert = readFileSync(new URL('localhost.crt', FIXTURES), 'utf8')
const key = readFileSync(new URL('localhost.key', FIXTURES), 'utf8')
const started: ScriptedTarget[] = []

/** A TLS target with the certificate for `localhost`, and how to reach it under that name. */
async function secureTarget(options: Partial<TargetOptions> = {}): Promise<Parameters<typeof sendShots>[1]> {
  const server = await startTarget(({ socket }) => socket.write(reply()), { cert, key })
  started.push(server)
  const { port } = server.target
  return await resolveTarget({
    url: `https://localhost:${port}`,
    resolve: [{ host: 'localhost', port, address: '127.0.0.1' }],
    ...options,
  })
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.close()))
})

describe('Http1Sender over TLS', () => {
  const shots = [shot(0), shot(1), shot(2, { connection: 1 })]

  it('sends where the authority given vouches for the target', async () => {
    const { list, summary } = await sendShots(shots, await secureTarget({ ca: cert }))
    expect(list.results).toEqual([200, 200, 200])
    expect(summary.counters.connected).toBe(2)
  })

  it('takes any certificate where it is told to', async () => {
    const { list } = await sendShots(shots, await secureTarget({ insecure: true }))
    expect(list.results).toEqual([200, 200, 200])
  })

  it('fails shots as `tls` where nobody vouches for the target', async () => {
    const { list } = await sendShots(shots, await secureTarget())
    expect(list.results).toEqual(['tls', 'tls', 'tls'])
  })

  it('fails shots as `tls` where the certificate is for another name', async () => {
    const { list } = await sendShots([shot(0)], await secureTarget({ ca: cert, serverName: 'elsewhere' }))
    expect(list.results).toEqual(['tls'])
  })

  it('fails shots as `tls` where the target does not speak it', async () => {
    const server = await startTarget(() => undefined)
    started.push(server)
    const plain = await startTarget(({ socket }) => socket.write(reply()))
    started.push(plain)
    plain.onConnection((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const secure = await resolveTarget({ url: `https://127.0.0.1:${plain.target.port}`, insecure: true })
    expect((await sendShots([shot(0)], secure)).list.results).toEqual(['tls'])
  })

  it('names the host to the target, and HTTP/1.1', async () => {
    const server = await startTarget(({ socket }) => socket.write(reply()), {
      cert,
      key,
      ALPNProtocols: ['h2', 'http/1.1'],
    })
    started.push(server)
    const names: (string | false | null)[] = []
    server.onConnection((socket) => {
      if (socket instanceof TLSSocket) names.push(socket.servername ?? null, socket.alpnProtocol)
    })
    const { port } = server.target
    const resolve = [{ host: 'canary.test', port, address: '127.0.0.1' }]
    const secure = await resolveTarget({ url: `https://canary.test:${port}`, resolve, insecure: true })
    expect((await sendShots([shot(0)], secure)).list.results).toEqual([200])
    expect(names).toEqual(['canary.test', 'http/1.1'])
  })

  it('shows a certificate of its own where the target asks for one', async () => {
    const server = await startTarget(({ socket }) => socket.write(reply()), { cert, key, ca: cert, requestCert: true })
    started.push(server)
    const authorized: boolean[] = []
    server.onConnection((socket) => {
      if (socket instanceof TLSSocket) authorized.push(socket.authorized)
    })
    const url = `https://127.0.0.1:${server.target.port}`
    const withCertificate = await resolveTarget({ url, insecure: true, cert, key })
    expect((await sendShots([shot(0)], withCertificate)).list.results).toEqual([200])
    expect(authorized).toEqual([true])
  })

  it('refuses a certificate that is none, before anything is sent', async () => {
    const broken = await secureTarget({ insecure: true, cert: 'not PEM', key })
    await expect(sendShots([shot(0)], broken)).rejects.toMatchObject({ code: 'MESH_ERR_TLS' })
  })
})
