import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OTHER_ROUTE, RouteTable } from '../../src/measure/routes.ts'

function nameOf(target: string, patterns: readonly string[] = []): string | undefined {
  const table = new RouteTable({ patterns })
  return table.names[table.indexOf('GET', target)]
}

describe('RouteTable', () => {
  it.each([
    ['/users/42', 'GET /users/:id', 'a number'],
    ['/users/42/orders/7?page=2', 'GET /users/:id/orders/:id', 'the query is no part of a route'],
    ['/a#x', 'GET /a', 'nor is a fragment'],
    ['http://shop.test:80/users/42?x', 'GET /users/:id', 'a proxy sees whole URLs'],
    ['http://shop.test', 'GET /', 'a URL without a path'],
    ['*', 'GET *', 'OPTIONS * has no path'],
    ['/u/1b4e28ba-2fa1-11d2-883f-0016d3cca427', 'GET /u/:id', 'a UUID'],
    ['/c/9fceb02d0ae598e95dc970b74767f19372d61af8', 'GET /c/:id', 'a git hash'],
    ['/s/01ARZ3NDEKTSV4RRFFQ69G5FAV', 'GET /s/:id', 'a ULID'],
    ['/t/dGhpc0lzQVRva2VuMTIzNDU', 'GET /t/:id', 'base64'],
    ['/d/2024-05-01/x', 'GET /d/:date/x', 'a date'],
    ['/d/2024-05-01T10:00:00Z', 'GET /d/:date', 'a time'],
    ['/cart;jsessionid=4F2A91?x=1', 'GET /cart', 'parameters of a segment are no part of it'],
    ['/map;lat=50;long=20/cities', 'GET /map/cities', 'nor are several'],
    ['/points/12;34', 'GET /points/:id', 'a semicolon alone is none'],
    ['/orders/order-000123', 'GET /orders/:id', 'a word and a number'],
    ['/orders/o-cff32419', 'GET /orders/:id', 'a word and hexadecimal digits'],
    ['/shades/add-decade/blue-5c', 'GET /shades/add-decade/blue-5c', 'words with a digit are none'],
    ['/img/83742.png', 'GET /img/:id.png', 'the extension stays'],
    ['/by/someone@example.org', 'GET /by/:id', 'an address'],
    ['/api/v2/search', 'GET /api/v2/search', 'a version is no id'],
    ['/assets/app.js', 'GET /assets/app.js', 'nor is a file'],
    ['/rpc/getUserProfileSettings', 'GET /rpc/getUserProfileSettings', 'nor a name of many words'],
    ['/blog/how-to-fold-many-hosts', 'GET /blog/how-to-fold-many-hosts', 'nor a slug'],
    ['/faded/deadbeef', 'GET /faded/deadbeef', 'nor words that happen to be hexadecimal'],
    ['/a/\u001b[2J', 'GET /a/?[2J', 'names are printable'],
  ])('calls %s %s: %s', (target, name) => {
    expect(nameOf(target)).toBe(name)
  })

  it.each([
    ['/users/ann/orders/7/items', ['/users/:name/orders/*'], 'GET /users/:name/orders/*', 'a * at the end is any rest'],
    ['/users/ann/orders', ['/users/:name/orders/*'], 'GET /users/:name/orders/*', 'an empty rest too'],
    ['/users/ann/carts', ['/users/:name/orders/*'], 'GET /users/ann/carts', 'no match'],
    ['/blog/some-slug', ['POST /blog/:slug', '/blog/:slug'], 'GET /blog/:slug', 'a method narrows a pattern'],
    ['/a/b/c', ['/a/*/c', '/a/b/:x'], 'GET /a/*/c', 'the first match wins'],
  ])('calls %s by the patterns %j %s: %s', (target, patterns, name) => {
    expect(nameOf(target, patterns)).toBe(name)
  })

  it('sends what is beyond its bound to one route', () => {
    const table = new RouteTable({ maxRoutes: 4 })
    const ordinals = ['/a', '/b', '/c', '/d', '/e', '/a'].map((path) => table.indexOf('GET', path))
    expect(ordinals).toEqual([0, 1, 2, 3, 3, 0])
    expect(table.names).toEqual(['GET /a', 'GET /b', 'GET /c', OTHER_ROUTE])
  })

  it('gives the same ordinal for the same request, whatever came between', () => {
    const table = new RouteTable({ maxRoutes: 50 })
    const first = table.indexOf('GET', '/first')
    for (let index = 0; index < 20_000; index++) table.indexOf('GET', `/path/x${index}y`)
    expect(table.indexOf('GET', '/first')).toBe(first)
    expect(table.names.length).toBe(50)
  })

  it('names a hostile target within 200 printable characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 3000 }), fc.string({ maxLength: 60 }), (target, method) => {
        const table = new RouteTable()
        const name = table.names[table.indexOf(method, target)] ?? ''
        expect(name.length).toBeLessThanOrEqual(200)
        expect(name).toMatch(/^[\x20-\x7e]*$/)
      }),
      { numRuns: 30 },
    )
  })

  it('refuses a pattern that is not a path', () => {
    expect(() => new RouteTable({ patterns: ['users'] })).toThrow(/expected a route such as .*found "users"/)
  })
})
