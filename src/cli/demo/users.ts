import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
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
  /** They fill carts and sometimes order; else they log in and look around. */
  readonly buys: boolean
}

/**
 * Synthetic users visit a shop on this machine until the signal aborts: each logs in, looks around, fills a cart, sometimes orders, and
 * comes back as somebody else. Every user has a connection of their own.
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

async function oneVisit(
  { port, buys, user }: { readonly port: number; readonly buys: boolean; readonly user: string },
  random: Random,
  visits: Visits,
  signal: AbortSignal,
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  let cookie = ''
  const go = async (method: string, path: string, form = ''): Promise<void> => {
    if (signal.aborted) return
    visits.requests++
    try {
      const setCookie = await fetchPage(agent, port, method, path, form, cookie)
      if (setCookie !== '') cookie = setCookie
    } catch {
      visits.failures++
    }
    await pause(random() * 2 * THINK_TIME_MS)
  }
  await go('GET', '/')
  await go('POST', '/login', `user=${user}&password=hunter2`)
  for (let pages = 3 + Math.floor(random() * 8); pages > 0; pages--) await go('GET', somePage(random))
  if (buys) {
    await go('POST', '/cart', `product=${1 + Math.floor(random() * 200)}`)
    await go('GET', '/cart')
    if (random() < 0.3) await go('POST', '/orders', 'pay=invoice')
  }
  agent.destroy()
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

/** One request, read to its end; resolves to the cookie that it set, '' where none. */
function fetchPage(
  agent: Agent,
  port: number,
  method: string,
  path: string,
  form: string,
  cookie: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = {
      'accept-encoding': 'gzip',
      'user-agent': 'demo-user/1',
      ...(cookie === '' ? {} : { cookie }),
      ...(form === '' ? {} : { 'content-type': 'application/x-www-form-urlencoded', 'content-length': form.length }),
    }
    const sent = request({ agent, host: '127.0.0.1', port, method, path, headers, timeout: 10_000 }, (response) => {
      response.resume()
      response.once('end', () => resolve(response.headers['set-cookie']?.[0]?.split(';', 1)[0] ?? ''))
      response.once('error', reject)
    })
    sent.once('timeout', () => sent.destroy(new Error('no answer in 10 s')))
    sent.once('error', reject)
    sent.end(form)
  })
}
