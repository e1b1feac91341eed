import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { latin1, utf8 } from '../../src/core/bytes.ts'
import { createMasker } from '../../src/mask/masker.ts'
import { holdsPseudonym } from '../../src/mask/pseudonym.ts'
import { thrownBy } from '../support/errors.ts'
import { exchange, message, response } from '../support/exchanges.ts'

const KEY = Buffer.alloc(32, 7)
const SECRET = 'hunter2-very-secret'

function maskedHead(...lines: string[]): string {
  return latin1(createMasker(KEY).maskMessage(message(lines)).head)
}

function maskedBody(type: string, body: string): string {
  return utf8(createMasker(KEY).maskMessage(message(['POST / HTTP/1.1', `Content-Type: ${type}`], body)).body)
}

const P = createMasker(KEY).maskSession(SECRET, 'value')

describe('masking a head', () => {
  it.each([
    ['Cookie: sid=hunter2-very-secret; theme=dark', `Cookie: sid=${P}; theme=mesh-`],
    ['Set-Cookie: sid=hunter2-very-secret; Path=/; HttpOnly', `Set-Cookie: sid=${P}; Path=/; HttpOnly`],
    ['Authorization: Bearer hunter2-very-secret', `Authorization: Bearer ${P}`],
    ['authorization:hunter2-very-secret', `authorization:${P}`],
    ['X-Api-Key: hunter2-very-secret', `X-Api-Key: ${P}`],
    ['X-CSRF-Token: hunter2-very-secret', `X-CSRF-Token: ${P}`],
    ['Referer: http://a/b?token=hunter2-very-secret&x=1', `Referer: http://a/b?token=${P}&x=1`],
    ['Location: /next?access_token=hunter2-very-secret#top', `Location: /next?access_token=${P}#top`],
  ])('replaces the value in %s and nothing else', (line, expected) => {
    const head = maskedHead('GET / HTTP/1.1', 'Host: a', line, 'X-Last: kept')
    expect(head).toContain(expected)
    expect(head).not.toContain(SECRET)
    expect(head).toContain('GET / HTTP/1.1\r\nHost: a\r\n')
    expect(head.endsWith('\r\nX-Last: kept\r\n\r\n')).toBe(true)
  })

  it('replaces secrets in the query of the target, however they are escaped', () => {
    const plain = maskedHead('GET /login?user=ann&password=hunter2-very-secret HTTP/1.1')
    const escaped = maskedHead('GET /login?user=ann&password=hunter2%2dvery%2dsecret HTTP/1.1')
    expect(plain).toBe(`GET /login?user=ann&password=${P} HTTP/1.1\r\n\r\n`)
    expect(escaped).toBe(plain)
  })

  it('keeps the user of basic credentials and masks the password', () => {
    const head = maskedHead('GET / HTTP/1.1', `Authorization: Basic ${Buffer.from(`ann:${SECRET}`).toString('base64')}`)
    const encoded = /Basic (\S+)/.exec(head)?.[1] ?? ''
    expect(Buffer.from(encoded, 'base64').toString()).toBe(`ann:${P}`)
  })

  it('keeps header and claims of a JSON Web Token and masks its signature', () => {
    const token = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl'
    const head = maskedHead('GET / HTTP/1.1', `Authorization: Bearer ${token}`)
    expect(head).toMatch(/Bearer eyJhbGciOiJIUzI1NiJ9\.eyJzdWIiOiI0MiJ9\.mesh-[0-9a-f]{16}\r\n/)
  })

  it('masks a folded header as one value', () => {
    expect(maskedHead('GET / HTTP/1.1', 'Cookie: a=1;\r\n sid=hunter2-very-secret')).not.toContain(SECRET)
  })

  it('leaves names alone that only look like secrets', () => {
    const lines = ['GET /?author=ann&tokens_used=3 HTTP/1.1', 'X-Passenger: 1', 'Accept: */*']
    expect(maskedHead(...lines)).toBe(`${lines.join('\r\n')}\r\n\r\n`)
  })

  it('gives back the same bytes where there is nothing to mask', () => {
    const plain = message(['GET / HTTP/1.1', 'Host: a'])
    expect(createMasker(KEY).maskMessage(plain)).toBe(plain)
  })
})

