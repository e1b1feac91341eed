import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { latin1, latin1Bytes, utf8Bytes } from '../../src/core/bytes.ts'
import type { Change } from '../../src/core/originals.ts'
import { restoreBytes } from '../../src/core/restore.ts'
import { bodyChanges, lineChanges } from '../../src/mask/changes.ts'
import { createMasker } from '../../src/mask/masker.ts'
import { thrownBy } from '../support/errors.ts'
import { message } from '../support/exchanges.ts'

const masker = createMasker(Buffer.alloc(32, 7))

function originalTexts(changes: readonly Change[]): string[] {
  return changes.map(({ original }) => latin1(original))
}

/** What is kept of a head with these header lines. */
function keptOfHead(...lines: string[]): string[] {
  const received = message(['GET /a HTTP/1.1', ...lines])
  const masked = masker.maskMessage(received)
  const changes = lineChanges(received.head, masked.head)
  expect(latin1(restoreBytes(masked.head, changes))).toBe(latin1(received.head))
  return originalTexts(changes)
}

function keptOfBody(type: string, body: Uint8Array, ...lines: string[]): string[] {
  const received = message(['POST / HTTP/1.1', `Content-Type: ${type}`, ...lines], '', { body })
  const masked = masker.maskMessage(received)
  const changes = bodyChanges(received.body, masked.body)
  expect(latin1(restoreBytes(masked.body, changes))).toBe(latin1(received.body))
  return originalTexts(changes)
}

describe('what has to change in a masked message to have it as it was', () => {
  it.each([
    ['each cookie by itself', ['Cookie: sid=s3cret-1; theme=dark; lang=en'], ['s3cret-1', 'dark', 'en']],
    ['an escaped value as it was written', ['Cookie: sid=a%3Db'], ['a%3Db']],
    ['the token, not its scheme', ['Authorization: Bearer abc.def'], ['abc.def']],
    [
      'of a JSON Web Token the signature',
      ['Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2ln'],
      ['c2ln'],
    ],
    ['values of two lines apart', ['X-Api-Key: k1', 'Accept: */*', 'Cookie: a=1'], ['k1', '1']],
  ])('of a head is %s', (_, lines, expected) => {
    expect(keptOfHead(...lines).join('|')).toBe(expected.join('|'))
  })

  it('of a value that is folded over two lines, which its mask is not, are both', () => {
    expect(keptOfHead('X-Api-Key: k1\r\n and more', 'Accept: */*').slice(0, 2)).toEqual(['k1', ' and more'])
  })

  it('of basic credentials is no other line', () => {
    const [kept = '', ...others] = keptOfHead(
      `Authorization: Basic ${Buffer.from('ann:hunter2').toString('base64')}`,
      'X-Last: 1',
    )
    expect(others).toEqual([])
    expect(Buffer.from('ann:hunter2').toString('base64')).toContain(kept)
  })

  it.each([
    ['JSON', 'application/json', '{"user":"ann","password":"p\\u0041ss","n":1,"token":"t-1"}', ['p\\u0041ss', 't-1']],
    ['a number, without the quotes of its mask', 'application/json', '{"pin": 1234, "n": 5}', ['1234']],
    ['a form, plus signs kept', 'application/x-www-form-urlencoded', 'user=ann&password=a+b%20c&x=1', ['a+b%20c']],
    ['UTF-8', 'application/json', '{"password":"pässwörd"}', [latin1(utf8Bytes('pässwörd'))]],
    ['text that looks like a pseudonym in part', 'application/json', '{"password":"mesh-0123","a":1}', ['0123']],
  ])('of %s is the value as it was written', (_, type, body, expected) => {
    expect(keptOfBody(type, utf8Bytes(body))).toEqual(expected)
  })

  it('of a compressed body is the body', () => {
    const body = gzipSync('{"password":"hunter2","pages":[1,2,3]}')
    const kept = keptOfBody('application/json', body, 'Content-Encoding: gzip')
    expect(kept).toHaveLength(1)
    expect(kept[0]?.length).toBeLessThanOrEqual(body.length)
  })

  it('makes any bytes of any others', () => {
    const piece = fc.oneof(
      fc.constantFrom('mesh-0123456789abcdef', '"', '\r\n', 'mesh-', '; b=', 'Cookie: a='),
      fc.string({ maxLength: 12 }),
    )
    const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''))
    const bytes = fc.oneof(
      text.map((all) => utf8Bytes(all)),
      fc.uint8Array({ maxLength: 60 }),
    )
    fc.assert(
      fc.property(bytes, bytes, (original, masked) => {
        for (const changesOf of [lineChanges, bodyChanges]) {
          expect(latin1(restoreBytes(masked, changesOf(original, masked)))).toBe(latin1(original))
        }
      }),
    )
  })

  it('is one change from some number of changes on', () => {
    const [original, masked] = [latin1Bytes('a\n'.repeat(70_000)), latin1Bytes('b\n'.repeat(70_000))]
    const changes = lineChanges(original, masked)
    expect(changes).toHaveLength(65_537)
    expect(latin1(restoreBytes(masked, changes))).toBe(latin1(original))
  })

  it('takes time by the length of a body that is nothing but secrets', () => {
    const values = Array.from({ length: 20_000 }, (_, index) => `"token":"value-${index}"`)
    expect(keptOfBody('application/json', utf8Bytes(`[{${values.join('},{')}}]`))).toHaveLength(20_000)
  })
})

describe('restoring', () => {
  it.each([
    ['overlap', [change(0, 4), change(2, 5)]],
    ['end before they start', [change(4, 2)]],
    ['go beyond the end', [change(8, 11)]],
    ['make more than a message can have', [change(0, 0, new Uint8Array(41 * 1024 * 1024))]],
  ])('refuses changes that %s', (_, changes) => {
    expect(thrownBy(() => restoreBytes(latin1Bytes('0123456789'), changes)).code).toBe('MESH_ERR_FILE_CORRUPT')
  })

  function change(start: number, end: number, original: Uint8Array = new Uint8Array(1)): Change {
    return { start, end, original }
  }
})
