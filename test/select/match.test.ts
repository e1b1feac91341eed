import { describe, expect, it } from 'vitest'
import { compileMatch } from '../../src/select/match.ts'
import { thrownBy } from '../support/errors.ts'
import { exchange, message, response } from '../support/exchanges.ts'

/** Each expression with whether it matches the standard exchange: GET /cart?id=3, X-User 42, 200 after 5.1 ms. */
const EXPRESSIONS: readonly (readonly [string, boolean])[] = [
  ['request.method == "GET" && request.path.startsWith("/cart")', true],
  ['request.method == "POST"', false],
  ['request.path == "/cart?id=3" && request.url_path == "/cart" && request.query == "id=3"', true],
  ['request.headers["x-user"] == "42"', true],
  ['request.host == "shop.example" && request.scheme == "http"', true],
  ['response.code >= 500', false],
  ['response.code == 200 && response.headers["content-type"] == "text/plain"', true],
  ['response.size == 5 && response.body == "hello"', true],
  ['source.address == "10.1.2.3:40000" && destination.port == 8080', true],
  ['connection.id == 7 && !connection.tls', true],
  ['request.duration > duration("5ms") && request.duration < duration("6ms")', true],
  ['"x-user" in request.headers', true],
]

describe('compileMatch', () => {
  it.each(EXPRESSIONS)('evaluates %s by Envoy names', (text, expected) => {
    expect(compileMatch(text).matches(exchange())).toBe(expected)
  })

  it('takes a header that is not there as no match, and counts it', () => {
    const matcher = compileMatch('request.headers["x-nobody"] == "1"')
    expect(matcher.matches(exchange())).toBe(false)
    expect(matcher.failures()).toBe(1)
  })

  it('joins the values of a repeated header, and reads the target of a proxy request as a path', () => {
    const request = message(['GET http://shop.example/a?b=1 HTTP/1.1', 'X-Tag: one', 'x-tag: two'])
    const matcher = compileMatch('request.headers["x-tag"] == "one,two" && request.path == "/a?b=1"')
    expect(matcher.matches(exchange({ request }))).toBe(true)
  })

  it('gives code 0 and no headers where the response is missing', () => {
    const matcher = compileMatch('response.code == 0 && !("content-type" in response.headers)')
    expect(matcher.matches(exchange({ response: 'close' }))).toBe(true)
  })

  it('reads HTTP/2 heads with their pseudo-headers', () => {
    const request = message([':method: GET', ':path: /v2', ':authority: shop.example'])
    const reply = response([':status: 204'])
    const matcher = compileMatch('request.method == "GET" && request.host == "shop.example" && response.code == 204')
    expect(matcher.matches(exchange({ request, response: reply }))).toBe(true)
  })

  it.each([
    ['request.method ==', 'not finished'],
    ['request.metod == "GET"', 'a name that does not exist'],
    ['request.method', 'not a bool'],
    ['request.method == 3', 'types that do not compare'],
    ['', 'empty'],
  ])('refuses %s (%s) with a code and one line', (text) => {
    const error = thrownBy(() => compileMatch(text))
    expect(error).toMatchObject({ code: 'MESH_ERR_EXPRESSION', where: '--match' })
    expect(error.message).not.toContain('\n')
  })
})
