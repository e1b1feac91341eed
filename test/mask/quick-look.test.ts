import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { latin1, latin1Bytes } from '../../src/core/bytes.ts'
import { createMasker } from '../../src/mask/masker.ts'
import { message } from '../support/exchanges.ts'

const KEY = Buffer.alloc(32, 7)
const quick = createMasker(KEY)
/** A rule about fields turns the quick look off: then every target and every body is walked. */
const thorough = createMasker(KEY, ['field:no-such-field'])

const words = [
  ...[
    'password',
    'Passwords',
    'userToken',
    'user',
    'id',
    'sid',
    'session_id',
    'api-key',
    'pin',
    'spin',
    'x[otp]',
    'otp',
    'csrf',
  ],
  ...[
    'pass',
    'word',
    'to',
    'ken',
    'jwt',
    'author',
    'auth',
    '_',
    '-',
    '.',
    'Secret',
    'x'.repeat(70),
    '1',
    'a',
    'card_number',
  ],
]
const jsonPiece = fc.constantFrom(
  ...words,
  ...[
    '"',
    '"',
    '"',
    ':',
    ':',
    ':',
    '":"',
    '":"',
    '","',
    '{"',
    '"}',
    '[',
    ']',
    '{',
    '}',
    ',',
    ' ',
    '\n',
    '\t',
    '\r',
    '\v',
  ],
  ...['\\', '\\"', '\\\\', '\\u0070', 'p\\u0061ss', '\\/', '\u00E9', '12', 'true', 'null'],
)
const targetPiece = fc.constantFrom(
  ...words,
  ...[
    '?',
    '?',
    '&',
    '&',
    '=',
    '=',
    '=',
    ';',
    '/',
    '#',
    '@',
    ':',
    '//',
    '%5F',
    '%',
    '+',
    ' ',
    '\t',
    '\r',
    '\u00A0',
    '\u00E9',
  ],
  ...['HTTP/1.1', 'http://', 'a=1', '[', ']', '"'],
)

function textOf(pieces: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.array(pieces, { maxLength: 24 }).map((all) => all.join(''))
}

describe('the quick look for secrets', () => {
  it('never lets a JSON body pass that a thorough one would mask', () => {
    fc.assert(
      fc.property(textOf(jsonPiece), (text) => {
        const post = { ...message(['POST / HTTP/1.1', 'Content-Type: application/json']), body: latin1Bytes(text) }
        expect(latin1(quick.maskMessage(post).body)).toBe(latin1(thorough.maskMessage(post).body))
      }),
      { numRuns: 20_000 },
    )
  })

  it('never lets a request line pass that a thorough one would mask', () => {
    fc.assert(
      fc.property(fc.constantFrom('GET ', 'GET /', 'GET /?', ''), textOf(targetPiece), (start, text) => {
        const get = { ...message([]), head: latin1Bytes(`${start}${text} HTTP/1.1\r\n\r\n`) }
        expect(latin1(quick.maskMessage(get).head)).toBe(latin1(thorough.maskMessage(get).head))
      }),
      { numRuns: 20_000 },
    )
  })

  it.each([
    '{"password":"S"}',
    '{"password" \r\n\t:"S"}',
    '{"a\\"_password":"S"}',
    '{"\\u0070assword":"S"}',
    '{"pass\\u0077ord":"S"}',
    `{"${'long-'.repeat(30)}password":"S"}`,
    '{"a":"x:y","b":{"clientSecret":"S"}}',
    '"token":"S',
  ])('sees the secret in %s', (text) => {
    const masked = quick.maskMessage(message(['POST / HTTP/1.1', 'Content-Type: application/json'], text))
    expect(latin1(masked.body)).not.toContain('"S')
  })

  it.each([
    '/?token=S',
    '/?a=1&+token=S',
    '/?tok%65n=S',
    '/?a=1;token=S',
    '/a;token=S/b',
    '/?a#token=S',
    `/?${'long-'.repeat(30)}token=S`,
    'http://u:S@h/',
  ])('sees the secret in the target %s', (target) => {
    const masked = quick.maskMessage(message([`GET ${target} HTTP/1.1`]))
    expect(latin1(masked.head)).not.toMatch(/[=:]S/)
  })

  it('gives back the same array where there is none', () => {
    const plain = message(
      ['GET /a?page=1&sort=b;c=d HTTP/1.1', 'Content-Type: application/json'],
      '{"name":"token","id":1}',
    )
    expect(quick.maskMessage(plain)).toBe(plain)
  })
})
