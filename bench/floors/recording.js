/**
 * The floor of the recording: the libraries as they come (@mcap/core's writer and readers, protobufjs on the reflected schema, the same
 * zstd), against our writer (alone, and behind sessions and masks as a capture has it) and our reader, on the same exchanges of
 * about 800 bytes, in turns. Needs `npm run build`.
 *
 *     node bench/floors/recording.js [--rounds 5] [--exchanges 200000] [--json]
 *
 * Rates are by the clock of the CPU (user and system, all threads of the process) and by the wall's.
 */
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { McapIndexedReader, McapStreamReader, McapWriter } from '@mcap/core'
import protobuf from 'protobufjs'

import { fileParts } from '../../dist/archive/parts.js'
import { typeDescriptor } from '../../dist/archive/protobuf.js'
import { openRecording } from '../../dist/archive/reader.js'
import { EXCHANGE_TYPE, SCHEMA_TEXT } from '../../dist/archive/schema.js'
import { createRecordingWriter } from '../../dist/archive/writer.js'
import { loadZstd, zstdCompress, zstdDecompress } from '../../dist/archive/zstd.js'
import { createRecorder } from '../../dist/cli/capture/recorder.js'
import { LedgerKeeper, ledgerImbalance } from '../../dist/core/ledger.js'
import { seededRandom } from '../../dist/core/random.js'
import { median } from '../support/statistics.js'

const ORIGIN_UNIX_NS = 1_788_256_800_000_000_000n
const DISTINCT = 10_000
const NONE = new Uint8Array(0)
const exchangeType = protobuf.parse(SCHEMA_TEXT, { keepCase: true }).root.lookupType(EXCHANGE_TYPE)

