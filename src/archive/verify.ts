import { crc32 } from 'node:zlib'
import { toMeshError } from '../core/errors.ts'
import { addLedger, emptyLedger, ledgerImbalance } from '../core/ledger.ts'
import type { Ledger } from '../core/ledger.ts'
import type { ChunkContents } from './chunk-contents.ts'
import type { ChunkRef } from './chunk-list.ts'
import { LEDGER_METADATA } from './info-metadata.ts'
import { equalLedgers, parseLedgerMetadata } from './ledger-codec.ts'
import { OPCODE } from './mcap.ts'
import { readPartChunk } from './reader.ts'
import type { FileRecordingReader, OpenPart } from './reader.ts'
import { RecordWalk } from './record-walk.ts'

/** Bytes read at once to check the CRC of a whole file. */
const STRIDE_BYTES = 1024 * 1024

/** Findings kept: a file of noise has one a chunk. */
const MAX_FINDINGS = 1000

/** Something that a recording promises and does not keep. */
export interface Finding {
  readonly kind: 'damage' | 'chunk' | 'crc' | 'index' | 'ledger' | 'count' | 'part'
  readonly where: string
  readonly what: string
}

/** What a whole reading of a recording found. */
export interface Verification {
  /** `cut` is no finding: what its whole chunks hold still has to add up. */
  readonly ending: 'closed' | 'cut'
  readonly parts: number
  readonly chunks: number
  readonly exchanges: number
  readonly lateResponses: number
  /** Behind the last whole record. */
  readonly unreadableBytes: number
  /** The sum of the ledger deltas of all chunks that can be read. */
  readonly ledger: Ledger
  /** Empty where the recording keeps all its promises; the first thousand. */
  readonly findings: readonly Finding[]
}

/** Reads everything: every CRC, every message, and whether the ledger tells of what is there. */
export async function verifyRecording(reader: FileRecordingReader, signal?: AbortSignal): Promise<Verification> {
  const tally = new Tally()
  let unreadableBytes = 0
  for (const part of reader.parts) {
    unreadableBytes += (await part.bytes.size()) - part.contents.readableBytes
    await verifyPart(part, tally, signal)
  }
  verifyPartNumbers(reader, tally)
  verifyTotals(reader, tally)
  const { chunks, exchanges, lateResponses, ledger, findings } = tally
  const { ending, parts } = reader
  return { ending, parts: parts.length, chunks, exchanges, lateResponses, unreadableBytes, ledger, findings }
}

class Tally {
  chunks = 0
  exchanges = 0
  responses = 0
  lateResponses = 0
  isWhole = true
  readonly ledger: Ledger = emptyLedger()
  readonly findings: Finding[] = []

  find(kind: Finding['kind'], where: string, what: string): void {
    if (this.findings.length < MAX_FINDINGS) this.findings.push({ kind, where, what })
  }
}

async function verifyPart(part: OpenPart, tally: Tally, signal: AbortSignal | undefined): Promise<void> {
  const { bytes, contents } = part
  await verifyIndex(part, tally)
  await verifyDataCrc(part, tally, signal)
  const partLedger = emptyLedger()
  let readable = contents.damage?.hidesChunks !== true
  for (const ref of contents.chunks) {
    signal?.throwIfAborted()
    tally.chunks++
    const place = `${bytes.name}, offset ${ref.offset}`
    try {
      const chunk = await readPartChunk(part, ref)
      countChunk(chunk, partLedger, tally, place)
      verifyRef(ref, chunk, tally, place)
    } catch (error) {
      const { what, where } = toMeshError(error, bytes.name)
      tally.find('chunk', where ?? bytes.name, what)
      readable = false
    }
  }
  addLedger(tally.ledger, partLedger)
  tally.isWhole &&= readable
  const told = contents.metadata.get(LEDGER_METADATA)
  if (told !== undefined && readable && !equalLedgers(parseLedgerMetadata(told), partLedger)) {
    tally.find('ledger', bytes.name, `expected ${LEDGER_METADATA} to be the sum of the part's deltas, found another`)
  }
}

function countChunk(chunk: ChunkContents, ledger: Ledger, tally: Tally, where: string): void {
  for (let index = 0; index < chunk.times.length; index++) {
    const exchange = chunk.exchange(index)
    tally.exchanges++
    if (typeof exchange.response !== 'string') tally.responses++
  }
  for (let index = 0; index < chunk.lateResponseCount; index++) {
    chunk.lateResponse(index)
    tally.lateResponses++
  }
  for (let index = 0; index < chunk.ledgerCount; index++) addLedger(ledger, chunk.ledger(index))
  if (!chunk.endsWithLedger)
    tally.find('ledger', where, 'expected a ledger as the last message of the chunk, found none')
}

