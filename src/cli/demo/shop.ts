import { createHash } from 'node:crypto'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { gzipSync } from 'node:zlib'
import { hashText } from '../../core/random.ts'

/**
 * The sample shop of the demo: one host of a small service, real HTTP on a port of its own. It has pages, JSON (compressed
 * where the client takes it), images, a login with a session cookie, carts and orders, and answers in a few milliseconds.
 */
export interface Shop {
  readonly server: Server
  /** Requests served so far, by method and status: `GET 200`. */
  readonly served: ReadonlyMap<string, number>
}

const PRODUCTS = Array.from({ length: 200 }, (_, index) => ({
  id: index + 1,
  name: `${['Copper', 'Linen', 'Walnut', 'Felt', 'Slate'][index % 5]} ${['lamp', 'chair', 'kettle', 'shelf', 'rug', 'clock', 'vase'][index % 7]}`,
  priceCents: 900 + ((index * 7919) % 24_000),
}))
const PAGE_SIZE = 20
const MAX_BODY_BYTES = 64 * 1024

interface Reply {
  readonly status: number
  readonly type: string
  readonly body: string | Buffer
  readonly headers?: Readonly<Record<string, string>>
}

/** Makes a shop; the caller listens with its `server` and closes it. */
export function createShop(host: string): Shop {
  const carts = new Map<string, number[]>()
  const served = new Map<string, number>()
  let orders = 0

  function answer(request: IncomingMessage, body: string): Reply {
    const url = new URL(request.url ?? '/', 'http://shop')
    const [, first = '', second = ''] = url.pathname.split('/')
    const session = /(?:^|;\s*)sid=([^;]+)/.exec(request.headers.cookie ?? '')?.[1] ?? ''
    if (request.method === 'POST') return post(first, body, session)
    if (first === '') return page('Shop', `<p>Welcome. <a href="/products">${PRODUCTS.length} products</a></p>`)
    if (first === 'products') return second === '' ? list(url) : product(Number(second))
    if (first === 'search') return search(url.searchParams.get('q') ?? '')
    if (first === 'images') return image(Number.parseInt(second, 10))
    if (first === 'cart') return json(200, { items: carts.get(session) ?? [] })
    if (first === 'orders') return json(200, { order: second, state: 'packed' })
    return json(404, { error: 'no such page' })
  }

  function post(path: string, body: string, session: string): Reply {
    if (path === 'login') {
      const user = new URLSearchParams(body).get('user') ?? 'nobody'
      const sid = createHash('sha256').update(`${user} at ${host}`).digest('hex').slice(0, 24)
      return { ...json(200, { user }), headers: { 'set-cookie': `sid=${sid}; Path=/; HttpOnly` } }
    }
    if (path === 'cart') {
      const items = [...(carts.get(session) ?? []), Number(new URLSearchParams(body).get('product'))]
      carts.set(session, items.slice(-50))
      return json(201, { items: items.length })
    }
    orders++
    carts.delete(session)
    return json(201, { order: `${host}-${orders}` })
  }

  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (piece: string) => {
      if (body.length < MAX_BODY_BYTES) body += piece
    })
    request.on('end', () => {
      const reply = answer(request, body)
      const key = `${request.method} ${reply.status}`
      served.set(key, (served.get(key) ?? 0) + 1)
      setTimeout(() => send(request, response, reply), thinkTimeMs(request.url ?? ''))
    })
  })
  server.keepAliveTimeout = 60_000
  return { server, served }
}

/** What the page costs: 1 to 9 ms, the same for the same URL, search three times as much. */
function thinkTimeMs(url: string): number {
  const base = 1 + (hashText(url) % 90) / 10
  return url.startsWith('/search') ? base * 3 : base
}

function send(request: IncomingMessage, response: ServerResponse, reply: Reply): void {
  const compress = reply.type === 'application/json' && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
  const body = compress ? gzipSync(reply.body, { level: 1 }) : Buffer.from(reply.body)
  const headers = { 'content-type': reply.type, 'content-length': String(body.length), ...reply.headers }
  response.writeHead(reply.status, compress ? { ...headers, 'content-encoding': 'gzip' } : headers)
  response.end(request.method === 'HEAD' ? undefined : body)
}

function json(status: number, value: unknown): Reply {
  return { status, type: 'application/json', body: JSON.stringify(value) }
}

function page(title: string, content: string): Reply {
  return { status: 200, type: 'text/html; charset=utf-8', body: `<!doctype html><title>${title}</title>${content}\n` }
}

function list(url: URL): Reply {
  const from = (Math.max(1, Number(url.searchParams.get('page') ?? 1)) - 1) * PAGE_SIZE
  return json(200, { total: PRODUCTS.length, products: PRODUCTS.slice(from, from + PAGE_SIZE) })
}

function product(id: number): Reply {
  const found = PRODUCTS[id - 1]
  return found === undefined ? json(404, { error: 'no such product' }) : json(200, found)
}

function search(query: string): Reply {
  const found = PRODUCTS.filter(({ name }) => name.toLowerCase().includes(query.toLowerCase()))
  return json(200, { query, products: found.slice(0, PAGE_SIZE) })
}

/** Bytes that do not compress, 1 to 16 KiB, the same for the same product. */
function image(id: number): Reply {
  const seed = createHash('sha512').update(`image ${id}`).digest()
  const body = Buffer.concat(Array.from({ length: 16 + (hashText(String(id)) % 240) }, () => seed))
  return { status: 200, type: 'image/png', body, headers: { 'cache-control': 'max-age=3600' } }
}
