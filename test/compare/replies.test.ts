import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { compareReplies } from '../../src/compare/replies.ts'
import type { Message } from '../../src/core/exchange.ts'
import { message } from '../support/exchanges.ts'

function compare(production: Message, staging: Message): unknown {
  const found = compareReplies(
    { message: production, authority: 'shop.example' },
    { message: staging, authority: 'staging:80' },
  )
  return 'differences' in found ? found.differences : found.notComparable
}

const OK = 'HTTP/1.1 200 OK'
const JSON_TYPE = 'Content-Type: application/json'

describe('compareReplies', () => {
  it('finds another status, and looks no further', () => {
    const found = compare(message([OK], '{"a":1}'), message(['HTTP/1.1 500 Oh'], '{"error":"x"}'))
    expect(found).toEqual([{ field: 'status', kind: 'changed', production: '200', staging: '500' }])
  })

  it('finds a changed field of a JSON body through its content coding', () => {
    const body = gzipSync('{"a":1,"b":2}')
    const zipped = { ...message([OK, JSON_TYPE, 'Content-Encoding: gzip']), body }
    expect(compare(zipped, message([OK, JSON_TYPE], '{"a":1,"b":3}'))).toEqual([
      { field: 'body.b', kind: 'changed', production: '2', staging: '3' },
    ])
    expect(compare(zipped, message([OK, JSON_TYPE], '{"b":2,"a":1}'))).toEqual([])
  })

  it('finds another text by what stands around the first byte that differs', () => {
    const page = (word: string): Message =>
      message([OK, 'Content-Type: text/html'], `<html><body>Hello ${word}, welcome`)
    expect(compare(page('you'), page('all'))).toEqual([
      {
        field: 'body',
        kind: 'changed',
        production: '<html><body>Hello you, welcome',
        staging: '<html><body>Hello all, welcome',
      },
    ])
  })

  it.each([
    [
      'case and blanks of a content type',
      'Content-Type: Text/HTML; charset=utf-8',
      'content-type: text/html;charset="UTF-8"',
    ],
    [
      "the service's own name in a Location",
      'Location: http://shop.example/cart?a=1',
      'Location: http://staging:80/cart?a=1',
    ],
    ['headers that are not looked at', 'Date: now', 'Date: then'],
  ])('lets %s differ', (_, production, staging) => {
    expect(compare(message([OK, production]), message([OK, staging]))).toEqual([])
  })

  it('finds a Location elsewhere', () => {
    const found = compare(message([OK, 'Location: /cart']), message([OK, 'Location: http://evil.example/cart']))
    expect(found).toMatchObject([
      { field: 'header.location', production: '/cart', staging: 'http://evil.example/cart' },
    ])
  })

  it.each([
    ['a cut body', message([OK], 'a', { cut: 'limit' }), message([OK], 'b'), 'cut'],
    ['a 304 against a 200', message(['HTTP/1.1 304 Not Modified']), message([OK], 'b'), 'not-modified'],
    ['an unknown coding', message([OK, 'Content-Encoding: zstd'], 'a'), message([OK], 'b'), 'coding'],
  ])('does not compare %s', (_, production, staging, why) => {
    expect(compare(production, staging)).toBe(why)
  })
})
