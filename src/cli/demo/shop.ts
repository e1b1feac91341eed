import { createHash } from 'node:crypto'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { gzipSync } from 'node:zlib'
import { hashText } from '../../core/random.ts'
import type { ShopData } from './shop-data.ts'

const PAGE_SIZE = 20
const MAX_BODY_BYTES = 64 * 1024

interface Reply {
  readonly status: number
  readonly type: string
  readonly body: string | Buffer
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * The sample shop of the demo: one host of a small service, real HTTP on a port of its own. It has pages, JSON (compressed where the
 * client takes it), images, a login with a session cookie, carts and orders, and answers in a few milliseconds. The caller listens
 * with the server and closes it.
 */
export function createShop(host: string, data: ShopData): Server {
  const carts = new Map<string, number[]>()

  async function answer(request: IncomingMessage, body: string): Promise<Reply> {
    const url = new URL(request.url ?? '/', 'http://shop')
    const [, first = '', second = ''] = url.pathname.split('/')
    const session = /(?:^|;\s*)sid=([^;]+)/.exec(request.headers.cookie ?? '')?.[1] ?? ''
    if (request.method === 'POST') return post(first, body, session)
    if (first === '') return page('Shop', '<p>Welcome. <a href="/products">All our products</a></p>')
    if (first === 'products') return second === '' ? list(data, url) : product(data, Number(second))
    if (first === 'search') return search(data, url.searchParams.get('q') ?? '')
    if (first === 'images') return image(Number.parseInt(second, 10))
    if (first === 'cart') return json(200, { items: carts.get(session) ?? [] })
    return json(404, { error: 'no such page' })
  }

  async function post(path: string, body: string, session: string): Promise<Reply> {
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
    const form = new URLSearchParams(body)
    const products = form.has('product') ? [Number(form.get('product'))] : (carts.get(session) ?? [])
    carts.delete(session)
    return json(201, { orders: await data.order(products, form.get('customer') ?? 'somebody') })
  }

  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (piece: string) => {
      if (body.length < MAX_BODY_BYTES) body += piece
    })
    request.on('end', () => {
      void answer(request, body)
        .catch((error: unknown) => json(500, { error: String(error) }))
        .then((reply) => setTimeout(() => send(request, response, reply), thinkTimeMs(request.url ?? '')))
    })
  })
  server.keepAliveTimeout = 60_000
  return server
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

async function list(data: ShopData, url: URL): Promise<Reply> {
  const from = (Math.max(1, Number(url.searchParams.get('page') ?? 1)) - 1) * PAGE_SIZE
  return json(200, await data.page(from, PAGE_SIZE))
}

async function product(data: ShopData, id: number): Promise<Reply> {
  const found = await data.product(id)
  return found === undefined ? json(404, { error: 'no such product' }) : json(200, found)
}

async function search(data: ShopData, query: string): Promise<Reply> {
  return json(200, { query, products: await data.search(query, PAGE_SIZE) })
}

/** Bytes that do not compress, 1 to 16 KiB, the same for the same product. */
function image(id: number): Reply {
  const seed = createHash('sha512').update(`image ${id}`).digest()
  const body = Buffer.concat(Array.from({ length: 16 + (hashText(String(id)) % 240) }, () => seed))
  return { status: 200, type: 'image/png', body, headers: { 'cache-control': 'max-age=3600' } }
}
