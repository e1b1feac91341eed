import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fileParts } from '../../src/archive/parts.ts'
import { OPCODE } from '../../src/archive/mcap.ts'
import { openRecording } from '../../src/archive/reader.ts'
import { RecordSplitter } from '../../src/archive/record-splitter.ts'
import type { StreamRecord } from '../../src/archive/record-splitter.ts'
import { openRecordingStream } from '../../src/archive/stream-reader.ts'
import { verifyRecording } from '../../src/archive/verify.ts'
import type { Finding } from '../../src/archive/verify.ts'
import { MeshError } from '../../src/core/errors.ts'
import type { Ledger } from '../../src/core/ledger.ts'
import { ledgerImbalance } from '../../src/core/ledger.ts'
import { exchange, response } from '../support/exchanges.ts'
import { rejectionOf } from '../support/errors.ts'
import { TestRecorder, openBytes, readIds, recordChunks, withFolder } from '../support/recordings.ts'

/** A small recording with everything in it: three chunks, a late one, a late response, something still pending. */
async function smallRecording(path: string): Promise<Uint8Array> {
  const recorder = await TestRecorder.open({ openPart: fileParts(path) })
  recorder.ledger.see('requests', 5)
  recorder.write(exchange({ id: 1, requestFirstNs: 30e9, response: 'late' }))
  recorder.write(exchange({ id: 2, requestFirstNs: 1 }))
  recorder.writer.flush()
  recorder.write(exchange({ id: 3, requestFirstNs: 31e9 }))
  recorder.ledger.settle('requests', 'undecodable', 3, 'two-lengths')
  recorder.writer.flush()
  recorder.writeLate({ exchangeId: 1, response: response(['HTTP/1.1 200 OK'], '', { firstNs: 41e9, lastNs: 42e9 }) })
  await recorder.writer.close()
  return readFile(path)
}

/** What is found in a recording of `bytes`. */
interface Found {
  readonly ids: readonly number[]
  readonly ending: string
  readonly ledger: Ledger
  readonly findings: readonly Finding[]
}

/** Reads all of a recording, or gives the MeshError that names it as damaged; anything else that is thrown fails the test. */
async function readAll(bytes: Uint8Array, verified = true): Promise<Found | MeshError> {
  try {
    const reader = await openBytes(bytes)
    const findings = verified ? (await verifyRecording(reader)).findings : []
    return { ids: await readIds(reader), ending: reader.ending, ledger: await reader.ledger(), findings }
  } catch (error) {
    if (error instanceof MeshError) return error
    throw error
  }
}

/** The records of a whole recording, each with its place. */
function recordsOf(whole: Uint8Array): StreamRecord[] {
  const splitter = new RecordSplitter()
  splitter.push(whole)
  const records: StreamRecord[] = []
  for (let record = splitter.next(); record !== undefined; record = splitter.next()) records.push(record)
  return records
}

/** Places where a wrong byte tells: the heads of all records and the magic; of their content, some. */
function telling(whole: Uint8Array): Set<number> {
  const places = new Set([0, 7, whole.length - 8, whole.length - 1])
  for (const { offset, bytes } of recordsOf(whole)) {
    for (let at = 0; at < bytes.length; at += at < 12 ? 1 : 61) places.add(offset + at)
  }
  return places
}

/** One bit is another: at each place one, so that all eight are tried. */
function flipped(whole: Uint8Array, at: number): Uint8Array {
  const wrong = Buffer.from(whole)
  wrong[at] = (wrong[at] ?? 0) ^ (1 << ((at * 5) % 8))
  return wrong
}

async function* pieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length)
}

