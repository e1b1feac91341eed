import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/core/random.ts'
import {
  closedPort,
  connectTo,
  failureOf,
  KeepingTap,
  readAll,
  readBytes,
  startRelay,
  startServer,
  until,
} from './support.ts'

const MIB = 1024 * 1024

/** Writes `bytes` in pieces of random sizes, waiting for room, then FIN. */
async function writeInPieces(socket: Socket, bytes: Buffer, random: () => number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const size = 1 + Math.floor(random() ** 4 * 200_000)
    if (!socket.write(bytes.subarray(at, at + size))) await once(socket, 'drain')
    at += size
  }
  socket.end()
}

describe('a relay', () => {
  it('passes random bytes on exactly, both ways at once, whatever their pieces', async () => {
    const random = seededRandom(7)
    const [toServer, toClient] = [randomBytes(3_000_000), randomBytes(5_000_000)]
    const arrived: Promise<Buffer>[] = []
    const upstream = await startServer((socket) => {
      arrived.push(readAll(socket))
      void writeInPieces(socket, toClient, random)
    })
    const tap = new KeepingTap()
    const relay = await startRelay(upstream, {}, tap)
    const client = await connectTo(relay.address)
    const received = readAll(client)
    await writeInPieces(client, toServer, random)
    expect((await received).equals(toClient)).toBe(true)
    expect((await arrived[0])?.equals(toServer)).toBe(true)
    await until(() => relay.counters.open === 0)
    const [seen] = tap.connections
    expect(Buffer.concat(seen?.request ?? []).equals(toServer)).toBe(true)
    expect(Buffer.concat(seen?.response ?? []).equals(toClient)).toBe(true)
    expect(Object.fromEntries(seen?.closes ?? [])).toEqual({ request: 'fin', response: 'fin' })
    expect(relay.counters).toMatchObject({ requestBytes: 3_000_000, responseBytes: 5_000_000, clientBroke: 0 })
  })

  it.each([
    { source: 'an upstream', size: 50 * MIB, from: 'response' as const },
    { source: 'a client', size: 20 * MIB, from: 'request' as const },
  ])('holds $source back behind a slow reader instead of filling memory', async ({ size, from }) => {
    const block = randomBytes(MIB)
    const [sent, got] = [createHash('sha256'), createHash('sha256')]
    const upstreams: Socket[] = []
    const relay = await startRelay(await startServer((socket) => upstreams.push(socket)))
    const client = await connectTo(relay.address)
    await until(() => upstreams.length === 1)
    const [writer, reader] = from === 'request' ? [client, upstreams[0]] : [upstreams[0], client]
    if (writer === undefined || reader === undefined) throw new Error('expected a connection')
    let left = size
    const more = (): void => {
      while (left > 0) {
        left -= block.length
        sent.update(block)
        if (!writer.write(block)) return
      }
      writer.end()
    }
    writer.on('drain', more)
    more()
    let received = 0
    let mostAhead = 0
    // One piece a turn: the reader is always slower than the loopback.
    reader.on('data', (bytes: Buffer) => {
      got.update(bytes)
      received += bytes.length
      const relayed = from === 'request' ? relay.counters.requestBytes : relay.counters.responseBytes
      mostAhead = Math.max(mostAhead, relayed - received)
      reader.pause()
      setImmediate(() => reader.resume())
    })
    await once(reader, 'end')
    expect(received).toBe(size)
    expect(got.digest('hex')).toBe(sent.digest('hex'))
    // What is ahead of the reader lies in kernel buffers (a few MiB on loopback) and within the relay's own bound.
    expect(mostAhead).toBeLessThan(16 * MIB)
  })

  it('lets the upstream answer after the client has half-closed', async () => {
    const upstream = await startServer((socket) => {
      void readAll(socket).then((bytes) => socket.end(`got ${bytes.toString()}`))
    })
    const relay = await startRelay(upstream)
    const client = await connectTo(relay.address)
    client.end('all of it')
    expect((await readAll(client)).toString()).toBe('got all of it')
  })

  it('lets the client go on after the upstream has half-closed', async () => {
    const arrived: Promise<Buffer>[] = []
    const upstream = await startServer((socket) => {
      arrived.push(readAll(socket))
      socket.end('bye')
    })
    const relay = await startRelay(upstream)
    const client = await connectTo(relay.address)
    expect((await readAll(client)).toString()).toBe('bye')
    client.end('and more')
    await until(() => arrived.length === 1)
    expect((await arrived[0])?.toString()).toBe('and more')
  })

  it("passes a client's reset on to the upstream", async () => {
    const failures: Promise<string>[] = []
    const upstream = await startServer((socket) => {
      failures.push(failureOf(socket))
      socket.resume()
      socket.write('hello')
    })
    const tap = new KeepingTap()
    const relay = await startRelay(upstream, {}, tap)
    const client = await connectTo(relay.address)
    await readBytes(client, 5)
    client.resetAndDestroy()
    expect(await failures[0]).toBe('ECONNRESET')
    await until(() => relay.counters.open === 0)
    expect(Object.fromEntries(tap.connections[0]?.closes ?? [])).toEqual({ request: 'rst', response: 'rst' })
    expect(relay.counters.clientBroke).toBe(1)
  })

  it("passes the upstream's reset on to the client", async () => {
    const upstream = await startServer((socket) => {
      socket.once('data', () => socket.resetAndDestroy())
    })
    const relay = await startRelay(upstream)
    const client = await connectTo(relay.address)
    client.resume()
    const failure = failureOf(client)
    client.write('provoke')
    expect(await failure).toBe('ECONNRESET')
    await until(() => relay.counters.open === 0)
    expect(relay.counters.upstreamBroke).toBe(1)
  })

  it('resets the client at once where the upstream refuses, and counts why', async () => {
    const tap = new KeepingTap()
    const relay = await startRelay(await closedPort(), {}, tap)
    const client = await connectTo(relay.address)
    client.resume()
    expect(await failureOf(client)).toBe('ECONNRESET')
    await until(() => relay.counters.open === 0)
    expect([...relay.counters.upstreamFailures]).toEqual([['ECONNREFUSED', 1]])
    expect(Object.fromEntries(tap.connections[0]?.closes ?? [])).toEqual({ request: 'rst', response: 'rst' })
  })

  it('resets connections beyond its limit and serves the others', async () => {
    const upstream = await startServer((socket) => socket.pipe(socket))
    const relay = await startRelay(upstream, { maxConnections: 1 })
    const first = await connectTo(relay.address)
    first.write('a')
    await readBytes(first, 1)
    const second = connect({ host: relay.address.address, port: relay.address.port })
    expect(await failureOf(second)).toBe('ECONNRESET')
    expect(relay.counters).toMatchObject({ accepted: 1, refused: 1, open: 1 })
    first.write('b')
    expect((await readBytes(first, 1)).toString()).toBe('b')
  })

  it('carries 2,000 connections at once, each with its own bytes', async () => {
    const upstream = await startServer((socket) => socket.pipe(socket))
    const relay = await startRelay(upstream)
    const clients = await Promise.all(Array.from({ length: 2_000 }, async () => connectTo(relay.address)))
    const answers = await Promise.all(
      clients.map(async (client, index) => {
        client.write(`${index}`.padStart(8))
        return (await readBytes(client, 8)).toString()
      }),
    )
    expect(answers).toEqual(clients.map((_, index) => `${index}`.padStart(8)))
    expect(relay.counters.open).toBe(2_000)
    for (const client of clients) client.end()
    await until(() => relay.counters.open === 0)
    expect(relay.counters).toMatchObject({ accepted: 2_000, clientBroke: 0, upstreamBroke: 0 })
  })
})

