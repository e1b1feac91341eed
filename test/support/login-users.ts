import { Agent, request } from 'node:http'

/** What a user of the shop keeps between requests, as a browser and its scripts would. */
interface Browser {
  readonly agent: Agent
  readonly port: number
  readonly tokenHeader: string
  cookie: string
  token: string
  failures: number
}

interface Answer {
  readonly status: number
  readonly body: string
  readonly location: string
  readonly etag: string
}

/** How users come to the shop. */
export interface ShopVisit {
  /** Content codings that the client takes. */
  readonly coding?: string
  /** Connections of a user. */
  readonly connections?: number
  /** With a form that sets a cookie, with one that sets none, or without any form, for a token alone. */
  readonly login?: Login
}

/** How users log in. */
export type Login = 'cookie' | 'form' | 'token'

/** Requests of one visit. */
export const STEPS_OF = { cookie: 15, form: 15, token: 11 } as const satisfies Record<Login, number>

/** Goes through the shop once as a user: form, login, token, an order, a refreshed token, changes. Resolves to requests that failed. */
export async function shopOnce(port: number, user: string, visit: ShopVisit = {}): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: visit.connections ?? 1 })
  const { login = 'cookie' } = visit
  const tokenHeader = login === 'token' ? 'x-auth-token' : 'authorization'
  const browser: Browser = { agent, port, tokenHeader, cookie: '', token: '', failures: 0 }
  const ask = (method: string, path: string, body?: string, lines: Record<string, string> = {}): Promise<Answer> =>
    send(browser, method, path, body, {
      ...(visit.coding === undefined ? {} : { 'accept-encoding': visit.coding }),
      ...lines,
    })
  try {
    if (login !== 'token') {
      const form = await ask('GET', login === 'form' ? '/form' : '/login')
      const csrf = /value="([^"]*)"/.exec(form.body)?.[1]?.replaceAll('&quot;', '"').replaceAll('&amp;', '&') ?? ''
      const fields = new URLSearchParams({ user, password: passwordOf(user), csrf_token: csrf })
      const urlencoded = { 'content-type': 'application/x-www-form-urlencoded' }
      const home = await ask('POST', '/login', fields.toString(), urlencoded)
      await ask('GET', home.location)
    }
    const json = { 'content-type': 'application/json' }
    browser.token = tokenIn(
      (await ask('POST', '/api/token', login === 'token' ? `{"user":"${user}"}` : '{}', json)).body,
    )
    for (let round = 0; round < 2; round++) {
      const made = await ask('POST', '/api/orders', JSON.stringify({ item: 'lamp', round }), json)
      const id = Number(made.location.split('/').at(-1))
      const order = await ask('GET', made.location)
      await ask('PUT', made.location, JSON.stringify({ orderId: id, note: 'größer' }), {
        ...json,
        'if-match': order.etag,
      })
      browser.token = tokenIn((await ask('POST', '/api/refresh', '{}', json)).body)
      await ask('GET', `/api/orders/${id}`)
    }
    if (login !== 'token') await ask('GET', '/account')
    return browser.failures
  } finally {
    agent.destroy()
  }
}

/** What users log in with. */
export function passwordOf(user: string): string {
  return `secret of ${user}`
}

function tokenIn(body: string): string {
  return /"token":"([^"]+)"/.exec(body)?.[1] ?? ''
}

function send(
  browser: Browser,
  method: string,
  path: string,
  body: string | undefined,
  lines: Record<string, string>,
): Promise<Answer> {
  const headers: Record<string, string> = { ...lines }
  if (browser.cookie !== '') headers['cookie'] = `theme=dark; sid=${browser.cookie}; lang=en`
  if (browser.token !== '') {
    headers[browser.tokenHeader] = browser.tokenHeader === 'authorization' ? `Bearer ${browser.token}` : browser.token
  }
  if (body !== undefined) headers['content-length'] = String(Buffer.byteLength(body))
  return new Promise((resolve, reject) => {
    const sent = request({ agent: browser.agent, host: '127.0.0.1', port: browser.port, method, path, headers })
    sent.on('error', reject)
    sent.on('response', (response) => {
      for (const line of response.headers['set-cookie'] ?? []) {
        browser.cookie = /^sid=([^;]*)/.exec(line)?.[1] ?? browser.cookie
      }
      if ((response.statusCode ?? 0) >= 400) browser.failures += 1
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('end', () => {
        const bytes = Buffer.concat(pieces)
        const { location = '', etag = '' } = response.headers
        void plain(bytes, response.headers['content-encoding']).then(
          (text) => resolve({ status: response.statusCode ?? 0, body: text, location, etag }),
          reject,
        )
      })
    })
    sent.end(body)
  })
}

async function plain(bytes: Buffer, coding: string | undefined): Promise<string> {
  const { brotliDecompressSync, gunzipSync } = await import('node:zlib')
  if (coding === 'br') return brotliDecompressSync(bytes).toString('utf8')
  return coding === 'gzip' ? gunzipSync(bytes).toString('utf8') : bytes.toString('utf8')
}
