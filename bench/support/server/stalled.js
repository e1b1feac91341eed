import { createServer } from 'node:net'

import { portOf } from './port-of.js'

/** A server that takes connections and requests, and never answers. */
export function startStalledServer() {
  const sockets = new Set()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    socket.resume()
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      resolve({
        port: portOf(server),
        stop: () =>
          new Promise((stopped) => {
            server.close(stopped)
            for (const socket of sockets) socket.destroy()
          }),
      })
    })
  })
}
