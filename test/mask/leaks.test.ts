import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { latin1, utf8 } from '../../src/core/bytes.ts'
import type { Message } from '../../src/core/exchange.ts'
import { createMasker } from '../../src/mask/masker.ts'
import { message } from '../support/exchanges.ts'

const KEY = Buffer.alloc(32, 7)
const masker = createMasker(KEY)
const S = 'hunter2-very-secret'
const P = masker.maskSession(S, 'value')

/** A message whose head is exactly this, without the empty line. */
function bare(head: string): Message {
  return { ...message([]), head: Buffer.from(head, 'latin1') }
}

function post(type: string, body: string): Message {
  return message(['POST / HTTP/1.1', ...(type === '' ? [] : [`Content-Type: ${type}`])], body)
}

function textOf({ head, body }: Message): string {
  return latin1(head) + utf8(body)
}

const form = 'application/x-www-form-urlencoded'

/** Where S stands, P is to stand after masking, and nothing else changes. */
const HEADS: readonly string[] = [
  `GET /cut?password=${S}`,
  `GET /a;jsessionid=${S}?x=1 HTTP/1.1\r\n\r\n`,
  `GET /a?password=${S} HTTP/1.1\r\n`,
  `GET /a?x=1;token=${S}&y=2 HTTP/1.1\r\n`,
  `GET http://u:${S}@h/x HTTP/1.1\r\n`,
  `GET http://${S}@h/x HTTP/1.1\r\n`,
  `CONNECT u:${S}@h:443 HTTP/1.1\r\n`,
  ...[
    'secret_key',
    'password_confirmation',
    'password1',
    'auth',
    'sig',
    'accesstoken',
    'refreshtoken',
    'idtoken',
    'sessiontoken',
    'api_key',
    'auth_code',
    'authorization_code',
    'X-Amz-Signature',
    'user[password]',
    'access%5Ftoken',
  ].map((name) => `GET /?a=1&${name}=${S}&b=2 HTTP/1.1\r\n`),
  ...[
    `Cookie: ${S}; a=${S}`,
    `Cookie: b = ${S}`,
    `Cookie: c="${S}"; d=${S}`,
    `Set-Cookie: ${S}; Path=/`,
    `Set-Cookie: sid =${S}; Path=/`,
    `Set-Cookie: =${S}`,
    `Cookie2: a=${S}`,
    `Authorization : Bearer ${S}`,
    `Authorization: Bearer\r\n ${S}`,
    `X-Auth: ${S}`,
    `X-Auth-Key: ${S}`,
    `X-Authorization: Bearer ${S}`,
    `Ocp-Apim-Subscription-Key: ${S}`,
    `X-Amzn-Oidc-Accesstoken: ${S}`,
    `Location: https://${S}@h/`,
    `Location: https://${S}:@h/`,
    `Location: https://u:${S}@h/?token=${S}#access_token=${S}`,
    `Location: /a#/cb?token=${S}`,
    `Link: <https://h/?token=${S}>; rel=next, </b?token=${S}>; rel=prev`,
    `Refresh: 0;url=/x?token=${S}`,
    `Refresh: 0; URL='/x?token=${S}'`,
    `X-Original-URL: /x?token=${S}`,
    `X-Forwarded-Uri: /x?token=${S}`,
    `X-Rewrite-Url: /x?token=${S}`,
    `Content-Location: /x?token=${S}`,
    `Destination: https://u:${S}@h/`,
  ].map((line) => `GET / HTTP/1.1\r\nHost: a\r\n${line}\r\nX-Last: kept\r\n\r\n`),
  `GET / HTTP/1.1\r\nCookie: a=${S}`,
]

const part = (disposition: string, value: string, end = '\r\n'): string =>
  `--b${end}Content-Disposition: form-data; ${disposition}${end}${end}${value}${end}`

