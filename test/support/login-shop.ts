import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { brotliCompressSync, gzipSync } from 'node:zlib'

/** A reply of the shop. */
interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly json?: unknown
  readonly html?: string
}

interface Order {
  readonly id: number
  readonly user: string
  note: string
  version: number
}

/** A shop that only serves who logged in to it, and what it saw. */
export interface LoginShop {
  readonly server: Server
  /** Requests by `METHOD /first-segment status`. */
  readonly served: ReadonlyMap<string, number>
  /** Replies with a status of 400 or more. */
  readonly failures: () => number
}

/**
 * A small shop whose every instance issues tokens, ids and cookies of its own: GET /login has a CSRF token in a hidden field and a
 * session cookie for it, POST /login gives a new session cookie and redirects with a one-time code; GET /welcome takes the code; POST
 * /api/token gives a JWT, POST /api/refresh another for it; POST /api/orders issues a numeric id in JSON (compressed) and Location;
 * orders have ETags. GET /form is a login form without a cookie. POST /api/token also takes a user's name without any session, and
 * X-Auth-Token is as good as Authorization. Its login redirects to `origin`. With `revokesTokens` a token is over once another was given for it. Any password will do,
 * since a recording may hold a pseudonym of it, unless there is a `passwordOf` a user.
 */
