/**
 * Asks for one path again and again on some connections at a fixed rate, as clients of a service do, and prints what each request took, from
 * when it was written to its reply, and the CPU that one took, as JSON:
 *
 *     node bench/support/paced-client.js PORT CONNECTIONS RATE SECONDS PATH
 *
 * One request at a time on a connection; one that is due while the last is unanswered waits and is counted as `late`. Replies have to
 * fit in one segment.
 */
import { connect } from 'node:net'

/** A reply that has not come by then never will: the connection is given up. */
const LAST_REPLY_MS = 30_000

const [port, connections, rate, seconds] = process.argv.slice(2, 6).map(Number)
const request = Buffer.from(`GET ${process.argv[6] ?? '/'} HTTP/1.1\r\nhost: bench\r\n\r\n`)
const tookNs = []
const counts = { sent: 0, failed: 0, late: 0 }

/** @returns {Promise<void>} */
function runConnection(place) {
  return new Promise((resolve) => {
    const intervalMs = (connections / rate) * 1000
    const startMs = performance.now() + (place / connections) * intervalMs
    const endMs = startMs + seconds * 1000
    let sentNs = 0n
    let turn = 0
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const finish = () => {
      clearTimeout(lost)
      socket.destroy()
      resolve()
    }
    let lost
    const next = () => {
      const dueMs = startMs + turn++ * intervalMs
      if (dueMs >= endMs) return finish()
      const waitMs = dueMs - performance.now()
      if (waitMs < -1) counts.late++
      setTimeout(send, Math.max(0, waitMs))
    }
    const send = () => {
      counts.sent++
      lost = setTimeout(finish, LAST_REPLY_MS)
      sentNs = process.hrtime.bigint()
      socket.write(request)
    }
    socket.once('connect', next)
    socket.on('data', (piece) => {
      clearTimeout(lost)
      tookNs.push(Number(process.hrtime.bigint() - sentNs))
      if (piece.toString('latin1', 9, 12) !== '200') counts.failed++
      next()
    })
    socket.on('error', () => counts.failed++)
    socket.on('close', finish)
  })
}

const before = process.cpuUsage()
await Promise.all(Array.from({ length: connections }, (_, place) => runConnection(place)))
const { user, system } = process.cpuUsage(before)
const cpuUs = (user + system) / tookNs.length
tookNs.sort((a, b) => a - b)
const quantile = (share) => tookNs[Math.min(tookNs.length - 1, Math.floor(tookNs.length * share))]
const quantiles = { p50Ns: quantile(0.5), p99Ns: quantile(0.99) }
console.log(JSON.stringify({ ...counts, answered: tookNs.length, cpuUs, ...quantiles }))
