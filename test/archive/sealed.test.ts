import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { openRecordings } from '../../src/archive/open.ts'
import { decodeOriginals } from '../../src/archive/originals-decoder.ts'
import { OriginalsEncoder } from '../../src/archive/originals-encoder.ts'
import { reflectedType } from '../../src/archive/protobuf.ts'
import { openPartBytes, readParts } from '../../src/archive/reader.ts'
import { openRecordingStream } from '../../src/archive/stream-reader.ts'
import { verifyRecording } from '../../src/archive/verify.ts'
import { NO_BYTES } from '../../src/core/bytes.ts'
import type { Exchange } from '../../src/core/exchange.ts'
import type { Change } from '../../src/core/originals.ts'
import type { OpenSeal } from '../../src/core/recording.ts'
import { createSealingKey, openSealingKey } from '../../src/mask/sealing-key.ts'
import type { SealingKey } from '../../src/mask/sealing-key.ts'
import { rejectionOf, thrownBy } from '../support/errors.ts'
import { exchange, message, response } from '../support/exchanges.ts'
import {
  anyExchange,
  collect,
  memoryBytes,
  MemoryDisk,
  plain,
  recordingInfo,
  TestRecorder,
} from '../support/recordings.ts'
import { ageKeys, received, receivedLate, withAnyOriginals } from '../support/sealed.ts'

let key: SealingKey
let openSeal: OpenSeal

beforeAll(async () => {
  const { identity, recipient } = await ageKeys()
  key = await createSealingKey([recipient])
  openSeal = async ({ seal }, where) =>
    seal === undefined ? undefined : await openSealingKey(seal.key, [identity], where)
})

/** A recorder that seals. */
async function sealingRecorder(disk: MemoryDisk): Promise<TestRecorder> {
  const seal = { key: key.encrypted, recipients: 1, maskRules: ['field:email', 'header:x-shop'] }
  return TestRecorder.open({ openPart: disk.openPart, seal: key.seal, info: recordingInfo({ seal }) })
}

async function sealedBytes(chunks: readonly (readonly Exchange[])[]): Promise<Uint8Array> {
  const disk = new MemoryDisk()
  const recorder = await sealingRecorder(disk)
  for (const chunk of chunks) {
    for (const one of chunk) recorder.write(one)
    recorder.writer.flush()
  }
  await recorder.writer.close()
  return disk.parts[0] ?? new Uint8Array(0)
}

async function restoredFrom(bytes: Uint8Array): Promise<Exchange[]> {
  const reader = await readParts([await openPartBytes(memoryBytes('some.mcap', bytes), openSeal)])
  return (await collect(reader.exchanges())).map(plain)
}

async function* inPieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length)
}

const change = (start: number, end: number, text: string): Change => ({ start, end, original: Buffer.from(text) })
const NOTHING = { head: [], body: [], trailers: [], wasWhole: false }

/** A login whose password was masked, and the cookie that answers it. */
const LOGIN = exchange({
  request: message(['POST /login HTTP/1.1'], 'password=mesh-0123456789abcdef'),
  response: response(['HTTP/1.1 200 OK', 'Set-Cookie: sid=mesh-fedcba9876543210']),
  session: 'sid=mesh-fedcba9876543210',
  originals: {
    session: 'sid=battery staple',
    request: { ...NOTHING, body: [change(9, 30, 'correct horse')] },
    response: { ...NOTHING, head: [change(33, 54, 'battery staple')] },
  },
})

