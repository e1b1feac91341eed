import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Endpoint } from '../../src/core/segment.ts'
import {
  closed,
  connectTo,
  failureOf,
  KeepingTap,
  readAll,
  readBytes,
  startRelay,
  startServer,
  until,
} from './support.ts'

const fixture = (name: string): string => readFileSync(new URL(`../../fixtures/tls/${name}`, import.meta.url), 'utf8')
const CERTIFICATE = fixture('localhost.crt')
const KEY = fixture('localhost.key')
const TERMINATION = { certificate: CERTIFICATE, key: KEY }

/** A TLS server that hands each connection to `serve`. */
async function startTlsServer(serve: (socket: TLSSocket) => void): Promise<Endpoint> {
  const server = createTlsServer({ cert: CERTIFICATE, key: KEY, allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined)
    onTestFinished(() => {
      socket.destroy()
    })
    serve(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('expected a port')
  return { address: bound.address, port: bound.port }
}

/** A TLS client that trusts our certificate only, over a socket of its own. */
async function connectSecurely(endpoint: Endpoint, alpn: string[] = []): Promise<{ client: TLSSocket; raw: Socket }> {
  const raw = await connectTo(endpoint)
  const client = connectTls({
    socket: raw,
    ca: CERTIFICATE,
    servername: 'localhost',
    ...(alpn.length > 0 ? { ALPNProtocols: alpn } : {}),
  })
  client.on('error', () => undefined)
  await once(client, 'secureConnect')
  return { client, raw }
}

describe('a relay that terminates TLS', () => {
  it('passes clear text to the upstream and shows clear text', async () => {
    const upstream = await startServer((socket) => {
      void readAll(socket).then((bytes) => socket.end(`got ${bytes.toString()}`))
    })
    const tap = new KeepingTap()
    const relay = await startRelay(upstream, { tls: TERMINATION }, tap)
    const { client } = await connectSecurely(relay.address)
    client.end('a secret')
    expect((await readAll(client)).toString()).toBe('got a secret')
    expect(Buffer.concat(tap.connections[0]?.request ?? []).toString()).toBe('a secret')
    expect(Buffer.concat(tap.connections[0]?.response ?? []).toString()).toBe('got a secret')
    await until(() => relay.counters.open === 0)
    expect(relay.counters).toMatchObject({ clientBroke: 0, upstreamBroke: 0 })
  })

  it('carries megabytes through', async () => {
    const upstream = await startServer((socket) => socket.pipe(socket))
    const relay = await startRelay(upstream, { tls: TERMINATION })
    const { client } = await connectSecurely(relay.address)
    const bytes = Buffer.alloc(3_000_000, 'mesh')
    const echoed = readAll(client)
    client.end(bytes)
    expect((await echoed).equals(bytes)).toBe(true)
  })

  it('agrees on HTTP/1.1 with clients that offer HTTP/2 too', async () => {
    const relay = await startRelay(await startServer(() => undefined), { tls: TERMINATION })
    const { client } = await connectSecurely(relay.address, ['h2', 'http/1.1'])
    expect(client.alpnProtocol).toBe('http/1.1')
  })

  it('survives a client that does not speak TLS', async () => {
    const relay = await startRelay(await startServer((socket) => socket.resume()), { tls: TERMINATION })
    const client = await connectTo(relay.address)
    client.resume()
    client.write('GET / HTTP/1.1\r\n\r\n')
    await closed(client)
    await until(() => relay.counters.open === 0)
    expect(relay.counters.clientBroke).toBe(1)
  })

  it("passes the upstream's reset on as one", async () => {
    const upstream = await startServer((socket) => {
      socket.once('data', () => socket.resetAndDestroy())
    })
    const relay = await startRelay(upstream, { tls: TERMINATION })
    const { client } = await connectSecurely(relay.address)
    const failure = failureOf(client)
    client.write('provoke')
    expect(await failure).toBe('ECONNRESET')
  })

  it('refuses a key that does not belong to the certificate, before it listens', async () => {
    const upstream = { address: '127.0.0.1', port: 1 }
    await expect(startRelay(upstream, { tls: { certificate: 'nonsense', key: KEY } })).rejects.toMatchObject({
      code: 'MESH_ERR_TLS',
    })
  })
})

describe('a relay to an upstream that speaks TLS', () => {
  it('verifies it by the given authority and passes clear text both ways', async () => {
    const upstream = await startTlsServer((socket) => {
      void readAll(socket).then((bytes) => socket.end(`got ${bytes.toString()}`))
    })
    const upstreamTls = { certificateAuthority: CERTIFICATE, serverName: 'localhost' }
    const relay = await startRelay(upstream, { upstreamTls })
    const client = await connectTo(relay.address)
    client.end('something')
    expect((await readAll(client)).toString()).toBe('got something')
  })

  it('verifies an address as well as a name', async () => {
    const upstream = await startTlsServer((socket) => socket.end('hello'))
    const relay = await startRelay(upstream, { upstreamTls: { certificateAuthority: CERTIFICATE } })
    expect((await readAll(await connectTo(relay.address))).toString()).toBe('hello')
  })

  it('resets the client where it cannot be verified, and counts why', async () => {
    const upstream = await startTlsServer((socket) => socket.end('hello'))
    const relay = await startRelay(upstream, { upstreamTls: {} })
    const client = await connectTo(relay.address)
    client.resume()
    expect(await failureOf(client)).toBe('ECONNRESET')
    await until(() => relay.counters.open === 0)
    expect([...relay.counters.upstreamFailures]).toEqual([['DEPTH_ZERO_SELF_SIGNED_CERT', 1]])
  })

  it('verifies nothing where told so', async () => {
    const upstream = await startTlsServer((socket) => socket.end('hello'))
    const relay = await startRelay(upstream, { upstreamTls: { insecure: true } })
    expect((await readAll(await connectTo(relay.address))).toString()).toBe('hello')
  })

  it("passes a client's reset on as one, with TLS on both sides", async () => {
    const failures: Promise<string>[] = []
    const upstream = await startTlsServer((socket) => {
      failures.push(failureOf(socket))
      socket.resume()
      socket.write('hello')
    })
    const upstreamTls = { certificateAuthority: CERTIFICATE, serverName: 'localhost' }
    const relay = await startRelay(upstream, { tls: TERMINATION, upstreamTls })
    const { client, raw } = await connectSecurely(relay.address)
    await readBytes(client, 5)
    raw.resetAndDestroy()
    expect(await failures[0]).toBe('ECONNRESET')
    await until(() => relay.counters.open === 0)
  })
})