describe('a relay that closes', () => {
  it('refuses new connections and lets open ones finish', async () => {
    const upstream = await startServer((socket) => socket.pipe(socket))
    const relay = await startRelay(upstream)
    const client = await connectTo(relay.address)
    client.write('a')
    await readBytes(client, 1)
    const closed = relay.close(60_000)
    await expect(connectTo(relay.address)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    client.end('last')
    expect((await readAll(client)).toString()).toBe('last')
    await closed
    expect(relay.counters).toMatchObject({ open: 0, cut: 0 })
  })

  it('cuts off what is still open after its grace, and says so', async () => {
    const upstream = await startServer((socket) => socket.pipe(socket))
    const tap = new KeepingTap()
    const relay = await startRelay(upstream, {}, tap)
    const client = await connectTo(relay.address)
    client.write('a')
    await readBytes(client, 1)
    const failure = failureOf(client)
    client.resume()
    await relay.close(5)
    expect(await failure).toBe('ECONNRESET')
    expect(relay.counters).toMatchObject({ open: 0, cut: 1 })
    expect(Object.fromEntries(tap.connections[0]?.closes ?? [])).toEqual({ request: 'cut', response: 'cut' })
  })
})

describe('a relay that cannot listen', () => {
  it('says that the port is in use', async () => {
    const taken = await startServer(() => undefined)
    await expect(startRelay(taken, { listen: taken })).rejects.toMatchObject({
      code: 'MESH_ERR_PORT_IN_USE',
      where: `127.0.0.1:${taken.port}`,
    })
  })

  it('says that the address is not of this machine', async () => {
    const listen = { address: '192.0.2.1', port: 0 }
    await expect(startRelay(listen, { listen })).rejects.toMatchObject({ code: 'MESH_ERR_ADDRESS' })
  })
})
