import { connect } from 'node:net'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { GorReceiver } from '../../../src/capture/gor/receiver.ts'
import type { ExchangeDraft } from '../../../src/capture/intake.ts'
import { GOR_SEPARATOR } from '../../../src/capture/gor/record-parser.ts'
import { concatBytes, utf8Bytes } from '../../../src/core/bytes.ts'

/** One message as `gor --output-tcp` frames it. */
function framed(meta: string, payload: string): Uint8Array {
  return concatBytes([utf8Bytes(`${meta}\n${payload}`), GOR_SEPARATOR])
}

async function send(port: number, pieces: readonly Uint8Array[]): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  for (const piece of pieces) socket.write(piece)
  socket.end()
  await once(socket, 'close')
}

describe('GorReceiver', () => {
  it('pairs what arrives over several connections, split anywhere', async () => {
    const { receiver, address } = await GorReceiver.listen({ address: '127.0.0.1', port: 0 }, 1024)
    const stop = new AbortController()
    const drafts: ExchangeDraft[] = []
    const reading = (async () => {
      for await (const draft of receiver.exchanges(stop.signal)) if (drafts.push(draft) === 2) stop.abort()
    })()
    const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
    const ok = 'HTTP/1.1 204 No Content\r\n\r\n'
    const requests = concatBytes([framed('1 a 1000 -1', get), framed('1 b 2000 -1', get)])
    await send(address.port, [requests.subarray(0, 17), requests.subarray(17)])
    await send(address.port, [framed('2 b 2500 -1', ok), framed('2 a 1500 -1', ok)])
    await reading
    expect(drafts.map(({ requestFirstNs, response }) => [requestFirstNs, response])).toEqual(
      [
        [1000, expect.objectContaining({ firstNs: 1500 })],
        [0, expect.objectContaining({ firstNs: 500 })],
      ].map(([ns, response]) => [ns, response]),
    )
    expect(receiver.counts.get('connections')).toBe(2)
  })

  it('reads what was sent before its end was asked for, in whatever tick', async () => {
    const { receiver, address } = await GorReceiver.listen({ address: '127.0.0.1', port: 0 }, 1024)
    const stop = new AbortController()
    const drafts: ExchangeDraft[] = []
    const reading = (async () => {
      for await (const draft of receiver.exchanges(stop.signal)) drafts.push(draft)
    })()
    const socket = connect(address.port, '127.0.0.1')
    await once(socket, 'connect')
    const get = framed('1 a 1000 -1', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    socket.write(concatBytes([get, framed('2 a 1500 -1', 'HTTP/1.1 204 No Content\r\n\r\n')]), () => stop.abort())
    await reading
    expect(drafts.map(({ response }) => response)).toEqual([expect.objectContaining({ firstNs: 500 })])
    expect(receiver.counts.has('connections.reset')).toBe(false)
    if (!socket.destroyed) await once(socket, 'close')
  })
})