describe('a recording cut at any byte', () => {
  it('reads up to its last whole chunk with a ledger that balances, and says that it was cut', async () => {
    await withFolder(async (folder) => {
      const whole = await smallRecording(join(folder, 'whole.mcap'))
      const seen = new Set<string>()
      for (let length = 0; length < whole.length; length++) {
        const result = await readAll(whole.subarray(0, length), length % 16 === 0)
        if (result instanceof MeshError) {
          expect(result.code).toBe(length === 0 ? 'MESH_ERR_FILE_KIND' : 'MESH_ERR_FILE_CUT')
          expect(result.where).toContain('some.mcap')
          expect(result.where).toContain('offset')
          seen.add('too short')
        } else {
          expect(result.ending).toBe('cut')
          expect(result.findings).toEqual([])
          expect(ledgerImbalance(result.ledger).size).toBe(0)
          seen.add(result.ids.join())
        }
      }
      expect([...seen]).toEqual(['too short', '', '2', '2,1', '2,1,3'])
      expect(await readAll(whole)).toMatchObject({ ids: [2, 1, 3], ending: 'closed', findings: [] })
    })
  })

  it('does so as a stream', async () => {
    await withFolder(async (folder) => {
      const whole = await smallRecording(join(folder, 'whole.mcap'))
      for (let length = whole.length; length >= 0; length -= 13) {
        try {
          const reader = await openRecordingStream(pieces(whole.subarray(0, length), 997), 'stdin')
          const ids = await readIds(reader)
          expect(ledgerImbalance(await reader.ledger())).toEqual(new Map())
          expect(reader.ending).toBe(length === whole.length ? 'closed' : 'cut')
          expect([0, 1, 2, 3]).toContain(ids.length)
        } catch (error) {
          expect(error).toBeInstanceOf(MeshError)
        }
      }
    })
  })

  it('followed by zeros, as a crash of the machine leaves it, reads as far', async () => {
    await withFolder(async (folder) => {
      const whole = await smallRecording(join(folder, 'whole.mcap'))
      const zeros = Buffer.concat([whole.subarray(0, whole.length - 2500), Buffer.alloc(4096)])
      expect(await readAll(zeros)).toMatchObject({ ending: 'cut', findings: [] })
    })
  })
})

describe('a recording with a wrong byte', () => {
  it('never goes unnoticed: it is an error with its place, or a finding, and reading gives all or an error', async () => {
    await withFolder(async (folder) => {
      const whole = await smallRecording(join(folder, 'whole.mcap'))
      for (const at of telling(whole)) {
        const wrong = flipped(whole, at)
        const result = await readAll(wrong)
        if (result instanceof MeshError) expect(result.where, `offset ${at}`).toContain('some.mcap')
        else expect([result.findings.length > 0, result.ids], `offset ${at}`).toEqual([true, [2, 1, 3]])
      }
    })
  })

  it('never loses an exchange of a stream without an error', async () => {
    await withFolder(async (folder) => {
      const whole = await smallRecording(join(folder, 'whole.mcap'))
      for (const at of telling(whole)) {
        try {
          const reader = await openRecordingStream(pieces(flipped(whole, at), 997), 'stdin')
          expect((await readIds(reader)).length, `offset ${at}`).toBe(3)
        } catch (error) {
          expect(error, `offset ${at}`).toMatchObject({ where: expect.stringContaining('stdin') })
        }
      }
    })
  })

  it('in a record ahead of its chunks leaves them to be found by the index', async () => {
    await withFolder(async (folder) => {
      const whole = await smallRecording(join(folder, 'whole.mcap'))
      const { offset } = recordsOf(whole)[1] ?? { offset: 0 }
      const found = await readAll(flipped(whole, offset + 2))
      expect(found).toMatchObject({ ids: [2, 1, 3], ending: 'closed' })
      expect(found instanceof MeshError ? [] : found.findings.map(({ kind }) => kind)).toContain('damage')
    })
  })

  it('in its trailing magic is no cut', async () => {
    await withFolder(async (folder) => {
      const whole = await smallRecording(join(folder, 'whole.mcap'))
      const found = await readAll(flipped(whole, whole.length - 3))
      expect(found).toMatchObject({ ids: [2, 1, 3], ending: 'closed', findings: [{ kind: 'index' }] })
    })
  })

  it('in a chunk gives an error that names file and offset, and verify goes on behind it', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'wrong.mcap')
      await recordChunks(path, [[exchange({ id: 1 })], [exchange({ id: 2 })], [exchange({ id: 3 })]])
      const reader = await openRecording(path)
      const [, second] = reader.parts[0]?.contents.chunks ?? []
      await reader.close()
      const bytes = await readFile(path)
      const middle = (second?.offset ?? 0) + 100
      bytes[middle] = (bytes[middle] ?? 0) ^ 0xff
      await writeFile(path, bytes)

      const damaged = await openRecording(path)
      const error = await rejectionOf(readIds(damaged))
      expect(error.code).toBe('MESH_ERR_FILE_CORRUPT')
      expect(error.where).toBe(`${path}, offset ${second?.offset}`)
      const verification = await verifyRecording(damaged)
      expect(verification).toMatchObject({ chunks: 3, exchanges: 2 })
      expect(verification.findings.map(({ kind }) => kind)).toEqual(['crc', 'chunk'])
      await damaged.close()
    })
  })

  it('in its index is read from chunk to chunk, and verify names the index', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'wrong.mcap')
      const bytes = await smallRecording(path)
      const inSummary = bytes.length - 300
      bytes[inSummary] = (bytes[inSummary] ?? 0) ^ 0xff
      const found = await readAll(bytes)
      expect(found).toMatchObject({ ids: [2, 1, 3], ending: 'closed', findings: [{ kind: 'index' }] })
    })
  })
})

