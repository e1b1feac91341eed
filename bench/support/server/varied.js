import { createServer } from 'node:http'

import { portOf } from './port-of.js'

/**
 * A server whose times differ as those of real ones do: 0.6 to 1.4 of `meanMs`, and one in twenty three times as long; seeded by nothing, so that no
 * two blocks are alike. `node bench/support/server/varied.js 20` prints its port.
 */
const meanMs = Number(process.argv[2] ?? 20)
const server = createServer((request, response) => {
  request.resume()
  const tail = Math.random() < 0.05 ? 3 : 1
  setTimeout(() => response.end('ok'), meanMs * (0.6 + 0.8 * Math.random()) * tail)
})
server.keepAliveTimeout = 0
server.listen(0, '127.0.0.1', () => console.log(portOf(server)))
