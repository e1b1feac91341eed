import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { latin1, latin1Bytes } from '../../../src/core/bytes.ts'
import type { Message } from '../../../src/core/exchange.ts'
import { parseHead } from '../../../src/core/head.ts'
import { RequestHeadReader } from '../../../src/wire/http1/request-head.ts'
import type { RewriteRules } from '../../../src/wire/http1/request-rewriter.ts'
import { RequestRewriter } from '../../../src/wire/http1/request-rewriter.ts'
import { message } from '../../support/exchanges.ts'
import { thrownBy } from '../../support/errors.ts'
import { scheduleOptions } from '../../replay/recordings.ts'

const MARKS = ['baggage: mesh-replay=run-1', 'x-mesh-replay: run-1']

function rewriteWhole(request: Message, changes: Partial<RewriteRules> = {}): { text: string; closes: boolean } {
  const rewriter = new RequestRewriter({ ...scheduleOptions().rewrite, ...changes })
  const head = new RequestHeadReader(rewriter.customNames).read(request.head)
  if (head === undefined) throw new Error('the head was refused')
  const { bytes, closes } = rewriter.rewrite(head, request)
  return { text: latin1(bytes), closes }
}

/** The lines of the rewritten head, without the marks of the run where these come last. */
function rewrite(lines: readonly string[], changes: Partial<RewriteRules> = {}, body = ''): readonly string[] {
  const { text } = rewriteWhole(message(lines, body), changes)
  const rewritten = text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n')
  return rewritten.slice(-2).join('|') === MARKS.join('|') ? rewritten.slice(0, -2) : rewritten
}

