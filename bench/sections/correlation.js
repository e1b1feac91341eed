import { join } from 'node:path'

import { replay } from '../support/mesh.js'
import { writeRequests } from '../support/recordings.js'
import { startNginx } from '../support/server/nginx.js'
import { median } from '../support/statistics.js'
import { count, ratio } from '../support/table.js'

const CONNECTIONS = 50
const REQUESTS = 10_000
const SESSIONS = 200
const LOGIN = '/login'
const ISSUED = { sid: 'f3a9c0d17e52b846', token: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.9hX2kQ0bT5' }
const LOCATIONS = `location / { return 200 "ok"; }
    location = ${LOGIN} {
      default_type application/json;
      add_header Set-Cookie "sid=${ISSUED.sid}; Path=/";
      return 200 '{"token":"${ISSUED.token}"}';
    }`

/** The same tiny requests with and without correlation: sessions whose every request has two issued values, and requests without any. */
export async function correlation({ folder, rounds, seconds, say }) {
  const server = await startNginx({ locations: LOCATIONS })
  if (server === undefined)
    return { title: 'Correlation', absent: 'nginx is not installed (apt-get install nginx-light)' }
  const shape = { requests: REQUESTS, perSecond: 1000, connections: SESSIONS }
  const recordings = {
    'two issued values in every request': await writeRequests(join(folder, 'sessions.mcap'), {
      ...shape,
      change: loggedIn,
    }),
    'nothing issued': await writeRequests(join(folder, 'anonymous.mcap'), shape),
  }
  const rates = Object.fromEntries(Object.keys(recordings).map((name) => [name, { auto: [], off: [] }]))
  for (let round = 1; round <= rounds; round++) {
    for (const [name, recording] of Object.entries(recordings)) {
      for (const correlate of round % 2 === 0 ? ['auto', 'off'] : ['off', 'auto']) {
        const perSecond = await fullSpeed(folder, recording, server.port, seconds, correlate)
        rates[name][correlate].push(perSecond)
        say(`correlation ${round}/${rounds}: ${name}, --correlate ${correlate} ${count(perSecond)}/s`)
      }
    }
  }
  await server.stop()
  return present(rates, rounds, seconds)
}

/** Of each connection's requests the first logs in, and the others have what that issued. */
function loggedIn(exchange) {
  const { connection, position } = exchange
  const [sid, token] = [`${ISSUED.sid}${connection}`, `${ISSUED.token}${connection}`]
  if (position > 0) {
    const lines = `Cookie: sid=${sid}\r\nAuthorization: Bearer ${token}\r\n\r\n`
    const head = Buffer.concat([exchange.request.head.subarray(0, -2), Buffer.from(lines)])
    return { ...exchange, session: `sid=${sid}`, request: { ...exchange.request, head } }
  }
  const body = Buffer.from(JSON.stringify({ token }))
  const lines = ['HTTP/1.1 200 OK', 'Content-Type: application/json', `Set-Cookie: sid=${sid}; Path=/`]
  const request = Buffer.from(`GET ${LOGIN} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
  return {
    ...exchange,
    request: { ...exchange.request, head: request },
    response: {
      ...exchange.response,
      head: Buffer.from(`${lines.join('\r\n')}\r\nContent-Length: ${body.length}\r\n\r\n`),
      body,
      bodySize: body.length,
    },
  }
}

async function fullSpeed(folder, recording, port, seconds, correlate) {
  const pace = ['--speed', 'max', '--loop', '-c', `${CONNECTIONS}`, '-d', `${seconds + 1}s`, '--warmup', '1s']
  const run = await replay(folder, recording, ['--to', `http://127.0.0.1:${port}`, '--correlate', correlate, ...pace])
  const strange = Object.keys(run.statuses).filter((status) => status !== '200')
  if (run.unanswered > 0 || strange.length > 0) {
    throw new Error(`mesh replay: ${run.unanswered} shots unanswered, statuses ${JSON.stringify(run.statuses)}`)
  }
  return run.repliesPerSecond
}

function present(rates, rounds, seconds) {
  const medians = Object.entries(rates).map(([name, { auto, off }]) => ({ name, auto: median(auto), off: median(off) }))
  const [dense, plain] = medians
  return {
    title: 'Correlation',
    tables: [
      {
        columns: ['recording', 'replies/s with it', 'without', 'with / without'],
        rows: medians.map(({ name, auto, off }) => [name, count(auto), count(off), ratio(auto, off)]),
      },
    ],
    notes: [
      `${CONNECTIONS} connections against nginx with one worker, ${SESSIONS} sessions of ${REQUESTS / SESSIONS} requests; medians of ${rounds} rounds of ${seconds} s, in turns. A cookie and a bearer token in a request of 200 bytes is the most that correlation can cost: it looks for nothing where nothing was learnt.`,
    ],
    goals: [
      {
        what: 'replay with two issued values in every request, of the same without correlation',
        value: dense.auto / dense.off,
        least: 0.7,
      },
      {
        what: 'replay with nothing learnt, of the same without correlation',
        value: plain.auto / plain.off,
        least: 0.97,
      },
    ],
    figures: { rates, medians },
  }
}