describe('a sealed recording', () => {
  it('gives exchanges back as they were received, however they lie in chunks', async () => {
    const chunks = fc.array(
      fc.array(
        anyExchange.chain((one) => withAnyOriginals(one)),
        { maxLength: 4 },
      ),
      { maxLength: 4 },
    )
    await fc.assert(
      fc.asyncProperty(chunks, async (given) => {
        const numbered = given.map((chunk, row) => chunk.map((one, index) => ({ ...one, id: row * 10 + index })))
        const byId = new Map((await restoredFrom(await sealedBytes(numbered))).map((one) => [one.id, one]))
        for (const one of numbered.flat()) expect(byId.get(one.id)).toEqual(plain(received(one)))
      }),
      { numRuns: 40 },
    )
  })

  it('gives them masked to who has no key, and holds no original in plain bytes', async () => {
    const bytes = await sealedBytes([[LOGIN]])
    const reader = await readParts([await openPartBytes(memoryBytes('some.mcap', bytes))])
    const [found] = (await collect(reader.exchanges())).map(plain)
    expect(Buffer.from(found?.request.body ?? []).toString()).toBe('password=mesh-0123456789abcdef')
    expect(found).not.toHaveProperty('originals')
    expect(reader.info.seal).toEqual({
      key: key.encrypted,
      recipients: 1,
      maskRules: ['field:email', 'header:x-shop'],
    })
    expect(await verifyRecording(reader)).toMatchObject({ findings: [] })
    await reader.close()
  })

  it('is restored from a stream, cut into any pieces', async () => {
    const bytes = await sealedBytes([[LOGIN], [{ ...LOGIN, id: 2, requestFirstNs: 1e9 }]])
    for (const length of [1, 1000, bytes.length]) {
      const reader = await openRecordingStream(inPieces(bytes, length), 'stdin', undefined, openSeal)
      const found = (await collect(reader.exchanges())).map(({ request }) => Buffer.from(request.body).toString())
      expect(found).toEqual(['password=correct horse', 'password=correct horse'])
    }
  })

  it('restores late responses', async () => {
    const disk = new MemoryDisk()
    const recorder = await sealingRecorder(disk)
    recorder.write({ ...exchange({ id: 5, response: 'late' }) })
    recorder.writer.flush()
    const late = {
      exchangeId: 5,
      response: response(['HTTP/1.1 200 OK', 'Set-Cookie: sid=mesh-fedcba9876543210']),
      originals: {
        session: undefined,
        request: undefined,
        response: { ...NOTHING, head: [change(33, 54, 'battery staple')] },
      },
    }
    recorder.writeLate(late)
    await recorder.writer.close()
    const [found] = await restoredFrom(disk.parts[0] ?? new Uint8Array(0))
    expect(found).toEqual(plain(exchange({ id: 5, response: receivedLate(late).response })))
  })

  it('keeps the originals of each whole chunk where a crash cut it', async () => {
    const bytes = await sealedBytes([[LOGIN], [{ ...LOGIN, id: 2, requestFirstNs: 1e9 }]])
    const { parts } = await readParts([await openPartBytes(memoryBytes('some.mcap', bytes))])
    const second = parts[0]?.contents.chunks[1]?.offset ?? 0
    const found = await restoredFrom(bytes.subarray(0, second + 50))
    expect(found.map(({ request }) => Buffer.from(request.body).toString())).toEqual(['password=correct horse'])
  })

  it('refuses originals that were changed since, though the checksums hold', async () => {
    const sealed = key.seal(new Uint8Array(10))
    const disk = new MemoryDisk()
    const seal = { key: key.encrypted, recipients: 1, maskRules: [] }
    const damaging = (): Uint8Array => sealed.with(20, (sealed[20] ?? 0) ^ 1)
    const recorder = await TestRecorder.open({ openPart: disk.openPart, seal: damaging, info: recordingInfo({ seal }) })
    recorder.write(LOGIN)
    await recorder.writer.close()
    const error = await rejectionOf(restoredFrom(disk.parts[0] ?? new Uint8Array(0)))
    expect(error).toMatchObject({
      code: 'MESH_ERR_FILE_CORRUPT',
      where: expect.stringMatching(/^some\.mcap, offset \d+$/),
    })
    expect(error.message).toContain('as they were sealed')
  })

  it('leaves recordings that are not sealed as they are', async () => {
    const fixture = new URL('../../fixtures/recordings/everything.mcap', import.meta.url).pathname
    const nothing = inPieces(new Uint8Array(0), 1)
    const restored: Exchange[] = []
    for (const reader of await openRecordings([fixture], nothing, 'one', openSeal)) {
      restored.push(...(await collect(reader.exchanges())))
      await reader.close()
    }
    const masked: Exchange[] = []
    for (const reader of await openRecordings([fixture], nothing)) {
      masked.push(...(await collect(reader.exchanges())))
      await reader.close()
    }
    expect(restored).toHaveLength(19)
    expect(restored).toEqual(masked)
  })
})