describe('RequestRewriter', () => {
  it('keeps order, case and duplicates of headers and replaces Host in its place', () => {
    expect(rewrite(['GET /a?b=1 HTTP/1.1', 'X-One: 1', 'hOST: shop', 'accept:  */*', 'X-One: 2', 'x-one: 3'])).toEqual([
      'GET /a?b=1 HTTP/1.1',
      'X-One: 1',
      'Host: canary:8080',
      'accept:  */*',
      'X-One: 2',
      'x-one: 3',
    ])
  })

  it('marks every request as the run’s', () => {
    const { text } = rewriteWhole(message(['GET / HTTP/1.1', 'Host: shop']))
    expect(text).toBe(`GET / HTTP/1.1\r\nHost: canary:8080\r\n${MARKS.join('\r\n')}\r\n\r\n`)
  })

  it.each([
    ['adds its member to baggage that is there', 'user=7;p=1, x=2', 'Baggage: user=7;p=1, x=2,mesh-replay=run-1'],
    ['replaces the member of an earlier replay', 'mesh-replay=old,user=7', 'Baggage: user=7,mesh-replay=run-1'],
    ['fills empty baggage', '', 'Baggage: mesh-replay=run-1'],
  ])('%s', (_, baggage, expected) => {
    const lines = rewrite(['GET / HTTP/1.1', 'Host: a', `Baggage: ${baggage}`, 'x-mesh-replay: old'])
    expect(lines).toEqual(['GET / HTTP/1.1', 'Host: canary:8080', expected, 'x-mesh-replay: run-1'])
  })

  it.each([
    ['absolute-form', 'GET', 'http://shop.example:81/a?b', '/a?b'],
    ['absolute-form without a path', 'GET', 'HTTP://shop.example', '/'],
    ['absolute-form with a query only', 'GET', 'http://shop?x=1', '/?x=1'],
    ['absolute-form of the whole server', 'OPTIONS', 'http://shop.example', '*'],
    ['asterisk-form', 'OPTIONS', '*', '*'],
    ['a path that holds a URL', 'GET', '/go?to=http://x/y', '/go?to=http://x/y'],
    ['a fragment, which clients should not send', 'GET', 'http://shop/a#b', '/a'],
  ])('turns %s into origin-form', (_, method, target, expected) => {
    expect(rewrite([`${method} ${target} HTTP/1.1`, 'Host: shop'])[0]).toBe(`${method} ${expected} HTTP/1.1`)
  })

  it('puts the path of the target before the recorded one', () => {
    expect(rewrite(['GET /a HTTP/1.1', 'Host: shop'], { pathPrefix: '/v2' })[0]).toBe('GET /v2/a HTTP/1.1')
  })

  it('keeps the recorded Host on request, and sends the target’s where there is none', () => {
    expect(rewrite(['GET / HTTP/1.1', 'Host: shop'], { keepHost: true })).toContain('Host: shop')
    expect(rewrite(['GET / HTTP/1.0', 'A: b'], { keepHost: true })).toEqual([
      'GET / HTTP/1.0',
      'Host: canary:8080',
      'A: b',
    ])
  })

  it('sends one Host where several were recorded', () => {
    expect(rewrite(['GET / HTTP/1.1', 'Host: a', 'Host: b'])).toEqual(['GET / HTTP/1.1', 'Host: canary:8080'])
  })

  it('leaves out what belongs to another hop or offers what we do not do', () => {
    const lines = [
      'GET / HTTP/1.1',
      'Host: a',
      'Proxy-Authorization: Basic eA==',
      'Proxy-Connection: keep-alive',
      'Expect: 100-continue',
      'Connection: Upgrade, HTTP2-Settings, keep-alive',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABk',
    ]
    expect(rewrite(lines)).toEqual(['GET / HTTP/1.1', 'Host: canary:8080', 'Connection: keep-alive'])
  })

  it.each([
    ['HTTP/1.1 that says close', 'HTTP/1.1', ['Connection: close'], 'keep', true, ['Connection: close']],
    ['HTTP/1.1 that says nothing', 'HTTP/1.1', [], 'keep', false, []],
    ['HTTP/1.0 that says nothing', 'HTTP/1.0', [], 'keep', true, []],
    [
      'HTTP/1.0 that says keep-alive',
      'HTTP/1.0',
      ['Connection: Keep-Alive'],
      'keep',
      false,
      ['Connection: Keep-Alive'],
    ],
    ['a close that is to be dropped', 'HTTP/1.1', ['Connection: close'], 'drop', false, []],
    ['an HTTP/1.0 close that is to be dropped', 'HTTP/1.0', [], 'drop', false, ['Connection: keep-alive']],
  ] as const)('knows whether the target closes after %s', (_, version, lines, close, closes, sent) => {
    const request = message([`GET / ${version}`, 'Host: a', ...lines])
    expect(rewriteWhole(request, { close }).closes).toBe(closes)
    expect(rewrite([`GET / ${version}`, 'Host: a', ...lines], { close }).slice(2)).toEqual(sent)
  })

  it('replaces headers of the same name by those of the user, in place, and adds new ones', () => {
    const headers = [
      { name: 'Authorization', value: 'Bearer new' },
      { name: 'X-New', value: '1' },
      { name: 'X-New', value: '2' },
    ]
    const lines = ['GET / HTTP/1.1', 'authorization: Bearer old', 'Host: a', 'AUTHORIZATION: Basic older', 'B: c']
    expect(rewrite(lines, { headers })).toEqual([
      'GET / HTTP/1.1',
      'Authorization: Bearer new',
      'Host: canary:8080',
      'B: c',
      'X-New: 1',
      'X-New: 2',
    ])
  })

  it('removes a header whose new value is empty', () => {
    const headers = [{ name: 'Cookie', value: '' }]
    expect(rewrite(['GET / HTTP/1.1', 'Host: a', 'Cookie: a=b'], { headers })).toEqual([
      'GET / HTTP/1.1',
      'Host: canary:8080',
    ])
  })

  it.each([
    ['a line end in a value', { name: 'X', value: 'a\r\nY: b' }],
    ['a blank in a name', { name: 'X Y', value: 'a' }],
    ['a length', { name: 'content-length', value: '5' }],
    ['a value beyond latin-1', { name: 'X', value: '日' }],
    ['the mark of a run', { name: 'X-Mesh-Replay', value: 'mine' }],
  ])('refuses %s from the user', (_, header) => {
    const rules = { ...scheduleOptions().rewrite, headers: [header] }
    expect(thrownBy(() => new RequestRewriter(rules)).code).toBe('MESH_ERR_USAGE')
  })

  it('corrects the length of a body that was masked, in place', () => {
    const lines = ['POST /a HTTP/1.1', 'Host: a', 'content-length: 99', 'X: y']
    expect(rewrite(lines, {}, '12345')).toEqual(['POST /a HTTP/1.1', 'Host: canary:8080', 'content-length: 5', 'X: y'])
  })

  it('sends a chunked body with its length', () => {
    const { text } = rewriteWhole(
      message(['POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked', 'X: y'], 'hello'),
    )
    expect(text).toBe(
      `POST / HTTP/1.1\r\nHost: canary:8080\r\nContent-Length: 5\r\nX: y\r\n${MARKS.join('\r\n')}\r\n\r\nhello`,
    )
  })

  it('keeps trailers, and chunks for their sake', () => {
    const lines = ['POST / HTTP/1.1', 'Host: a', 'Trailer: X-Sum', 'Transfer-Encoding: chunked']
    const { text } = rewriteWhole(message(lines, 'hello world, hello', { trailers: latin1Bytes('X-Sum: 1\r\n') }))
    expect(text).toContain('Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n')
    expect(text.slice(text.indexOf('\r\n\r\n') + 4)).toBe('12\r\nhello world, hello\r\n0\r\nX-Sum: 1\r\n\r\n')
  })

  it('says a length where a body was recorded without one, and none where there was neither', () => {
    expect(rewrite(['POST / HTTP/1.1', 'Host: a'], {}, 'abc')).toContain('Content-Length: 3')
    expect(rewrite(['POST / HTTP/1.1', 'Host: a'])).toEqual(['POST / HTTP/1.1', 'Host: canary:8080'])
    expect(rewrite(['POST / HTTP/1.1', 'Host: a', 'Content-Length: 0'])).toContain('Content-Length: 0')
  })

  it('makes HTTP/1.1 of an HTTP/2 head, with its cookie crumbs joined', () => {
    const lines = [
      ':method: GET',
      ':scheme: https',
      ':path: /a',
      ':authority: shop',
      'cookie: a=1',
      'x: y',
      'cookie: b=2',
    ]
    expect(rewrite(lines)).toEqual(['GET /a HTTP/1.1', 'Host: canary:8080', 'x: y', 'cookie: a=1; b=2'])
  })

  it('sends heads that ended their lines with LF alone with CRLF', () => {
    const head = latin1Bytes('GET / HTTP/1.1\nHost: a\nX: y\n\n')
    const { text } = rewriteWhole(message([], '', { head }))
    expect(text).toBe(`GET / HTTP/1.1\r\nHost: canary:8080\r\nX: y\r\n${MARKS.join('\r\n')}\r\n\r\n`)
  })

  it('changes nothing else, whatever the other headers are', () => {
    const name = fc
      .stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,20}$/)
      .filter(
        (text) =>
          !/^(host|connection|proxy-.*|expect|upgrade|http2-settings|content-length|transfer-encoding|trailer|baggage|x-mesh-replay)$/i.test(
            text,
          ),
      )
    const value = fc.stringMatching(/^[!-~]([ -~]{0,30}[!-~])?$/)
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 12 }), fc.nat(12), (fields, hostAt) => {
        const others = fields.map(([field, text]) => `${field}: ${text}`)
        const lines = ['GET /x HTTP/1.1', ...others.toSpliced(hostAt, 0, 'Host: a')]
        const rewritten = parseHead(latin1Bytes(rewriteWhole(message(lines)).text))
        const kept = rewritten.fields.slice(0, -2).filter((field) => field.name !== 'Host')
        expect(kept.map((field) => `${field.name}: ${field.value}`)).toEqual(others)
      }),
    )
  })
})