describe('bytes behind the end of a recording', () => {
  it('are damage, because exchanges may be among them', async () => {
    await withFolder(async (folder) => {
      const whole = await smallRecording(join(folder, 'whole.mcap'))
      const twice = Buffer.concat([whole, whole])
      const reader = await openBytes(twice)
      expect((await verifyRecording(reader)).findings).toMatchObject([
        { kind: 'damage', where: `some.mcap, offset ${whole.length - 8}` },
      ])
      expect((await rejectionOf(readIds(reader))).code).toBe('MESH_ERR_FILE_CORRUPT')
      const stream = await openRecordingStream(pieces(twice, 997), 'stdin')
      expect(await rejectionOf(readIds(stream))).toMatchObject({ code: 'MESH_ERR_FILE_CORRUPT' })
    })
  })
})

describe('a cut recording with a wrong byte', () => {
  it('gives what came before it and then an error, where it hides what comes after', async () => {
    await withFolder(async (folder) => {
      const whole = await smallRecording(join(folder, 'whole.mcap'))
      const chunks = recordsOf(whole).filter(({ opcode }) => opcode === OPCODE.chunk)
      const cut = whole.subarray(0, chunks.at(-1)?.offset)
      const wrong = Buffer.from(cut)
      // Another record of the same length: it would be passed over as one that is not known.
      wrong[chunks[1]?.offset ?? 0] = 0x86
      const reader = await openBytes(wrong)
      expect((await rejectionOf(readIds(reader))).code).toBe('MESH_ERR_FILE_CORRUPT')
      expect((await verifyRecording(reader)).findings).toMatchObject([
        { kind: 'damage', what: 'expected a record of a recording, found a message index without its chunk' },
      ])
    })
  })
})

describe('verify', () => {
  it('finds nothing wrong with a sound recording, and tells what is in it', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a.mcap')
      await smallRecording(path)
      const reader = await openRecording(path)
      expect(await verifyRecording(reader)).toMatchObject({
        ending: 'closed',
        parts: 1,
        chunks: 4,
        exchanges: 3,
        lateResponses: 1,
        unreadableBytes: 0,
        findings: [],
      })
      await reader.close()
    })
  })

  it('finds a ledger that does not balance', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a.mcap')
      const recorder = await TestRecorder.open({
        openPart: fileParts(path),
        takeLedgerDelta: () => {
          const delta = recorder.ledger.takeDelta()
          delta.requests.seen += 1
          return delta
        },
      })
      await recorder.writer.close()
      const reader = await openRecording(path)
      const { findings } = await verifyRecording(reader)
      expect(findings).toEqual([
        {
          kind: 'ledger',
          where: 'recording-1',
          what: 'expected the fates of requests to add up to those seen, found 1 unexplained',
        },
      ])
      await reader.close()
    })
  })

  it('finds exchanges that the ledger does not tell of', async () => {
    await withFolder(async (folder) => {
      const path = join(folder, 'a.mcap')
      const recorder = await TestRecorder.open({ openPart: fileParts(path) })
      recorder.writer.write(exchange({ response: 'absent' }))
      await recorder.writer.close()
      const reader = await openRecording(path)
      const { findings } = await verifyRecording(reader)
      expect(findings).toEqual([
        { kind: 'count', where: 'recording-1', what: 'expected the 0 requests that the ledger tells of, found 1' },
      ])
      await reader.close()
    })
  })
})