describe('the originals of a chunk', () => {
  it('are written as protobuf says', () => {
    const encoder = new OriginalsEncoder()
    const head = [change(10, 31, 'battery staple'), change(300, 321, 'battery staple')]
    encoder.add(0, {
      session: undefined,
      request: { head, body: [], trailers: [], wasWhole: false },
      response: undefined,
    })
    encoder.add(70_000, {
      session: 'sid=1',
      request: undefined,
      response: { head: [], body: [change(0, 0, 'gone')], trailers: [change(1, 2, '')], wasWhole: true },
    })
    const type = reflectedType('mesh.v1.Originals')
    expect(type.decode(encoder.borrow())).toEqual({
      values: ['battery staple', 'gone', '', 'sid=1'].map((text) => Buffer.from(text)),
      exchanges: [
        { request: { head: [10, 21, 0, 300, 21, 0] } },
        { exchange_id: 70_000, response: { body: [0, 0, 1], trailers: [1, 1, 2], was_whole: true }, session: 4 },
      ],
    })
  })

  it('are read as protobuf writes them, and refused where a value is missing', () => {
    const type = reflectedType('mesh.v1.Originals')
    const body = [2, 3, 0]
    const entry = { exchange_id: 9, request: { body } }
    const bytes = type.encode({ values: [Buffer.from('gone')], exchanges: [entry] })
    expect(decodeOriginals(bytes).get(9)?.request?.body).toEqual([
      { start: 2, end: 5, original: Uint8Array.from(Buffer.from('gone')) },
    ])
    expect(() => decodeOriginals(type.encode({ exchanges: [entry] }))).toThrow(/one of 0 sealed values, found number 0/)
    expect(() => decodeOriginals(bytes.subarray(0, bytes.length - 1))).toThrow(/longer than its message/)
  })
})

describe('hostile originals', () => {
  const type = reflectedType('mesh.v1.Originals')

  it.each([
    ['values', { values: [NO_BYTES, NO_BYTES, NO_BYTES, NO_BYTES] }],
    ['exchanges', { exchanges: [{}, {}, {}, {}] }],
    ['changes', { values: [NO_BYTES], exchanges: [{ request: { body: [0, 0, 0, 0, 0, 0] } }] }],
  ])('of more %s than their limit are refused', (_, fields) => {
    const bytes = type.encode(fields)
    expect(thrownBy(() => decodeOriginals(bytes, 3)).code).toBe('MESH_ERR_LIMIT')
    expect(decodeOriginals(bytes, 4)).toBeInstanceOf(Map)
  })
})

describe('the key of a recording', () => {
  it('opens for each of those it was sealed for, and for nobody else', async () => {
    const [ann, bob, eve] = [await ageKeys(), await ageKeys(), await ageKeys()]
    const { encrypted, seal } = await createSealingKey([ann.recipient, bob.recipient])
    const box = seal(Buffer.from('originals'))
    for (const identities of [[ann.identity], [eve.identity, bob.identity]]) {
      const unseal = await openSealingKey(encrypted, identities, 'a.mcap')
      expect(Buffer.from(unseal?.(box) ?? []).toString()).toBe('originals')
    }
    expect(await openSealingKey(encrypted, [eve.identity], 'a.mcap')).toBeUndefined()
  })

  it.each([
    ['is no age file', 'nothing'],
    [
      'is cut',
      '-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVuY3J5cHRpb24ub3JnL3YxCg==\n-----END AGE ENCRYPTED FILE-----\n',
    ],
  ])('is refused where it %s', async (_, text) => {
    const { identity } = await ageKeys()
    const error = await rejectionOf(openSealingKey(text, [identity], 'a.mcap'))
    expect(error).toMatchObject({ code: 'MESH_ERR_FILE_CORRUPT', where: 'a.mcap' })
    expect(error.message).not.toContain(identity)
  })
})

describe('the format page', () => {
  it('tells how the key and the originals are encrypted', async () => {
    const page = await readFile(new URL('../../docs/recording-format.md', import.meta.url), 'utf8')
    for (const word of ['seal_key', 'seal_recipients', 'seal_mask_rules', 'AES-256-GCM', 'mesh.v1.Sealed']) {
      expect(page).toContain(word)
    }
  })
})
