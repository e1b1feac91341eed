/**
 * An HTTP server of a known capacity, as a process of its own: so many workers, each of which takes a fixed time for a request; what comes while
 * all are busy waits in line. `node worker-pool-server.js WORKERS SERVICE_MS` prints its port. Capacity: 1000 * WORKERS / SERVICE_MS a second.
 */
import { createServer } from 'node:http'

const [workers, serviceMs] = process.argv.slice(2).map(Number)

/** When each worker is free again, by the process' clock in milliseconds. */
const freeAt = Array.from({ length: workers }, () => 0)

// It never closes a connection by itself: that would be an error of whoever sends then.
const server = createServer({ keepAliveTimeout: 0 }, (_, response) => {
  const now = performance.now()
  let next = 0
  for (let worker = 1; worker < workers; worker++) if (freeAt[worker] < freeAt[next]) next = worker
  // A worker begins the next request when it has ended the last, however late timers are: the capacity is exact.
  freeAt[next] = Math.max(now, freeAt[next]) + serviceMs
  setTimeout(() => response.writeHead(200, { 'content-length': 2 }).end('ok'), freeAt[next] - now)
})
server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`))
