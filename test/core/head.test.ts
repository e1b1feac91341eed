import { describe, expect, it } from 'vitest'
import { latin1, utf8Bytes } from '../../src/core/bytes.ts'
import { formatHead, headerValue, headerValues, parseHead, requestLine, statusCode } from '../../src/core/head.ts'

const head = (text: string): ReturnType<typeof parseHead> => parseHead(utf8Bytes(text))

describe('parseHead', () => {
  it('keeps order, case and duplicates, and gives the same bytes back', () => {
    const text = 'GET /a HTTP/1.1\r\nHost: a\r\nX-B: 2\r\nx-b: 1\r\n\r\n'
    expect(head(text).fields.map(({ name }) => name)).toEqual(['Host', 'X-B', 'x-b'])
    expect(headerValues(head(text), 'X-b')).toEqual(['2', '1'])
    expect(latin1(formatHead(head(text)))).toBe(text)
  })

  it('joins folded lines and tolerates bare line feeds', () => {
    expect(headerValue(head('GET / HTTP/1.1\nA: 1\n  2\nB: 3\n\n'), 'a')).toBe('1 2')
  })

  it('reads HTTP/2 heads with pseudo-headers first', () => {
    const parsed = head(':method: POST\r\n:path: /x?y\r\n:authority: a\r\naccept: */*\r\n\r\n')
    expect(requestLine(parsed)).toEqual({ method: 'POST', target: '/x?y', version: 'HTTP/2' })
    expect(headerValue(parsed, ':authority')).toBe('a')
    expect(statusCode(head(':status: 204\r\n\r\n'))).toBe(204)
  })

  it.each([
    ['GET /a b HTTP/1.1\r\n\r\n', { method: 'GET', target: '/a b', version: 'HTTP/1.1' }],
    ['GET /\r\n\r\n', { method: 'GET', target: '/', version: '' }],
    ['GET\r\n\r\n', { method: 'GET', target: '', version: '' }],
  ])('never fails on an odd start line: %j', (text, line) => {
    expect(requestLine(head(text))).toEqual(line)
  })

  it('gives status 0 where there is none', () => {
    expect([
      statusCode(head('HTTP/1.1 abc\r\n\r\n')),
      statusCode(head('HTTP/1.1\r\n\r\n')),
      statusCode(head('HTTP/1.1 404 Not Found\r\n\r\n')),
    ]).toEqual([0, 0, 404])
  })
})
