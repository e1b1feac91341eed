/**
 * The floor of sending as a program of its own: one fixed request on each connection, again as soon as anything comes back. Prints
 * replies per second after a second of warm-up.
 *
 *     node bench/support/bare-loop.js PORT CONNECTIONS SECONDS PATH
 */
import { bareLoop } from '../floors/sockets.js'

const [port, connections, seconds, path] = process.argv.slice(2)
const options = { connections: Number(connections), path }
await bareLoop(Number(port), { ...options, seconds: 1 })
console.log(await bareLoop(Number(port), { ...options, seconds: Number(seconds) }))
