import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import type { Random } from '../../core/random.ts'
import { seededRandom } from '../../core/random.ts'

/** What the demo's users did: they count for themselves, so that recordings can be held against it. */
export interface Visits {
  requests: number
  failures: number
}

/** Each user pauses this long between two pages, on average. */
const THINK_TIME_MS = 120

/** How users visit a shop. */
export interface VisitPlan {
  readonly users: number
  readonly seed: number
  /** They log in, fill carts and sometimes order; else they only look around. */
  readonly buys: boolean
}

/**
 * Synthetic users visit a shop on this machine until the signal aborts: each looks around, logs in to fill a cart and sometimes
 * order, and comes back as somebody else. Every user has a connection of their own.
 */
export async function visitShop(port: number, plan: VisitPlan, signal: AbortSignal): Promise<Visits> {
  const { users, seed, buys } = plan
  const visits: Visits = { requests: 0, failures: 0 }
  const all = Array.from({ length: users }, async (_, index) => {
    const random = seededRandom(seed * 1000 + index)
    await pause(random() * 500)
    while (!signal.aborted)
      await oneVisit(
        { port, buys, user: `user-${seed}-${index}-${Math.floor(random() * 1e6)}` },
        random,
        visits,
        signal,
      )
  })
  await Promise.all(all)
  return visits
}

/** What a user's browser keeps, and the scripts in it. */
interface Browser {
  readonly agent: Agent
  readonly port: number
  cookie: string
  token: string
}

async function oneVisit(
  { port, buys, user }: { readonly port: number; readonly buys: boolean; readonly user: string },
  random: Random,
  visits: Visits,
  signal: AbortSignal,
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const browser: Browser = { agent, port, cookie: '', token: '' }
  const go = async (method: string, path: string, form = ''): Promise<string> => {
    if (signal.aborted) return ''
    visits.requests++
    const reply = await fetchPage(browser, method, path, form).catch(() => undefined)
    if (reply === undefined || isRefusal(reply.status)) visits.failures++
    await pause(random() * 2 * THINK_TIME_MS)
    return reply?.text ?? ''
  }
  const look = async (least: number, most: number): Promise<void> => {
    for (let pages = least + Math.floor(random() * (most - least)); pages > 0; pages--)
      await go('GET', somePage(random))
  }
  await go('GET', '/')
  if (buys) {
    const csrf = /name="csrf" type="hidden" value="([^"]*)"/.exec(await go('GET', '/login'))?.[1] ?? ''
    await go('POST', '/login', new URLSearchParams({ user, password: 'hunter2', csrf }).toString())
    await go('GET', '/account')
    browser.token = /"token":"([^"]*)"/.exec(await go('POST', '/token'))?.[1] ?? ''
  }
  await look(3, 8)
  if (buys) {
    await go('POST', '/cart', `product=${1 + Math.floor(random() * 200)}`)
    await go('GET', '/cart')
    const ordered = random() < 0.5 ? await go('POST', '/orders', 'pay=invoice') : ''
    const order = /"orders":\["([^"]*)"/.exec(ordered)?.[1]
    if (order !== undefined) await go('GET', `/orders/${order}`)
  }
  agent.destroy()
}

/** Users ask for what is not there now and then; anything else that goes wrong is a failure. */
function isRefusal(status: number): boolean {
  return status >= 400 && status !== 404
}

function somePage(random: Random): string {
  const chance = random()
  const id = 1 + Math.floor(random() ** 2 * 200)
  if (chance < 0.2) return `/products?page=${1 + Math.floor(random() * 10)}`
  if (chance < 0.55) return `/products/${id}`
  if (chance < 0.85) return `/images/${id}.png`
  if (chance < 0.98) return `/search?q=${['lamp', 'rug', 'oak', 'vase'][id % 4]}`
  return `/products/${1000 + id}`
}

/** One request, read to its end, with what the browser keeps of it. JSON comes compressed, and is `text` as it was. */
function fetchPage(
  browser: Browser,
  method: string,
  path: string,
  form: string,
): Promise<{ status: number; text: string }> {
  const { agent, port, cookie, token } = browser
  const headers = {
    'accept-encoding': 'gzip',
    'user-agent': 'demo-user/1',
    ...(cookie === '' ? {} : { cookie }),
    ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
    ...(method === 'GET' ? {} : { 'content-type': 'application/x-www-form-urlencoded', 'content-length': form.length }),
  }
  return new Promise((resolve, reject) => {
    const sent = request({ agent, host: '127.0.0.1', port, method, path, headers, timeout: 10_000 }, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.once('end', () => {
        browser.cookie = response.headers['set-cookie']?.[0]?.split(';', 1)[0] ?? browser.cookie
        const body = Buffer.concat(pieces)
        const plain = response.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body
        resolve({ status: response.statusCode ?? 0, text: plain.toString('utf8') })
      })
      response.once('error', reject)
    })
    sent.once('timeout', () => sent.destroy(new Error('no answer in 10 s')))
    sent.once('error', reject)
    sent.end(form)
  })
}