/** Content type and body; the same holds. */
const BODIES: readonly (readonly [type: string, body: string])[] = [
  [form, `{"password":"${S}","a":1}`],
  [form, `\uFEFF [{"password":"${S}"}]`],
  [form, `user=a&password=${S}&x=1`],
  ['application/json', `{"user":"a","password":"${S}`],
  ['application/x-ndjson', `{"password":"${S}"}\n{"token":"${S}"}\n`],
  ['application/json-seq', `\u001E{"password":"${S}"}\n`],
  ['application/vnd.api+json', `{"a":[{"token":["${S}"]}],"n":1}`],
  ['application/octet-stream', `{"password":"${S}"}`],
  ['text/plain;charset=UTF-8', ` \r\n{"password":"${S}"}`],
  ['text/plain', `\uFEFF{"password":"${S}"}`],
  ['', `\uFEFF{"password":"${S}"}`],
  ['text/plain', `user=a&password=${S}&x=1`],
  ['', `password=${S}`],
  ['text/plain', `user=a\r\npassword=${S}\r\nx=1\r\n`],
  ['multipart/form-data; boundary=b', `${part('name=password', S)}${part('name="a"', '1')}--b--\r\n`],
  ['multipart/form-data; boundary="b"', `${part('name="token"; filename="t"', S)}--b--\r\n`],
  ['multipart/form-data; boundary=b', `${part('name="password"', S, '\n')}--b--\n`],
  ['multipart/form-data', `${part('filename="x;y"; name="password"', S)}--b--\r\n`],
  ['multipart/form-data; boundary=other', `${part('name="password"', S)}--b--\r\n`],
  ['multipart/form-data; boundary=b', part('name="password"', S).trimEnd()],
  ['multipart/form-data; boundary=b', `${part('name="data"', `{"token":"${S}"}`)}--b--\r\n`],
  ['text/xml', `<soap><password>${S}</password><a>1</a></soap>`],
  ['application/soap+xml', `<s:A xmlns:token="u"><ns:Password Type="x"> ${S} </ns:Password><b c='1'/></s:A>`],
  ['application/xml', `<a password="${S}" b="1"><c>d</c><e api_key = '${S}'/></a>`],
  ['application/xml', `<a><token><![CDATA[${S}]]></token><token value="${S}"/><b>kept</b></a>`],
  ['application/xml', `<a><clientSecret>${S}`],
  ['', `<?xml version="1.0"?><pin>${S}</pin>`],
]

