import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rmSync, statSync } from 'node:fs'
import { createServer, get } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

import { runMesh, startCow, startTap } from '../support/mesh.js'
import { startPgbenchServer } from '../support/pgbench.js'
import { runProgram } from '../support/processes.js'
import { writeRequests } from '../support/recordings.js'
import { startNginx } from '../support/server/nginx.js'
import { portOf } from '../support/server/port-of.js'
import { databaseUrl, postgresAbsent, runSql } from '../support/server/postgres.js'
import { count } from '../support/table.js'

const MAKE_PCAP = fileURLToPath(new URL('../support/make-pcap.js', import.meta.url))
const RELAY = fileURLToPath(new URL('../floors/relay.js', import.meta.url))
const INVALID = 4
/** Of a recorded exchange, and it does not compress. */
const BODY_BYTES = 4096
const ROW_BYTES = 1000
const ROWS_IN_PGBENCH = 100_000
/** As long again shows whether it grows. */
const STEADY = [60, 120]
const LONG_SECONDS = 1800

/**
 * What is held at most, of what is far larger: with `--megabytes 500` a capture and a recording of 2 GB, a body of 1 GB, a result of 5 GB, and
 * 8,000 open connections.
 */
export async function memory({ folder, megabytes, quick, say }) {
  const nginx = await startNginx()
  const bench = { folder, megabytes, steady: quick ? [2, 4] : STEADY, nginx, say }
  const found = []
  for (const part of [captured, replayed, body, connections, result]) {
    for (const row of await part(bench)) {
      found.push(row)
      say(`memory: ${row.what}: ${row.absent ?? `${count(row.mebibytes)} MiB`}`)
    }
  }
  await nginx?.stop()
  return {
    title: 'Memory',
    tables: [
      {
        columns: ['resident at most', 'MiB'],
        rows: found.map(({ what, mebibytes, absent }) => [what, absent === undefined ? count(mebibytes) : '-']),
      },
    ],
    notes: found.flatMap(({ what, absent }) => (absent === undefined ? [] : [`${what}: ${absent}.`])),
    goals: found.flatMap(({ what, mebibytes, absent }) =>
      absent === undefined ? [{ what: `memory: ${what}, MiB`, value: mebibytes, most: 350 }] : [],
    ),
    figures: found,
  }
}

const mebibytes = (bytes) => bytes / 1024 ** 2
const size = (bytes) => `${count(bytes / 1e6)} MB`

async function captured({ folder, megabytes }) {
  const [file, output] = [join(folder, 'memory.pcap'), join(folder, 'captured.mcap')]
  const { out } = await runProgram(process.execPath, [MAKE_PCAP, file, '--megabytes', `${4 * megabytes}`], {
    seconds: LONG_SECONDS,
  })
  const made = JSON.parse(out)
  const { err, peakBytes } = await runMesh(folder, ['capture', 'pcap', file, '-o', output], { seconds: LONG_SECONDS })
  rmSync(file)
  rmSync(output)
  if (!err.includes('the ledger balances')) throw new Error(`mesh capture pcap: ${err}`)
  const what = `a pcap of ${size(made.bytes)}, ${count(made.exchanges)} exchanges`
  return [{ what, mebibytes: mebibytes(peakBytes) }]
}

async function replayed({ folder, megabytes, steady, nginx }) {
  if (nginx === undefined) return [{ what: 'replays', absent: 'nginx is not installed (apt-get install nginx-light)' }]
  const requests = Math.ceil((4e6 * megabytes) / BODY_BYTES)
  const change = (exchange) => ({
    ...exchange,
    response: { ...exchange.response, body: randomBytes(BODY_BYTES), bodySize: BODY_BYTES },
  })
  const file = await writeRequests(join(folder, 'memory.mcap'), { requests, perSecond: 1000, change })
  const recording = `a recording of ${size(statSync(file).size)}`
  const replay = async (...words) => {
    const all = ['replay', file, '--to', `http://127.0.0.1:${nginx.port}`, ...words, '--yes', '-q']
    const { peakBytes } = await runMesh(folder, all, { seconds: LONG_SECONDS, codes: [0, INVALID] })
    return mebibytes(peakBytes)
  }
  const rows = []
  for (const speed of ['max', '20x']) {
    rows.push({ what: `${recording}, --speed ${speed}`, mebibytes: await replay('--speed', speed) })
  }
  for (const seconds of steady) {
    const held = await replay('--loop', '--rate', '1000/s', '-d', `${seconds}s`)
    rows.push({ what: `1,000 requests a second for ${seconds} s`, mebibytes: held })
  }
  rmSync(file)
  return rows
}

/** One reply through the tap. */
async function body({ folder, megabytes }) {
  const [piece, pieces] = [Buffer.alloc(64 * 1024, 'x'), Math.ceil((2e6 * megabytes) / (64 * 1024))]
  const server = createServer((request, response) => {
    request.resume()
    Readable.from(repeated(piece, pieces)).pipe(response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const output = join(folder, 'body.mcap')
  const tap = await startTap(folder, { upstream: portOf(server), output })
  const [response] = await once(get({ host: '127.0.0.1', port: tap.port, agent: false }), 'response')
  let received = 0
  for await (const bytes of response) received += bytes.length
  const { balances, peakBytes } = await tap.stop()
  server.close()
  rmSync(output)
  const whole = piece.length * pieces
  if (received !== whole || !balances) throw new Error(`the tap: ${received} of ${whole} bytes, balances: ${balances}`)
  return [{ what: `a body of ${size(whole)} through the tap`, mebibytes: mebibytes(peakBytes) }]
}

function* repeated(piece, times) {
  for (let index = 0; index < times; index++) yield piece
}

async function connections({ megabytes }) {
  const open = 16 * megabytes
  const { out } = await runProgram(process.execPath, [RELAY, '--idle', `${open}`], { seconds: LONG_SECONDS })
  const resident = /(\d+) MiB resident/.exec(out)?.[1]
  if (resident === undefined) throw new Error(`relay.js --idle: ${out}`)
  return [{ what: `${count(open)} open connections through the tap`, mebibytes: Number(resident) }]
}

async function result({ folder, megabytes }) {
  const rows = Math.ceil((10e6 * megabytes) / ROW_BYTES)
  const bytes = rows * ROW_BYTES
  const what = `a result of ${size(bytes)} through the data proxy`
  const absent = postgresAbsent()
  if (absent !== undefined) return [{ what, absent }]
  const production = await startPgbenchServer({ scale: 1 })
  const proxy = await startCow(folder, {
    upstream: `postgres://reader@127.0.0.1:${production.port}/bench`,
    state: join(folder, 'memory-cow'),
  })
  const times = Math.ceil(rows / ROWS_IN_PGBENCH)
  const query = `SELECT rpad(a.filler, ${ROW_BYTES - 1}, 'x') FROM pgbench_accounts a, generate_series(1, ${times}) LIMIT ${rows}`
  const copied = await runSql(
    databaseUrl(proxy.port, 'bench', 'app'),
    `\\copy (${query}) TO PROGRAM 'wc -c'`,
    LONG_SECONDS,
  )
  const { peakBytes } = await proxy.stop()
  await production.stop()
  if (!copied.includes(`${bytes}`)) throw new Error(`the data proxy: expected ${bytes} bytes, found ${copied.join()}`)
  return [{ what, mebibytes: mebibytes(peakBytes) }]
}