export function createLoginShop(
  firstOrder: number,
  revokesTokens = true,
  origin = '',
  passwordOf?: (user: string) => string,
): LoginShop {
  const secret = randomUUID()
  const forms = new Map<string, string>()
  const openForms = new Set<string>()
  const sessions = new Map<string, { user: string; code: string }>()
  const tokens = new Map<string, string>()
  const orders = new Map<number, Order>()
  const served = new Map<string, number>()
  let [nextOrder, failed] = [firstOrder, 0]

  const newToken = (user: string): string => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const claims = `${part({ alg: 'HS256' })}.${part({ sub: user, jti: randomUUID() })}`
    const token = `${claims}.${createHash('sha256')
      .update(secret + claims)
      .digest('base64url')}`
    tokens.set(token, user)
    return token
  }
  const newCookie = (): string => randomBytes(12).toString('hex')

  function loginForm(hasCookie: boolean): Reply {
    const [cookie, csrf] = [newCookie(), `${randomBytes(12).toString('base64')}&"`]
    if (hasCookie) forms.set(cookie, csrf)
    else openForms.add(csrf)
    const value = csrf.replaceAll('&', '&amp;').replaceAll('"', '&quot;')
    const html = `<form method=post><input name=user><input value="${value}" type='hidden' name="csrf_token"></form>`
    return { status: 200, headers: hasCookie ? { 'set-cookie': `sid=${cookie}; Path=/; HttpOnly` } : {}, html }
  }

  function login(body: string, cookie: string): Reply {
    const form = new URLSearchParams(body)
    const csrf = form.get('csrf_token') ?? ''
    if (csrf !== forms.get(cookie) && !openForms.delete(csrf)) return { status: 403, json: { error: 'csrf' } }
    forms.delete(cookie)
    const user = form.get('user') ?? ''
    if (passwordOf !== undefined && form.get('password') !== passwordOf(user)) {
      return { status: 401, json: { error: 'password' } }
    }
    const [next, code] = [newCookie(), randomUUID()]
    sessions.set(next, { user, code })
    return {
      status: 302,
      headers: { location: `${origin}/welcome?code=${code}`, 'set-cookie': [`sid=${next}; Path=/`] },
    }
  }

  function page(path: string, url: URL, cookie: string): Reply {
    const session = sessions.get(cookie)
    if (session === undefined) return { status: 302, headers: { location: '/login' }, json: { error: 'log in' } }
    if (path === 'welcome' && url.searchParams.get('code') !== session.code)
      return { status: 400, json: { error: 'code' } }
    return { status: 200, html: `<h1>${session.user}</h1>` }
  }

  function api(request: IncomingMessage, path: readonly string[], body: string, cookie: string): Reply {
    const [kind, id = ''] = path
    if (kind === 'token') {
      const session = sessions.get(cookie)
      const user = session?.user ?? /"user":"([^"]+)"/.exec(body)?.[1]
      return user === undefined ? { status: 401 } : { status: 200, json: { token: newToken(user) } }
    }
    const { authorization = '', 'x-auth-token': other } = request.headers
    const bearer = typeof other === 'string' ? other : (/^Bearer (.*)$/.exec(authorization)?.[1] ?? '')
    const user = tokens.get(bearer)
    if (user === undefined) return { status: 401, json: { error: 'token' } }
    if (kind === 'refresh') {
      if (revokesTokens) tokens.delete(bearer)
      return { status: 200, json: { data: { token: newToken(user) } } }
    }
    if (kind !== 'orders') return { status: 404 }
    return request.method === 'POST' ? newOrder(user, body) : order(request, Number(id), user, body)
  }

  function newOrder(user: string, body: string): Reply {
    const made = { id: nextOrder++, user, note: body, version: 1 }
    orders.set(made.id, made)
    const headers = { location: `/api/orders/${made.id}` }
    return { status: 201, headers, json: { order: { id: made.id, item: 'lamp' }, note: 'thank you' } }
  }

  function order(request: IncomingMessage, id: number, user: string, body: string): Reply {
    const found = orders.get(id)
    if (found === undefined || found.user !== user) return { status: 404, json: { error: `no order ${id}` } }
    const tag = (): string => `"${id}-${secret.slice(0, 8)}-${found.version}"`
    if (request.method === 'PUT') {
      if (request.headers['if-match'] !== tag()) return { status: 412, json: { error: 'changed' } }
      const change: unknown = JSON.parse(body)
      if ((change as { orderId?: unknown }).orderId !== id) return { status: 409, json: { error: 'another order' } }
      found.version += 1
    }
    return { status: 200, headers: { etag: tag() }, json: { order: { id, version: found.version } } }
  }

  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://shop')
      const [first = '', ...rest] = url.pathname.slice(1).split('/')
      const cookie = /(?:^|;\s*)sid=([^;]+)/.exec(request.headers.cookie ?? '')?.[1] ?? ''
      const body = Buffer.concat(pieces).toString('utf8')
      const reply =
        first === 'api'
          ? api(request, rest, body, cookie)
          : first === 'login'
            ? request.method === 'POST'
              ? login(body, cookie)
              : loginForm(true)
            : first === 'form'
              ? loginForm(false)
              : page(first, url, cookie)
      const key = `${request.method} /${first} ${reply.status}`
      served.set(key, (served.get(key) ?? 0) + 1)
      if (reply.status >= 400 || reply.headers?.['location'] === '/login') failed += 1
      send(request, response, reply)
    })
  })
  server.keepAliveTimeout = 60_000
  return { server, served, failures: () => failed }
}

/** JSON is compressed where the client takes it, and chunked then. */
function send(request: IncomingMessage, response: ServerResponse, { status, headers, json, html }: Reply): void {
  const type = html === undefined ? 'application/json' : 'text/html; charset=utf-8'
  const body = html ?? (json === undefined ? '' : JSON.stringify(json))
  const accepted = request.headers['accept-encoding'] ?? ''
  const coding = body === '' ? '' : (/\b(br|gzip)\b/.exec(accepted)?.[1] ?? '')
  response.writeHead(status, {
    ...(headers as Record<string, string | string[]>),
    'content-type': type,
    ...(coding === '' ? { 'content-length': Buffer.byteLength(body) } : { 'content-encoding': coding }),
  })
  if (coding === '') response.end(body)
  else {
    const bytes = coding === 'br' ? brotliCompressSync(body) : gzipSync(body)
    response.write(bytes.subarray(0, 7))
    response.end(bytes.subarray(7))
  }
}
