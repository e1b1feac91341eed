import { fileParts } from '../../dist/archive/parts.js'
import { createRecordingWriter } from '../../dist/archive/writer.js'
import { LedgerKeeper } from '../../dist/core/ledger.js'
import { seededRandom } from '../../dist/core/random.js'
import { loadZstd } from '../../dist/archive/zstd.js'

const CONNECTIONS = 200
const ORIGIN_UNIX_NS = 1_788_256_800_000_000_000n
const NONE = new Uint8Array(0)
const RECORDED_SERVICE_NS = 1e6

/**
 * Records `requests` distinct requests of 200 connections, or as many as are given, to `path`, at a mean of `perSecond` with the
 * random gaps of independent users (seeded: equal calls give equal recordings). `change` makes another exchange of each.
 */
export async function writeRequests(
  path,
  { requests, perSecond, connections = CONNECTIONS, change = (exchange) => exchange },
) {
  await loadZstd()
  const ledger = new LedgerKeeper()
  const writer = await createRecordingWriter({
    info: recordingInfo(),
    takeLedgerDelta: () => ledger.takeDelta(),
    openPart: fileParts(path),
    whenDiskFails: 'stop',
  })
  const random = seededRandom(1)
  let atNs = 0
  for (let index = 0; index < requests; index++) {
    const exchange = change(exchangeAt(index, Math.round(atNs), connections))
    const bytes = exchange.request.head.length + exchange.response.head.length + exchange.response.body.length
    for (const [unit, count] of [
      ['requests', 1],
      ['responses', 1],
      ['bytes', bytes],
    ]) {
      ledger.see(unit, count)
      ledger.settle(unit, 'whole', count)
    }
    writer.write(exchange)
    atNs -= (Math.log(1 - random()) * 1e9) / perSecond
    if (index % 1000 === 999) await writer.drained()
  }
  await writer.close()
  return path
}

function exchangeAt(index, firstNs, connections) {
  const head = `GET /items/${100_000 + index}?page=${index % 7} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: mesh\r\nAccept: */*\r\n\r\n`
  const body = Buffer.from('ok')
  return {
    id: index,
    connection: index % connections,
    position: Math.floor(index / connections),
    session: '',
    protocol: 'http1',
    secure: false,
    client: { address: '10.1.2.3', port: 40_000 + (index % connections) },
    server: { address: '10.0.0.1', port: 80 },
    request: { head: Buffer.from(head), body: NONE, trailers: NONE, bodySize: 0, cut: undefined },
    requestFirstNs: firstNs,
    requestLastNs: firstNs,
    response: {
      head: Buffer.from('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n'),
      body,
      trailers: NONE,
      bodySize: body.length,
      cut: undefined,
      firstNs: firstNs + RECORDED_SERVICE_NS,
      lastNs: firstNs + RECORDED_SERVICE_NS,
    },
  }
}

function recordingInfo() {
  return {
    recordingId: 'bench',
    part: 0,
    host: 'bench',
    service: 'http',
    source: 'bench',
    originUnixNs: ORIGIN_UNIX_NS,
    match: '',
    sessionBy: '',
    sample: 1,
    secrets: /** @type {const} */ ('kept'),
    maskKeyId: '',
    maxBodyBytes: 1024 * 1024,
    version: '0.0.0',
  }
}
