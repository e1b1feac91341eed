import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { latin1Bytes } from '../../src/core/bytes.ts'
import { headerValue, headerValues, parseHead } from '../../src/core/head.ts'
import { sampleSessions } from '../../src/select/sample.ts'
import { compileSession, defaultSessionKey } from '../../src/select/session.ts'
import { exchange, message } from '../support/exchanges.ts'

function withHeaders(...lines: string[]): ReturnType<typeof exchange> {
  return exchange({ request: message(['GET / HTTP/1.1', 'Host: a', ...lines]) })
}

/** Pieces of heads, odd ones included: what is read in bytes has to be what a parser of whole heads finds. */
const headPiece = fc.constantFrom(
  ...[
    'Cookie: ',
    'cookie:',
    'COOKIE :',
    ' Cookie: ',
    'Cookies: ',
    'Authorization:',
    'aUTHORIZATION: ',
    'Host: a',
    ': x',
  ],
  ...['sid', 'PHPSESSID', 'theme', 'my sess', ' ', '\t', '=', ';', '; ', '"a"', 'Bearer t', '\u00A0', '\u00E9', '\r'],
  ...['\r\n', '\r\n', '\r\n', '\n', '\r\n ', '\r\n\t'],
)

/** The session cookie by the fields of the parsed head, with the two names that the pieces have. */
function keyByFields(head: Uint8Array): string {
  const parsed = parseHead(head)
  for (const line of headerValues(parsed, 'cookie')) {
    for (const pair of line.split(';')) {
      const [name = '', ...rest] = pair.split('=')
      const value = rest.join('=').trim()
      if (value !== '' && /^(?:.*sess(?:id)?|sid)$/.test(name.trim().toLowerCase())) return `${name.trim()}=${value}`
    }
  }
  const authorization = headerValue(parsed, 'authorization') ?? ''
  return authorization === '' ? '' : `authorization=${authorization}`
}

describe('the session of an exchange', () => {
  it.each([
    ['Cookie: theme=dark; PHPSESSID=abc', 'PHPSESSID=abc'],
    ['Cookie: connect.sid=s%3A1; a=b', 'connect.sid=s%3A1'],
    ['Cookie: sid=1', 'sid=1'],
    ['Cookie: sessionid=42', 'sessionid=42'],
    ['Cookie: theme=dark', ''],
    ['Cookie: side=left', ''],
    ['Authorization: Bearer t1', 'authorization=Bearer t1'],
    ['X-Other: 1', ''],
  ])('of %s is "%s"', (line, key) => {
    expect(defaultSessionKey(withHeaders(line))).toBe(key)
  })

  it('is the session cookie before the authorization', () => {
    expect(defaultSessionKey(withHeaders('Authorization: Bearer t', 'Cookie: sid=9'))).toBe('sid=9')
  })

  it.each([
    ['Cookie: a=b;\r\n sid=9', 'sid=9'],
    ['Cookie: sid=\r\n\t9', 'sid=9'],
    ['Authorization: Bearer\r\n t', 'authorization=Bearer t'],
  ])('is found where %j is folded', (line, key) => {
    expect(defaultSessionKey(withHeaders(line))).toBe(key)
  })

  it('is found among the fields of HTTP/2', () => {
    const head = latin1Bytes(':method: GET\r\ncookie: sid=9\r\n\r\n')
    expect(defaultSessionKey(exchange({ request: { ...message([]), head } }))).toBe('sid=9')
  })

  it('is what the fields of the parsed head say', () => {
    const texts = fc.array(headPiece, { maxLength: 20 }).map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(fc.constantFrom('GET / HTTP/1.1\r\n', ':path: /\r\n', ''), texts, (start, rest) => {
        const head = latin1Bytes(`${start}${rest}\r\n\r\n`)
        expect(defaultSessionKey(exchange({ request: { ...message([]), head } }))).toBe(keyByFields(head))
      }),
      { numRuns: 2000 },
    )
  })

  it('follows an expression, and falls back to none where it cannot be evaluated', () => {
    const session = compileSession('request.headers["x-user"]')
    expect(session(withHeaders('X-User: 42'))).toBe('42')
    expect(session(withHeaders())).toBe('')
  })
})

describe('sampleSessions', () => {
  it('keeps about its share of sessions, the same ones every time', () => {
    const keys = Array.from({ length: 20_000 }, (_, index) => `session-${index}`)
    const kept = keys.filter(sampleSessions(0.1))
    expect(kept.length / keys.length).toBeGreaterThan(0.09)
    expect(kept.length / keys.length).toBeLessThan(0.11)
    expect(keys.filter(sampleSessions(0.1))).toEqual(kept)
    const more = new Set(keys.filter(sampleSessions(0.3)))
    expect(kept.every((key) => more.has(key))).toBe(true)
  })
})
