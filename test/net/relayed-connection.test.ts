import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { RelayedConnection } from '../../src/net/relayed-connection.ts'
import { NO_TAP } from '../../src/net/relay-tap.ts'

/** Both ends of a connection on this machine. */
async function connected(): Promise<readonly [near: Socket, far: Socket]> {
  const server = createServer({ pauseOnConnect: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const far = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [near] = await accepted
  server.close()
  return [near, far]
}

describe('a relayed connection', () => {
  it('is over when it is cut while its end is being sent', async () => {
    const [near, far] = await connected()
    far.on('error', () => undefined)
    const endpoint = { address: '127.0.0.1', port: 1 }
    const done = new Promise<RelayedConnection>((resolve) => {
      const owner = { relayed: () => undefined, broke: () => undefined, done: resolve }
      const connection = new RelayedConnection(owner)
      connection.attachClient({ socket: near, raw: near }, NO_TAP.open(endpoint, endpoint, 0))
      near.end()
      // The end is handed to the system in this turn of the loop, and done in the next.
      process.nextTick(() => connection.abort('cut'))
    })
    expect(await done).toBeInstanceOf(RelayedConnection)
    far.destroy()
  })
})
