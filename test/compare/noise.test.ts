import { describe, expect, it } from 'vitest'
import { EqualRequests } from '../../src/compare/equal-requests.ts'
import { Noise } from '../../src/compare/noise.ts'
import type { Exchange } from '../../src/core/exchange.ts'
import { exchange, message, response } from '../support/exchanges.ts'

describe('Noise', () => {
  it('holds a field that differs between most pairs for noise, and what lies within it', () => {
    const noise = new Noise()
    noise.observe('GET /', ['body.now', 'body.items'])
    expect(noise.includes('GET /', 'body.now')).toBe(true)
    expect(noise.includes('GET /', 'body.items[].price')).toBe(true)
    expect(noise.includes('GET /', 'body.total')).toBe(false)
    expect(noise.includes('GET /other', 'body.now')).toBe(false)
  })

  it('does not hold for noise what somebody changed once', () => {
    const noise = new Noise()
    noise.observe('GET /', ['body.price', 'body.now'])
    for (let pair = 0; pair < 9; pair++) noise.observe('GET /', ['body.now'])
    expect(noise.includes('GET /', 'body.price')).toBe(false)
    expect(noise.fields()).toEqual([{ route: 'GET /', field: 'body.now' }])
  })
})

function asked(lines: readonly string[], body: string, atNs = 0): Exchange {
  return exchange({
    request: message(['GET /cart HTTP/1.1', 'Host: a', ...lines]),
    response: response(['HTTP/1.1 200 OK'], body),
    requestFirstNs: atNs,
  })
}

describe('EqualRequests', () => {
  it('pairs the replies to two equal requests, whatever their tracing says', () => {
    const equals = new EqualRequests()
    expect(equals.pair(asked(['X-Request-Id: 1'], 'a'))).toBeUndefined()
    const pair = equals.pair(asked(['X-Request-Id: 2'], 'b', 1e9))
    expect([pair?.earlier.body, pair?.later.body].map(String)).toEqual(['a', 'b'])
  })

  it('does not pair requests of two users, nor replies a minute apart, nor cut ones', () => {
    const equals = new EqualRequests()
    equals.pair(asked(['Cookie: sid=1'], 'a'))
    expect(equals.pair(asked(['Cookie: sid=2'], 'b'))).toBeUndefined()
    expect(equals.pair(asked(['Cookie: sid=1'], 'b', 61e9))).toBeUndefined()
    const cut = asked(['Cookie: sid=1'], 'c', 62e9)
    expect(equals.pair({ ...cut, response: response(['HTTP/1.1 200 OK'], 'c', { cut: 'limit' }) })).toBeUndefined()
  })

  it('forgets the oldest replies beyond its bound', () => {
    const equals = new EqualRequests()
    const large = 'x'.repeat(200 * 1024)
    const user = (number: number): Exchange => asked([`Cookie: sid=${number}`], large)
    for (let number = 0; number < 200; number++) equals.pair(user(number))
    expect(equals.pair(user(199))).toBeDefined()
    expect(equals.pair(user(0))).toBeUndefined()
  })
})
