/**
 * Writes a classic pcap of keep-alive HTTP/1.1 conversations, for measuring ingest: `connections` clients on one server port
 * ask in turn, each response comes in segments of at most `mss` bytes and is acknowledged. Every request is distinct.
 *
 *   node bench/support/make-pcap.js FILE [--megabytes 300] [--connections 100] [--body-bytes 3800] [--mss 1000] [--port 80]
 *                                        [--exchanges-per-second 5000]
 *
 * Checksums are 0: nothing that reads captures here verifies them.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { parseArgs } from 'node:util'

const WRITE_BYTES = 4 * 1024 * 1024
const HEADERS_BYTES = 16 + 14 + 20 + 20

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    megabytes: { type: 'string', default: '300' },
    connections: { type: 'string', default: '100' },
    'body-bytes': { type: 'string', default: '3800' },
    mss: { type: 'string', default: '1000' },
    port: { type: 'string', default: '80' },
    'exchanges-per-second': { type: 'string', default: '5000' },
  },
})
const [path] = positionals
if (path === undefined) {
  process.stderr.write('expected the name of a file to write\n')
  process.exit(2)
}
const wantedBytes = Number(values.megabytes) * 1e6
const connections = Number(values.connections)
const mss = Number(values.mss)
const port = Number(values.port)
const stepMicroseconds = 1e6 / Number(values['exchanges-per-second'])
const responseBody = Buffer.alloc(Number(values['body-bytes']), 'abcdefghijklmnopqrstuvwxyz012345')

const file = openSync(path, 'w')
const out = Buffer.alloc(WRITE_BYTES)
let used = 0
let writtenBytes = 0
let packets = 0
let exchanges = 0
let nowMicroseconds = 1_700_000_000e6

function flush() {
  writeSync(file, out, 0, used)
  writtenBytes += used
  used = 0
}

function fileHeader() {
  out.writeUInt32LE(0xa1b2c3d4, 0)
  out.writeUInt16LE(2, 4)
  out.writeUInt16LE(4, 6)
  out.writeUInt32LE(262_144, 16)
  out.writeUInt32LE(1, 20)
  used = 24
}

/** One TCP packet of `client`, from it or to it, with `payload`. */
function packet(client, fromClient, flags, payload) {
  const length = HEADERS_BYTES + payload.length
  if (used + length > out.length) flush()
  let at = used
  nowMicroseconds += 2
  out.writeUInt32LE(Math.floor(nowMicroseconds / 1e6), at)
  out.writeUInt32LE(Math.floor(nowMicroseconds % 1e6), at + 4)
  out.writeUInt32LE(length - 16, at + 8)
  out.writeUInt32LE(length - 16, at + 12)
  at += 16
  out.fill(0, at, at + 54)
  out.writeUInt16BE(0x0800, at + 12)
  at += 14
  out[at] = 0x45
  out.writeUInt16BE(40 + payload.length, at + 2)
  out[at + 8] = 64
  out[at + 9] = 6
  out.writeUInt32BE(fromClient ? client.address : 0x0a00_0001, at + 12)
  out.writeUInt32BE(fromClient ? 0x0a00_0001 : client.address, at + 16)
  at += 20
  out.writeUInt16BE(fromClient ? client.port : port, at)
  out.writeUInt16BE(fromClient ? port : client.port, at + 2)
  out.writeUInt32BE((fromClient ? client.sent : client.received) >>> 0, at + 4)
  out.writeUInt32BE((fromClient ? client.received : client.sent) >>> 0, at + 8)
  out[at + 12] = 0x50
  out[at + 13] = flags
  out.writeUInt16BE(64_240, at + 14)
  payload.copy(out, at + 20)
  used += length
  packets++
  const consumed = payload.length + ((flags & 0x03) === 0 ? 0 : 1)
  if (fromClient) client.sent += consumed
  else client.received += consumed
}

const SYN = 0x02
const ACK = 0x10
const PSH = 0x08
const FIN = 0x01
const NOTHING = Buffer.alloc(0)

const clients = Array.from({ length: connections }, (_, index) => ({
  address: 0x0a01_0000 + Math.floor(index / 20_000),
  port: 32_768 + (index % 20_000),
  sent: (index * 2_654_435_761) >>> 0,
  received: (index * 40_503 + 7) >>> 0,
}))

fileHeader()
for (const client of clients) {
  packet(client, true, SYN, NOTHING)
  packet(client, false, SYN | ACK, NOTHING)
  packet(client, true, ACK, NOTHING)
}
while (writtenBytes + used < wantedBytes) {
  const client = clients[exchanges % connections]
  const session = exchanges % connections
  const request = `GET /item/${exchanges}?page=${exchanges % 7} HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: bench/1\r\nAccept: */*\r\nCookie: session=${session}\r\n\r\n`
  const head = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${responseBody.length}\r\nX-Item: ${exchanges}\r\n\r\n`
  packet(client, true, PSH | ACK, Buffer.from(request))
  const response = Buffer.concat([Buffer.from(head), responseBody])
  for (let at = 0; at < response.length; at += mss) {
    packet(client, false, PSH | ACK, response.subarray(at, at + mss))
  }
  packet(client, true, ACK, NOTHING)
  exchanges++
  nowMicroseconds += stepMicroseconds
}
for (const client of clients) {
  packet(client, true, FIN | ACK, NOTHING)
  packet(client, false, FIN | ACK, NOTHING)
  packet(client, true, ACK, NOTHING)
}
flush()
closeSync(file)
process.stdout.write(`${JSON.stringify({ path, bytes: writtenBytes, packets, connections, exchanges })}\n`)
