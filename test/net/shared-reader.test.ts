import { once } from 'node:events'
import type { Socket } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readByCopies } from '../../src/net/shared-reader.ts'
import { connectTo, startServer } from './support.ts'

/** Both ends of a connection on this machine; what the far one sends is not read yet. */
async function connected(): Promise<readonly [near: Socket, far: Socket]> {
  let take = (_socket: Socket): void => undefined
  const accepted = new Promise<Socket>((resolve) => (take = resolve))
  const far = await connectTo(await startServer((socket) => take(socket)))
  return [await accepted, far]
}

/** The new owner of a connection, closed after the test. */
function adopted(near: Socket): Socket {
  const socket = readByCopies(near)
  if (socket === undefined) throw new Error('expected a socket that takes the connection over')
  onTestFinished(() => {
    socket.destroy()
  })
  return socket
}

/** Chunks, kept as they came, until there are so many bytes. */
function chunksOf(socket: Socket, bytes: number): Promise<readonly Buffer[]> {
  const chunks: Buffer[] = []
  let left = bytes
  return new Promise((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      left -= chunk.length
      if (left <= 0) resolve(chunks)
    })
    socket.resume()
  })
}

describe('a socket that reads into the shared buffer by copies', () => {
  it('gives every byte of many connections at once, in chunks that nobody writes to again', async () => {
    const parts = fc.array(fc.uint8Array({ minLength: 1, maxLength: 20_000 }), { minLength: 1, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(fc.array(parts, { minLength: 2, maxLength: 3 }), async (streams) => {
        const ends = await Promise.all(streams.map(() => connected()))
        const sent = streams.map((each) => Buffer.concat(each))
        const read = ends.map(([near], place) => chunksOf(adopted(near), sent[place]?.length ?? 0))
        const most = Math.max(...streams.map(({ length }) => length))
        for (let turn = 0; turn < most; turn++) {
          for (const [place, [, far]] of ends.entries()) far.write(streams[place]?.[turn] ?? Buffer.alloc(0))
          await new Promise((resolve) => setImmediate(resolve))
        }
        const kept = await Promise.all(read)
        expect(
          kept.map((chunks) => Buffer.concat(chunks).equals(sent[kept.indexOf(chunks)] ?? Buffer.alloc(0))),
        ).toEqual(sent.map(() => true))
      }),
      { numRuns: 15 },
    )
  })

  it('reads what came before it took the connection over, and nothing while it is paused', async () => {
    const [near, far] = await connected()
    far.write('before')
    const socket = adopted(near)
    const first = once(socket, 'data')
    socket.resume()
    expect(String((await first)[0])).toBe('before')
    socket.pause()
    let isPaused = true
    const heard: string[] = []
    socket.on('data', (chunk: Buffer) => heard.push(`${isPaused ? 'paused' : 'read'}: ${chunk.toString()}`))
    far.write('after')
    // Its answer has passed the same way, behind those bytes.
    const answered = once(far, 'data')
    socket.write('written')
    expect(String((await answered)[0])).toBe('written')
    isPaused = false
    const more = once(socket, 'data')
    socket.resume()
    await more
    expect(heard).toEqual(['read: after'])
  })

  it('can be paused from within a chunk', async () => {
    const [near, far] = await connected()
    const socket = adopted(near)
    const sizes: number[] = []
    socket.on('data', (chunk: Buffer) => {
      sizes.push(chunk.length)
      socket.pause()
      setImmediate(() => socket.resume())
    })
    socket.resume()
    const bytes = 1024 * 1024
    far.end(Buffer.alloc(bytes))
    await once(socket, 'end')
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(bytes)
  })

  it('keeps how the connection is half closed, and how much waits to be written', async () => {
    const [near, far] = await connected()
    const { writableHighWaterMark, allowHalfOpen } = near
    const socket = adopted(near)
    expect(socket).toMatchObject({ writableHighWaterMark, allowHalfOpen })
    socket.resume()
    far.end()
    await once(socket, 'end')
    const last = once(far, 'data')
    socket.end('still open')
    expect(String((await last)[0])).toBe('still open')
  })

  it('leaves a connection of which bytes wait to be read, or that is over', async () => {
    const [near, far] = await connected()
    far.write('waiting')
    await once(near, 'readable')
    expect(readByCopies(near)).toBeUndefined()
    expect(String(near.read())).toBe('waiting')
    const [other] = await connected()
    other.destroy()
    expect(readByCopies(other)).toBeUndefined()
  })
})
