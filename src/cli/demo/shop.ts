import { createHash } from 'node:crypto'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { gzipSync } from 'node:zlib'
import { hashText } from '../../core/random.ts'
import { Accounts } from './accounts.ts'
import type { ShopData } from './shop-data.ts'

const PAGE_SIZE = 20
const MAX_BODY_BYTES = 64 * 1024

interface Reply {
  readonly status: number
  readonly type: string
  readonly body: string | Buffer
  readonly headers?: Readonly<Record<string, string>>
}

/** What a request comes with, for those who answer it. */
interface Asked {
  readonly url: URL
  readonly method: string
  readonly form: URLSearchParams
  /** The session's, '' without one. */
  readonly cookie: string
  readonly authorization: string
}

/**
 * The sample shop of the demo: one host of a small service, real HTTP on a port of its own. It has pages, JSON (compressed where the
 * client takes it), images, carts and orders, and answers in a few milliseconds. Who buys logs in: GET /login has a token in a hidden
 * field and sets a cookie, POST /login wants both and sets the session's cookie, POST /token gives a JWT for it, carts want the
 * cookie and orders the JWT. An order of one product needs no login. The caller listens with the server and closes it.
 */
export function createShop(data: ShopData): Server {
  const accounts = new Accounts()

  async function answer(asked: Asked): Promise<Reply> {
    const { url, method } = asked
    const [, first = '', second = ''] = url.pathname.split('/')
    if (method === 'POST') return post(first, asked)
    if (first === '') return page('Shop', '<p>Welcome. <a href="/products">All our products</a></p>')
    if (first === 'products') return second === '' ? list(data, url) : product(data, Number(second))
    if (first === 'search') return search(data, url.searchParams.get('q') ?? '')
    if (first === 'images') return image(Number.parseInt(second, 10))
    if (first === 'login') return loginForm(accounts)
    if (first === 'orders') return order(second, asked.authorization)
    const visitor = accounts.visitorOf(asked.cookie)
    if (first === 'account') return visitor === undefined ? refused() : page('Account', '<p>Your orders.</p>')
    if (first === 'cart') return visitor === undefined ? refused() : json(200, { items: visitor.cart })
    return json(404, { error: 'no such page' })
  }

  async function post(path: string, { form, cookie, authorization }: Asked): Promise<Reply> {
    if (path === 'login') return login(accounts, cookie, form)
    if (path === 'orders' && form.has('product')) {
      return json(201, { orders: await data.order([Number(form.get('product'))], form.get('customer') ?? 'somebody') })
    }
    const visitor = accounts.visitorOf(cookie)
    if (visitor === undefined) return refused()
    if (path === 'token') return json(200, { token: accounts.newToken(visitor.user) })
    if (path === 'cart') {
      accounts.addToCart(visitor, Number(form.get('product')))
      return json(201, { items: visitor.cart.length })
    }
    const user = accounts.userOf(authorization)
    if (path !== 'orders' || user === undefined)
      return path === 'orders' ? refused() : json(404, { error: 'no such page' })
    const orders = await data.order(visitor.cart, user)
    visitor.cart = []
    accounts.addOrders(user, orders)
    return json(201, { orders })
  }

  function order(id: string, authorization: string): Reply {
    const user = accounts.userOf(authorization)
    if (user === undefined) return refused()
    return accounts.buyerOf(id) === user
      ? json(200, { order: id, customer: user })
      : json(404, { error: 'no such order' })
  }

  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (piece: string) => {
      if (body.length < MAX_BODY_BYTES) body += piece
    })
    request.on('end', () => {
      void answer(askedOf(request, body))
        .catch((error: unknown) => json(500, { error: String(error) }))
        .then((reply) => setTimeout(() => send(request, response, reply), thinkTimeMs(request.url ?? '')))
    })
  })
  server.keepAliveTimeout = 60_000
  return server
}

function askedOf({ url = '/', method = 'GET', headers }: IncomingMessage, body: string): Asked {
  return {
    url: new URL(url, 'http://shop'),
    method,
    form: new URLSearchParams(body),
    cookie: /(?:^|;\s*)sid=([^;]+)/.exec(headers.cookie ?? '')?.[1] ?? '',
    authorization: headers.authorization ?? '',
  }
}

function loginForm(accounts: Accounts): Reply {
  const { cookie, csrf } = accounts.newForm()
  const fields = `<input name="user"><input name="password" type="password"><input name="csrf" type="hidden" value="${csrf}">`
  return { ...page('Log in', `<form method="post">${fields}</form>`), headers: sessionCookie(cookie) }
}

function login(accounts: Accounts, cookie: string, form: URLSearchParams): Reply {
  const next = accounts.login(cookie, form.get('csrf') ?? '', form.get('user') ?? 'nobody')
  if (next === undefined) return json(403, { error: 'this form is not from here' })
  return { ...json(303, {}), headers: { location: '/account', ...sessionCookie(next) } }
}

function sessionCookie(value: string): Readonly<Record<string, string>> {
  return { 'set-cookie': `sid=${value}; Path=/; HttpOnly; SameSite=Lax` }
}

function refused(): Reply {
  return json(401, { error: 'log in first' })
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
