import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { latin1, utf8 } from '../../../src/core/bytes.ts'
import { applyEdit, parseEditRule, shownEditRule } from '../../../src/replay/edit/edit-rule.ts'
import { RequestDraft } from '../../../src/replay/edit/request-draft.ts'
import { exchange, message } from '../../support/exchanges.ts'

const ORDER = ['POST /v1/orders/7?debug=1&page=2&q=a+b HTTP/1.1', 'Host: shop.example', 'X-Old: a', 'x-old: b']
const BODY = '{"user": {"email": "ann@x.io"}, "items": [{"id": 1}, {"id": 2}], "big": 12345678901234567890}'

function draftOf(lines: readonly string[] = ORDER, body: string = BODY): RequestDraft {
  return new RequestDraft(exchange({ request: message(lines, body) }), new Date(0), 'host-a')
}

/** The request line, the headers and the body that a rule leaves. */
function edited(text: string, draft: RequestDraft = draftOf()): { line: string; head: string; body: string } {
  applyEdit(parseEditRule(text, '--rewrite'), draft)
  const { head, body } = draft.finish('--rewrite')
  const [line = '', ...rest] = latin1(head).trimEnd().split('\r\n')
  return { line, head: rest.join('|'), body: utf8(body) }
}

describe('a rule', () => {
  it.each([
    ['path s|^/v1/|/v2/|', 'POST /v2/orders/7?debug=1&page=2&q=a+b HTTP/1.1'],
    ['path = /', 'POST /?debug=1&page=2&q=a+b HTTP/1.1'],
    ['query debug remove', 'POST /v1/orders/7?page=2&q=a+b HTTP/1.1'],
    ['query q s/a b/c d/', 'POST /v1/orders/7?debug=1&page=2&q=c%20d HTTP/1.1'],
    ['query new = x y', 'POST /v1/orders/7?debug=1&page=2&q=a+b&new=x%20y HTTP/1.1'],
    ['method = PUT', 'PUT /v1/orders/7?debug=1&page=2&q=a+b HTTP/1.1'],
    ['POST /v1/orders/:id path s/7/8/', 'POST /v1/orders/8?debug=1&page=2&q=a+b HTTP/1.1'],
    ['/v1/* path s/7/8/', 'POST /v1/orders/8?debug=1&page=2&q=a+b HTTP/1.1'],
    ['GET /v1/orders/:id path s/7/8/', ORDER[0]],
    ['/v1/carts/:id path s/7/8/', ORDER[0]],
  ])('%s changes the request line', (text, line) => {
    expect(edited(text).line).toBe(line)
  })

  it.each([
    ['header x-tenant = blue', 'Host: shop.example|X-Old: a|x-old: b|x-tenant: blue'],
    ['header x-old = c', 'Host: shop.example|X-Old: c'],
    ['header X-OLD remove', 'Host: shop.example'],
    ['header x-old s/a/z/', 'Host: shop.example|X-Old: z'],
    ['header x-none s/a/z/', 'Host: shop.example|X-Old: a|x-old: b'],
  ])('%s changes the headers', (text, head) => {
    expect(edited(text).head).toBe(head)
  })

  it.each([
    ['json .user.email = bob@x.io', BODY.replace('ann@x.io', 'bob@x.io')],
    ['json .items[].id s/^/4/', BODY.replace('"id": 1', '"id": 41').replace('"id": 2', '"id": 42')],
    ['json .items[1].id = none', BODY.replace('"id": 2', '"id": "none"')],
    ['json .big s/90$/91/', BODY.replace('67890}', '67891}')],
    ['json .absent = 1', BODY],
    ['body s/x\\.io/y.org/g', BODY.replace('x.io', 'y.org')],
  ])('%s changes the body, and leaves the rest as it was written', (text, body) => {
    expect(edited(text).body).toBe(body)
  })

  it('reads a body without its content coding, and sends what it changed without one', () => {
    const packed = gzipSync(BODY)
    const request = { ...message([...ORDER, 'Content-Encoding: gzip']), body: packed, bodySize: packed.length }
    const draft = new RequestDraft(exchange({ request }), new Date(0), 'host-a')
    const { head, body } = edited('json .user.email = bob@x.io', draft)
    expect(body).toBe(BODY.replace('ann@x.io', 'bob@x.io'))
    expect(head).not.toContain('gzip')
  })

  it('changes the pseudo-headers of HTTP/2', () => {
    const draft = draftOf([':method: GET', ':path: /v1/a', ':authority: shop', 'x: 1'], '')
    applyEdit(parseEditRule('path s/v1/v2/', '--rewrite'), draft)
    expect(latin1(draft.finish('--rewrite').head)).toBe(
      ':method: GET\r\n:path: /v2/a\r\n:authority: shop\r\nx: 1\r\n\r\n',
    )
  })

  it.each([
    'path',
    'path remove',
    'path s/a/b',
    'path s/(/b/',
    'path s/a/b/x',
    'json .a remove',
    'colour = red',
    'query = 1',
    '',
  ])('is refused where it is none: %s', (text) => {
    expect(() => parseEditRule(text, '--rewrite')).toThrow(/expected|Invalid regular expression/)
  })

  it.each([
    'hedaer authorization = s3cr3t',
    'header authorization s/s3cr3t(/x/',
    'header authorization s/x/s3cr3t',
    'json .token is s3cr3t',
    'query s3cr3t',
    'body s/a/b/s3cr3t',
  ])('is refused without being repeated, for it may hold a secret: %s', (text) => {
    const refused = (): unknown => parseEditRule(text, '--rewrite')
    expect(refused).toThrow(/--rewrite/)
    expect(refused).not.toThrow(/s3cr3t/)
  })

  it('is not repeated where it makes a header that cannot be sent', () => {
    expect(() => edited('header x = s3cr3t\r\nb')).toThrow('expected a value of header x that can be sent')
    expect(() => edited('header x = s3cr3t\r\nb')).not.toThrow(/s3cr3t/)
  })

  it.each(['path s/7/ /', 'header x = a\r\nb', 'method = GET /'])('cannot make two requests of one: %s', (text) => {
    expect(() => edited(text)).toThrow(/that can be sent/)
  })

  it.each([
    ['path s|^/v1/|/v2/|', 'path s|^/v1/|/v2/|'],
    ['query debug remove', 'query debug remove'],
    ['POST /orders/:id header authorization = Bearer secret', 'POST /orders/:id header authorization ...'],
    ['* query token s/old-secret/secret/', '* query token ...'],
    ['json password = secret', 'json password ...'],
    ['body s/secret/other/', 'body ...'],
  ])('%s is shown to others as %s', (rule, shown) => {
    expect(shownEditRule(rule)).toBe(shown)
  })

  it('leaves the very message where it changes nothing, whatever the request is', () => {
    const line = fc.stringMatching(/^[\x20-\x7e]*$/)
    fc.assert(
      fc.property(line, fc.array(line), fc.string(), (first, lines, body) => {
        const request = message([first, ...lines], body)
        const draft = new RequestDraft(exchange({ request }), new Date(0), 'a')
        applyEdit(parseEditRule('/never/here path s/a/b/', '--rewrite'), draft)
        applyEdit(parseEditRule('header never-here s/a/b/', '--rewrite'), draft)
        applyEdit(parseEditRule('body s/\\u0000never/b/', '--rewrite'), draft)
        expect(draft.finish('--rewrite')).toBe(request)
      }),
    )
  })
})
