import { once } from 'node:events'
import { createServer } from 'node:net'

/** Below those that systems give to who asks for any port, to servers and to connections: none of these takes it meanwhile. */
const FIRST_PORT = 20_000
const PORTS = 12_000

/** A port of 127.0.0.1 that nobody listens on now, for servers that cannot be told to choose one, and for services that are down. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('listening', () => resolve(true)).once('error', () => resolve(false))
      server.listen(port, '127.0.0.1')
    })
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
  throw new Error('expected a free port, found none in 100 tries')
}