/** Readers go by what stands about a chunk outside of it, which no CRC of its own covers: they must find what is inside. */
function verifyRef(ref: ChunkRef, chunk: ChunkContents, tally: Tally, where: string): void {
  const [first, last] = [chunk.times[0] ?? ref.startNs, chunk.times.at(-1) ?? ref.endNs]
  if (first < ref.startNs || last > ref.endNs) {
    tally.find('index', where, 'expected the times that the chunk tells, found exchanges outside of them')
  }
  if ((chunk.times.length > 0 && !ref.hasExchanges) || (chunk.lateResponseCount > 0 && !ref.hasLateResponses)) {
    tally.find('index', where, 'expected the channels that the chunk tells, found messages of another')
  }
}

async function verifyIndex({ bytes, contents }: OpenPart, tally: Tally): Promise<void> {
  const indexed = new Set(contents.chunks.map(({ offset, length }) => `${offset} ${length}`))
  const walk = new RecordWalk(bytes, await bytes.size())
  let chunks = 0
  for (let found = await walk.next(); found !== undefined; found = await walk.next()) {
    const { opcode, offset, length } = found
    if (opcode !== OPCODE.chunk) continue
    chunks++
    if (!indexed.has(`${offset} ${length}`)) {
      tally.find('index', `${bytes.name}, offset ${offset}`, 'found a chunk that is not in the index')
    }
  }
  const { damage } = walk
  if (damage !== undefined) {
    const kind = damage.hidesChunks ? 'damage' : 'index'
    tally.find(kind, `${bytes.name}, offset ${damage.offset}`, `expected a record of a recording, found ${damage.what}`)
  } else if (contents.ending === 'closed' && !contents.hasIndex) {
    tally.find('index', bytes.name, 'expected an index at the end, found none that can be trusted')
  }
  if (chunks < indexed.size) {
    tally.find('index', bytes.name, `expected the ${indexed.size} chunks of the index, found ${chunks}`)
  }
}

async function verifyDataCrc({ bytes, contents }: OpenPart, tally: Tally, signal?: AbortSignal): Promise<void> {
  const { dataEnd } = contents
  if (dataEnd?.crc === undefined) return
  let crc = 0
  for (let offset = 0; offset < dataEnd.offset; offset += STRIDE_BYTES) {
    signal?.throwIfAborted()
    crc = crc32(await bytes.read(offset, Math.min(STRIDE_BYTES, dataEnd.offset - offset)), crc)
  }
  if (crc === dataEnd.crc) return
  const [expected, actual] = [dataEnd.crc, crc].map((value) => value.toString(16).padStart(8, '0'))
  tally.find('crc', bytes.name, `expected CRC ${expected} of all data, found ${actual}`)
}

function verifyPartNumbers({ parts, info }: FileRecordingReader, tally: Tally): void {
  const numbers = new Set(parts.map(({ contents }) => contents.info.part))
  for (let number = 0; number < Math.max(...numbers); number++) {
    if (numbers.has(number)) continue
    tally.isWhole = false
    tally.find('part', info.recordingId, `expected parts 0 to ${Math.max(...numbers)}, found no part ${number}`)
  }
}

/**
 * The ledger must balance, and tell of what is there. A cut may fall between a chunk of late exchanges and the ledger that
 * speaks of it: a cut recording may hold more than its ledger says, never less.
 */
function verifyTotals({ info, ending }: FileRecordingReader, tally: Tally): void {
  const { ledger, exchanges } = tally
  for (const [unit, difference] of ledgerImbalance(ledger)) {
    tally.find(
      'ledger',
      info.recordingId,
      `expected the fates of ${unit} to add up to those seen, found ${difference} unexplained`,
    )
  }
  if (!tally.isWhole) return
  const counts = [
    ['requests', ledger.requests.whole + ledger.requests.cut, exchanges],
    ['responses', ledger.responses.whole + ledger.responses.cut, tally.responses + tally.lateResponses],
  ] as const
  for (const [unit, told, found] of counts) {
    if (told === found || (ending === 'cut' && told < found)) continue
    tally.find('count', info.recordingId, `expected the ${told} ${unit} that the ledger tells of, found ${found}`)
  }
}
