import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concatBytes, utf8, utf8Bytes } from '../../../src/core/bytes.ts'
import type { GorRecord } from '../../../src/capture/gor/record-parser.ts'
import { GOR_SEPARATOR, GorRecordParser } from '../../../src/capture/gor/record-parser.ts'

/** A record as GoReplay writes it: type, id, time, latency, the payload, the separator. */
function record(meta: string, payload: string): Uint8Array {
  return concatBytes([utf8Bytes(`${meta}\n${payload}`), GOR_SEPARATOR])
}

const ID = '932079936fa4306fc308d67588178d17d823647c'
const FIRST = record(`1 ${ID} 1439818823587396305`, 'GET /a HTTP/1.1\r\nHost: a\r\n\r\n')
const SECOND = record(`2 ${ID} 1439818823587396306 -1`, 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx')

function parse(pieces: readonly Uint8Array[]): { records: GorRecord[]; malformed: number } {
  const parser = new GorRecordParser()
  const records = [...pieces.flatMap((piece) => parser.push(piece)), ...parser.end()]
  return { records, malformed: parser.malformed }
}

function summary(records: readonly GorRecord[]): string[] {
  return records.map(({ kind, id, unixNs, payload }) => `${kind} ${id} ${unixNs} ${utf8(payload)}`)
}

describe('GorRecordParser', () => {
  it('reads records with three and with four meta fields and any id', () => {
    expect(summary(parse([FIRST, SECOND]).records)).toEqual([
      `request ${ID} 1439818823587396305 GET /a HTTP/1.1\r\nHost: a\r\n\r\n`,
      `response ${ID} 1439818823587396306 HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx`,
    ])
  })

  it('reads a last record that lacks its separator', () => {
    expect(parse([FIRST, SECOND.subarray(0, -GOR_SEPARATOR.length)]).records).toHaveLength(2)
  })

  it('takes of a stream that was broken off the records with their separator, and counts the rest', () => {
    const parser = new GorRecordParser()
    const kept = [...parser.push(concatBytes([FIRST, SECOND])), ...parser.cut()]
    expect([kept.length, parser.malformed]).toEqual([2, 0])
    const half = new GorRecordParser()
    const cut = [...half.push(concatBytes([FIRST, SECOND.subarray(0, 50)])), ...half.cut()]
    expect([summary(cut), half.malformed]).toEqual([summary(kept.slice(0, 1)), 50])
  })

  it('keeps a payload whole that holds the separator itself', () => {
    const tricky = record('1 abc 5 -1', 'POST / HTTP/1.1\r\n\r\nbefore\n🐵🙈🙉\nafter')
    const { records } = parse([tricky, FIRST])
    expect(records).toHaveLength(2)
    expect(utf8(records[0]?.payload ?? utf8Bytes(''))).toContain('before\n🐵🙈🙉\nafter')
  })

  it('takes the extra line feed that GoReplay leaves between two instances', () => {
    expect(parse([FIRST, utf8Bytes('\n'), SECOND]).records.map(({ kind }) => kind)).toEqual(['request', 'response'])
  })

  it('counts what is no record and goes on with the next', () => {
    const { records, malformed } = parse([record('9 what is this', 'x'), FIRST])
    expect(records).toHaveLength(1)
    expect(malformed).toBeGreaterThan(0)
  })

  it('says where each record begins', () => {
    expect(parse([FIRST, SECOND]).records.map(({ offset }) => offset)).toEqual([0, FIRST.length])
  })

  it('reads the same records however the bytes are split', () => {
    const payload = fc.string({ unit: fc.constantFrom('a', '\n', '🐵🙈🙉', '1 b 2', '\r\n', ' '), maxLength: 12 })
    const messages = fc.array(fc.tuple(fc.integer({ min: 1, max: 9_999 }), payload), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(messages, fc.array(fc.nat(200), { maxLength: 12 }), (list, cuts) => {
        const bytes = concatBytes(list.map(([time, text]) => record(`1 id${time} ${time} -1`, `GET /${text}`)))
        const places = [...new Set(cuts.map((cut) => cut % bytes.length))].sort((a, b) => a - b)
        const pieces = [...places, bytes.length].map((end, index) => bytes.subarray(places[index - 1] ?? 0, end))
        expect(summary(parse(pieces).records)).toEqual(summary(parse([bytes]).records))
      }),
    )
  })
})
