import { createServer } from 'node:http'

import { portOf } from './port-of.js'

/**
 * A server that takes `delayMs` for every request: what a load generator should report is known. As a program:
 * `node bench/support/server/delay.js 50 [port]` prints its port.
 */
export function startDelayServer(delayMs, port = 0) {
  const server = createServer((request, response) => {
    request.resume()
    setTimeout(() => response.end('ok'), delayMs)
  })
  server.keepAliveTimeout = 0
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      resolve({
        port: portOf(server),
        stop: () =>
          new Promise((stopped) => {
            server.close(stopped)
            server.closeAllConnections()
          }),
      })
    })
  })
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { port } = await startDelayServer(Number(process.argv[2] ?? 50), Number(process.argv[3] ?? 0))
  console.log(port)
}