/** Exchanges of an API: distinct ids, tokens and bodies, so that they compress about as traffic does. */
export function sampleExchanges() {
  const random = seededRandom(1)
  const word = (digits) => Math.floor(random() * 36 ** digits).toString(36)
  const server = { address: '10.0.0.1', port: 8080 }
  const clients = Array.from({ length: 200 }, (_, index) => ({ address: `10.1.2.${index}`, port: 40_000 + index }))
  return Array.from({ length: DISTINCT }, (_, index) => {
    const request = [
      `GET /api/products/${word(6)}/reviews?page=${index % 40} HTTP/1.1`,
      'Host: shop.example.com',
      'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
      'Accept: application/json',
      `Cookie: session=${word(10)}${word(10)}`,
      `X-Request-Id: ${word(8)}-${word(8)}`,
    ]
    const items = Array.from({ length: 5 }, () => ({
      id: word(6),
      name: `Product ${word(4)}`,
      price: Math.floor(random() * 1e5),
    }))
    const body = Buffer.from(JSON.stringify(items))
    const response = [
      'HTTP/1.1 200 OK',
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${body.length}`,
      'Date: Tue, 01 Sep 2026 10:00:00 GMT',
      `ETag: "${word(9)}"`,
    ]
    return {
      requestHead: Buffer.from(`${request.join('\r\n')}\r\n\r\n`),
      responseHead: Buffer.from(`${response.join('\r\n')}\r\n\r\n`),
      body,
      client: clients[index % clients.length],
      server,
    }
  })
}

/** One of them, at its place in a recording. */
export function exchangeAt(samples, index) {
  const { requestHead, responseHead, body, client, server } = samples[index % DISTINCT]
  const firstNs = index * 10_000 + (index % 7) * 3000
  return {
    id: index,
    connection: index % 200,
    position: Math.floor(index / 200),
    session: `user-${index % 1000}`,
    protocol: /** @type {const} */ ('http1'),
    secure: false,
    client,
    server,
    request: { head: requestHead, body: NONE, trailers: NONE, bodySize: 0, cut: undefined },
    requestFirstNs: firstNs,
    requestLastNs: firstNs + 1000,
    response: {
      head: responseHead,
      body,
      trailers: NONE,
      bodySize: body.length,
      cut: undefined,
      firstNs: firstNs + 1e6,
      lastNs: firstNs + 1.1e6,
    },
  }
}

/** The libraries alone: one message an exchange, no ledger, no window. */
async function bareWrite(path, samples, count) {
  const file = openSync(path, 'wx', 0o600)
  let length = 0
  const writer = new McapWriter({
    writable: {
      position: () => BigInt(length),
      write: async (bytes) => {
        writeSync(file, bytes)
        length += bytes.length
      },
    },
    chunkSize: 1024 * 1024,
    compressChunk: (bytes) => ({ compression: 'zstd', compressedData: zstdCompress(bytes) }),
  })
  await writer.start({ profile: '', library: 'floor' })
  const schemaId = await writer.registerSchema({
    name: EXCHANGE_TYPE,
    encoding: 'protobuf',
    data: typeDescriptor(EXCHANGE_TYPE),
  })
  const channelId = await writer.registerChannel({
    schemaId,
    topic: 'exchange',
    messageEncoding: 'protobuf',
    metadata: new Map(),
  })
  for (let index = 0; index < count; index++) {
    const { request, response, requestFirstNs, requestLastNs, ...rest } = exchangeAt(samples, index)
    const fields = {
      ...rest,
      protocol: 1,
      request: { head: request.head },
      request_last_ns: requestLastNs - requestFirstNs,
      response: {
        head: response.head,
        body: response.body,
        body_size: response.bodySize,
        first_ns: response.firstNs - requestFirstNs,
        last_ns: response.lastNs - requestFirstNs,
      },
    }
    const logTime = ORIGIN_UNIX_NS + BigInt(requestFirstNs)
    const data = exchangeType.encode(fields).finish()
    await writer.addMessage({ channelId, sequence: index, logTime, publishTime: logTime, data })
  }
  await writer.end()
  closeSync(file)
}

async function ourWrite(path, samples, count) {
  const ledger = new LedgerKeeper()
  const writer = await createRecordingWriter({
    info: {
      recordingId: 'floor',
      part: 0,
      host: 'host',
      service: 'shop',
      source: 'bench',
      originUnixNs: ORIGIN_UNIX_NS,
      match: '',
      sessionBy: '',
      sample: 1,
      secrets: 'masked',
      maskKeyId: '',
      maxBodyBytes: 1024 * 1024,
      version: '0.0.0',
    },
    takeLedgerDelta: () => ledger.takeDelta(),
    openPart: fileParts(path),
    whenDiskFails: 'stop',
  })
  for (let index = 0; index < count; index++) {
    const exchange = exchangeAt(samples, index)
    for (const unit of /** @type {const} */ (['requests', 'responses'])) {
      ledger.see(unit)
      ledger.settle(unit, 'whole')
    }
    const bytes = exchange.request.head.length + exchange.response.head.length + exchange.response.body.length
    ledger.see('bytes', bytes)
    ledger.settle('bytes', 'whole', bytes)
    writer.write(exchange)
    if (index % 1000 === 999) await writer.drained()
  }
  await writer.close()
  if (ledgerImbalance(writer.total()).size > 0) throw new Error('the ledger does not balance')
}

/** As a capture writes: whose request it is, masks, ledger, writer. */
async function maskedWrite(path, samples, count) {
  const settings = {
    output: path,
    host: 'host',
    service: 'shop',
    source: 'bench',
    originUnixNs: ORIGIN_UNIX_NS,
    match: '',
    session: '',
    sample: 1,
    maskKey: new Uint8Array(32).fill(7),
    maskRules: [],
    seal: [],
    keepReplayed: false,
    maxBodyBytes: 1024 * 1024,
    limit: undefined,
    rotation: undefined,
    secure: false,
    live: false,
    version: '0.0.0',
  }
  const recorder = await createRecorder(settings, () => undefined)
  const { pipeline, writer } = recorder
  for (let index = 0; index < count; index++) {
    pipeline.intake.offer(exchangeAt(samples, index))
    if (index % 1000 === 999) await writer.drained()
  }
  await recorder.close()
  const total = writer.total()
  if (ledgerImbalance(total).size > 0) throw new Error('the ledger does not balance')
  return total.requests.whole
}

const decompressHandlers = { zstd: (bytes, size) => zstdDecompress(bytes, Number(size)) }

/** The library's reader of streams: no order of time. */
async function bareStreamRead(path) {
  const reader = new McapStreamReader({ decompressHandlers })
  reader.append(readFileSync(path))
  let count = 0
  for (let record = reader.nextRecord(); record !== undefined; record = reader.nextRecord()) {
    if (record.type !== 'Message' || record.channelId < 2) continue
    if (exchangeType.decode(record.data).request.head.length > 0) count++
  }
  return count
}

/** The library's reader by index: in order of time, as ours. */
async function bareIndexedRead(path) {
  const bytes = readFileSync(path)
  const readable = {
    size: async () => BigInt(bytes.length),
    read: async (offset, size) => bytes.subarray(Number(offset), Number(offset + size)),
  }
  const reader = await McapIndexedReader.Initialize({ readable, decompressHandlers })
  let count = 0
  for await (const message of reader.readMessages({ validateCrcs: true })) {
    if (message.channelId < 2) continue
    if (exchangeType.decode(message.data).request.head.length > 0) count++
  }
  return count
}

async function ourRead(path) {
  const reader = await openRecording(path)
  let count = 0
  for await (const exchange of reader.exchanges()) if (exchange.request.head.length > 0) count++
  await reader.close()
  return count
}

async function ourBatchRead(path) {
  const reader = await openRecording(path)
  let count = 0
  for await (const batch of reader.exchangeBatches()) {
    for (const exchange of batch) if (exchange.request.head.length > 0) count++
  }
  await reader.close()
  return count
}

/** Runs once: exchanges per second by the wall, and per second of CPU. */
export async function timed(count, run) {
  const cpu = process.cpuUsage()
  const start = performance.now()
  const found = await run()
  const wallSeconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpu)
  if (found !== undefined && found !== count) throw new Error(`expected ${count} exchanges, found ${found}`)
  return { perSecond: count / wallSeconds, perCpuSecond: (count * 1e6) / (user + system) }
}

export async function measureRecording({ rounds, exchanges }) {
  await loadZstd()
  const folder = mkdtempSync(join(tmpdir(), 'mesh-floor-'))
  const samples = sampleExchanges()
  const bare = join(folder, 'bare.mcap')
  const ours = join(folder, 'ours.mcap')
  const masked = join(folder, 'masked.mcap')
  const runs = {
    'write: libraries': () => bareWrite(bare, samples, exchanges),
    'write: mesh': () => ourWrite(ours, samples, exchanges),
    'write: mesh, with sessions and masks': () => maskedWrite(masked, samples, exchanges),
    'read: McapStreamReader': () => bareStreamRead(ours),
    'read: McapIndexedReader': () => bareIndexedRead(ours),
    'read: mesh, one by one': () => ourRead(ours),
    'read: mesh, in batches': () => ourBatchRead(ours),
  }
  const results = Object.fromEntries(Object.keys(runs).map((name) => [name, []]))
  try {
    for (let round = 0; round < rounds; round++) {
      for (const path of [bare, ours, masked]) rmSync(path, { force: true })
      for (const [name, run] of Object.entries(runs)) results[name].push(await timed(exchanges, run))
    }
    return {
      exchanges,
      rounds,
      bytesEach: Math.round(
        samples.reduce((sum, s) => sum + s.requestHead.length + s.responseHead.length + s.body.length, 0) / DISTINCT,
      ),
      fileBytes: { libraries: statSync(bare).size, mesh: statSync(ours).size },
      rates: Object.entries(results).map(([name, all]) => ({
        name,
        perSecond: Math.round(median(all.map(({ perSecond }) => perSecond))),
        perCpuSecond: Math.round(median(all.map(({ perCpuSecond }) => perCpuSecond))),
      })),
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { values } = parseArgs({
    options: { rounds: { type: 'string' }, exchanges: { type: 'string' }, json: { type: 'boolean' } },
  })
  const result = await measureRecording({
    rounds: Number(values.rounds ?? 5),
    exchanges: Number(values.exchanges ?? 200_000),
  })
  if (values.json === true) console.log(JSON.stringify(result, undefined, 2))
  else {
    console.log(`${result.exchanges} exchanges of ${result.bytesEach} bytes, medians of ${result.rounds} rounds`)
    console.table(result.rates)
    console.log(`files: libraries ${result.fileBytes.libraries} bytes, mesh ${result.fileBytes.mesh} bytes`)
  }
}