describe('masking, row by row', () => {
  const rows = [...HEADS.map((head) => bare(head)), ...BODIES.map(([type, body]) => post(type, body))]

  it.each(rows.map((row) => [textOf(row), row] as const))('puts a pseudonym for the secret in %j', (text, row) => {
    const masked = masker.maskMessage(row)
    const expected = text.replaceAll(S, P).replace(/Bearer\r\n /, 'Bearer ')
    expect(textOf(masked)).toBe(expected)
    expect(masker.maskMessage(masked)).toBe(masked)
  })

  it.each([
    [form, `user=a&password=${S} and more&x=1`],
    [form, `user=a&password=x#${S}&x=1`],
    [form, `user=a&password=x;${S}&x=1`],
    [form, `user=a&password=x;y=${S}&x=1`],
    ['multipart/form-data; boundary=b', `${part('name="password"', `x\r\n--${S}\r\n--bold`)}--b--\r\n`],
    ['multipart/form-data', `${part('name="password"', `x\r\n--${S}`)}--b--\r\n`],
    ['application/json', `{"token":{"v":["${S}"]},"pin":${S}`],
    ['application/json', `{"password":"\\u0041\\"${S}\\`],
    ['application/xml', `<password>a<b/>${S}<password/>${S}</password>`],
  ])('masks the whole of a value in %s: %j', (type, body) => {
    const masked = masker.maskMessage(post(type, body))
    expect(textOf(masked)).not.toContain(S)
    expect(masker.maskMessage(masked)).toBe(masked)
  })

  it.each([
    `GET /?password=x#${S} HTTP/1.1\r\n\r\n`,
    `GET /?password=x ${S} HTTP/1.1\r\n\r\n`,
    `GET /?password=x;${S} HTTP/1.1\r\n\r\n`,
    `GET / HTTP/1.1\r\nCookie: a="x;${S}"; b="${S};\r\n\r\n`,
    `GET / HTTP/1.1\r\nX-Token: a\r\n\t${S}\r\n\r\n`,
    `GET / HTTP/1.1\r\nAuthorization: Basic ${Buffer.from(`${S}:`).toString('base64')}\r\n\r\n`,
    `GET / HTTP/1.1\r\nAuthorization: Bearer eyJ${S}.Zx1yAA.sig\r\n\r\n`,
  ])('masks the whole of a value in %j', (head) => {
    const masked = masker.maskMessage(bare(head))
    expect(latin1(masked.head)).not.toContain(S)
    expect(latin1(masked.head)).not.toContain(Buffer.from(`${S}:`).toString('base64'))
    expect(masker.maskMessage(masked)).toBe(masked)
  })

  it('keeps header and claims of a token only if the header names an algorithm', () => {
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const cookie = `session=${part({ csrf: S })}.${part({ a: 1 })}.sig`
    expect(latin1(masker.maskMessage(bare(`GET / HTTP/1.1\r\nCookie: ${cookie}\r\n\r\n`)).head)).toMatch(
      /Cookie: session=mesh-\w{16}\r\n/,
    )
  })

  it('leaves origins, plain codes and keys, and other texts alone', () => {
    const head = 'GET /?code=1&key=2&redirect=a@b HTTP/1.1\r\nOrigin: https://a@b\r\nLocation: a@b/c\r\n\r\n'
    const plain = bare(head)
    expect(masker.maskMessage(plain)).toBe(plain)
    const text = post('text/plain', 'the password=x, a=b\nand so on; c<d>')
    expect(masker.maskMessage(text)).toBe(text)
  })

  it('withholds JSON in UTF-16, whose names it does not find', () => {
    const body = Buffer.from(`{"password":"${S}"}`, 'utf16le')
    const masked = createMasker(KEY).maskMessage({ ...post('application/json', ''), body, bodySize: body.length })
    expect(masked).toMatchObject({ cut: 'undecodable', bodySize: body.length })
    expect(masked.body).toHaveLength(0)
  })

  it('masks a session key of an expression whole, and of a credential its secret only', () => {
    expect(masker.maskSession(`user=${S}`, 'value')).toMatch(/^mesh-\w{16}$/)
    expect(masker.maskSession(`sid=${S}`, 'credential')).toBe(`sid=${P}`)
    const basic = Buffer.from(`ann:${S}`).toString('base64')
    expect(masker.maskSession(`authorization=Basic ${basic}`, 'credential')).toBe(`authorization=ann:${P}`)
  })
})

describe('masking of anything', () => {
  it('never shows a secret, keeps the rest, and changes nothing the second time', () => {
    const rows = [...HEADS.map((head) => bare(head)), ...BODIES.map(([type, body]) => post(type, body))]
    const secret = fc.string({ unit: fc.constantFrom(...'abcXYZ019_-'), minLength: 8, maxLength: 40 })
    fc.assert(
      fc.property(fc.constantFrom(...rows), secret, (row, value) => {
        fc.pre(!value.startsWith('eyJ'))
        const swap = (bytes: Uint8Array): Uint8Array => Buffer.from(latin1(bytes).replaceAll(S, value), 'latin1')
        const masked = masker.maskMessage({ ...row, head: swap(row.head), body: swap(row.body) })
        const expected = textOf(masker.maskMessage(row)).replaceAll(P, masker.maskSession(value, 'value'))
        expect(textOf(masked)).toBe(expected)
        expect(masker.maskMessage(masked)).toBe(masked)
      }),
      { numRuns: 500 },
    )
  })

  it('takes any text as any kind of body and head', () => {
    const types = [form, 'application/json', 'text/xml', 'multipart/form-data; boundary=b', 'text/plain', '']
    const unit = fc.constantFrom(
      'password',
      '"',
      ':',
      '<',
      '>',
      '/',
      '&',
      '=',
      ';',
      '-',
      '\r\n',
      '--b',
      '{',
      '}',
      '\\',
      ' ',
    )
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.string({ unit, maxLength: 40 }), (type, text) => {
        const masked = masker.maskMessage(post(type, text))
        masker.maskMessage(bare(text))
        masker.maskMessage(bare(`GET / HTTP/1.1\r\nCookie: ${text}\r\nLink: ${text}\r\nReferer: ${text}`))
        expect(masked.cut).toBeUndefined()
      }),
      { numRuns: 1000 },
    )
  })
})
