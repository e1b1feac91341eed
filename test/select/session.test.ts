import { describe, expect, it } from 'vitest'
import { sampleSessions } from '../../src/select/sample.ts'
import { compileSession, defaultSessionKey } from '../../src/select/session.ts'
import { exchange, message } from '../support/exchanges.ts'

function withHeaders(...lines: string[]): ReturnType<typeof exchange> {
  return exchange({ request: message(['GET / HTTP/1.1', 'Host: a', ...lines]) })
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