describe('masking a body', () => {
  it('masks secret fields of JSON and keeps every other byte', () => {
    const body = '{ "user":"ann",  "password" : "hunter2-very-secret", "n": [1, 2.50], "clientSecret":"x" }'
    expect(maskedBody('application/json', body)).toMatch(
      /^\{ "user":"ann", {2}"password" : "mesh-[0-9a-f]{16}", "n": \[1, 2\.50\], "clientSecret":"mesh-[0-9a-f]{16}" \}$/,
    )
  })

  it('masks everything inside a secret field that is a list or an object, and nothing after it', () => {
    const body = '{"tokens":[{"v":"one"},"two",3],"after":"kept"}'
    const masked = maskedBody('application/json; charset=utf-8', body)
    expect(masked).not.toMatch(/one|two|3\]/)
    expect(masked).toContain('"after":"kept"')
    expect(JSON.parse(masked)).toHaveProperty('tokens')
  })

  it.each([
    'password',
    'newPassword',
    'password_confirmation',
    'secret_key',
    'refresh_token',
    'apiKey',
    'csrfToken',
    'pin',
    'tokens',
  ])('takes a field named %s as a secret, in JSON and in a form', (name) => {
    expect(maskedBody('application/json', JSON.stringify({ [name]: SECRET }))).not.toContain(SECRET)
    expect(maskedBody('application/x-www-form-urlencoded', `${name}=${SECRET}`)).not.toContain(SECRET)
  })

  it('sees through an escaped name', () => {
    expect(maskedBody('application/json', `{"\\u0070assword":"${SECRET}"}`)).not.toContain(SECRET)
  })

  it('names an escaped and a plain JSON string alike', () => {
    const plain = maskedBody('application/json', '{"token":"a/b"}')
    expect(maskedBody('application/json', String.raw`{"token":"a\/b"}`)).toBe(plain)
  })

  it('masks what is there of a JSON body that was cut', () => {
    expect(maskedBody('application/json', `{"token":"${SECRET}","a":{"b":`)).not.toContain(SECRET)
  })

  it('masks forms and multipart forms', () => {
    expect(maskedBody('application/x-www-form-urlencoded', `user=ann&password=${SECRET}&x=1`)).toBe(
      `user=ann&password=${P}&x=1`,
    )
    const part = (name: string, value: string): string =>
      `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
    const masked = maskedBody(
      'multipart/form-data; boundary=b',
      `${part('a', '1')}${part('password', SECRET)}--b--\r\n`,
    )
    expect(masked).toBe(`${part('a', '1')}${part('password', P)}--b--\r\n`)
  })

  it('masks through gzip, and keeps a compressed body without secrets byte for byte', () => {
    const masker = createMasker(KEY)
    const head = ['HTTP/1.1 200 OK', 'Content-Type: application/json', 'Content-Encoding: gzip']
    const secret = { ...response(head), body: gzipSync(`{"token":"${SECRET}"}`) }
    expect(gunzipSync(masker.maskMessage(secret).body).toString()).toBe(`{"token":"${P}"}`)
    const harmless = { ...response(head), body: gzipSync('{"a":1}') }
    expect(masker.maskMessage(harmless)).toBe(harmless)
  })

  it('withholds a body that it cannot read, and says so', () => {
    const masker = createMasker(KEY)
    const head = ['HTTP/1.1 200 OK', 'Content-Type: application/json', 'Content-Encoding: zstd']
    const masked = masker.maskMessage(message(head, 'not readable'))
    expect(masked).toMatchObject({ cut: 'undecodable', bodySize: 12 })
    expect(masked.body.length).toBe(0)
    expect(masker.withheld()).toBe(1)
  })

  it('does not touch bodies of other kinds', () => {
    const body = 'password=not-a-form'
    expect(maskedBody('image/png', body)).toBe(body)
  })
})

describe('pseudonyms', () => {
  it('are the same for one secret everywhere under one key, and other under another key', () => {
    const request = message(['GET /?token=hunter2-very-secret HTTP/1.1', 'Cookie: sid=hunter2-very-secret'])
    const reply = response(['HTTP/1.1 200 OK', 'Content-Type: application/json'], `{"token":"${SECRET}"}`)
    const masked = createMasker(KEY).mask(exchange({ request, response: reply }))
    expect(latin1(masked.request.head).split(P)).toHaveLength(3)
    expect(JSON.stringify(masked)).not.toContain(SECRET)
    expect(createMasker(Buffer.alloc(32, 8)).maskSession(SECRET, 'value')).not.toBe(P)
  })

  it('name a session by the value it was taken from', () => {
    expect(createMasker(KEY).maskSession(`sid=${SECRET}`, 'credential')).toBe(`sid=${P}`)
    expect(createMasker(KEY).maskSession(`authorization=Bearer ${SECRET}`, 'credential')).toBe(`authorization=${P}`)
  })

  it('are recognised, and masking twice changes nothing', () => {
    const masker = createMasker(KEY)
    const once = masker.maskMessage(message(['GET / HTTP/1.1', `Cookie: sid=${SECRET}`]))
    expect(holdsPseudonym(latin1(once.head))).toBe(true)
    expect(masker.maskMessage(once)).toBe(once)
  })

  it('never let a secret through, wherever in a message it was put', () => {
    const places = [
      (s: string) => message([`GET /a?x=1&api_key=${encodeURIComponent(s)} HTTP/1.1`]),
      (s: string) => message(['GET / HTTP/1.1', `Cookie: a=b; sid=${encodeURIComponent(s)}; c=d`]),
      (s: string) => message(['GET / HTTP/1.1', `Proxy-Authorization: Digest ${s}`]),
      (s: string) =>
        message(['POST / HTTP/1.1', 'Content-Type: application/vnd.api+json'], JSON.stringify({ a: [{ secret: s }] })),
      (s: string) =>
        message(
          ['POST / HTTP/1.1', 'Content-Type: application/x-www-form-urlencoded'],
          `a=1&pwd=${encodeURIComponent(s)}`,
        ),
    ]
    const secret = fc.string({ unit: fc.constantFrom(...'abcXYZ019_-'), minLength: 8, maxLength: 40 })
    fc.assert(
      fc.property(fc.constantFrom(...places), secret, (place, value) => {
        const masked = createMasker(KEY).maskMessage(place(value))
        return !latin1(masked.head).includes(value) && !utf8(masked.body).includes(value)
      }),
    )
  })
})

describe('mask rules', () => {
  it('add names of headers and fields, with wildcards, and keep names', () => {
    const masker = createMasker(KEY, ['header:x-user*', 'field:email', 'keep:theme'])
    const head = latin1(
      masker.maskMessage(message(['GET /?email=a%40b.c HTTP/1.1', 'X-User-Id: 42', 'Cookie: theme=dark; sid=1'])).head,
    )
    expect(head).toMatch(/email=mesh-\w+ .*X-User-Id: mesh-\w+.*theme=dark; sid=mesh-/s)
  })

  it('are refused where the kind is unknown, with what is expected', () => {
    expect(thrownBy(() => createMasker(KEY, ['query:x'])).message).toBe(
      'expected header:NAME, cookie:NAME, field:NAME or keep:NAME, found "query:x" (--mask)',
    )
  })

  it('need a key of at least 16 bytes', () => {
    expect(thrownBy(() => createMasker(Buffer.alloc(4))).code).toBe('MESH_ERR_USAGE')
  })
})
