/**
 * The floor of sending as a program of its own: one fixed request on each connection, again as soon as anything comes back. Prints
 * replies per second after a second of warm-up, and the CPU microseconds that each took, as JSON.
 *
 *     node bench/support/bare-loop.js PORT CONNECTIONS SECONDS PATH
 */
import { bareLoop } from '../floors/sockets.js'

const [port, connections, seconds, path] = process.argv.slice(2)
const options = { connections: Number(connections), path }
await bareLoop(Number(port), { ...options, seconds: 1 })
const [before, start] = [process.cpuUsage(), performance.now()]
const perSecond = await bareLoop(Number(port), { ...options, seconds: Number(seconds) })
const { user, system } = process.cpuUsage(before)
const replies = (perSecond * (performance.now() - start)) / 1000
console.log(JSON.stringify({ perSecond, cpuUs: (user + system) / replies }))
