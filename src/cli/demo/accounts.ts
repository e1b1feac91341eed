import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import { unixNs } from '../../core/clock.ts'

/** Sessions and orders that a shop remembers: many more than a demo makes; the oldest go first. */
const MAX_REMEMBERED = 20_000

/** Goods in one cart; the first to go in go first. */
const MAX_CART = 50

/** Seconds that a token is good for. */
const TOKEN_LIFE_S = 3_600

/** Who is logged in, and what is in the cart. */
export interface Visitor {
  readonly user: string
  cart: readonly number[]
}

/**
 * Who is known at one shop of the demo. Each instance signs with a secret of its own and chooses its own ids, as real services do:
 * what another instance issued is worth nothing here. Passwords are not looked at: a recording has only pseudonyms of them.
 */
export class Accounts {
  readonly #secret = randomBytes(32)
  readonly #visitors = new Map<string, Visitor>()
  readonly #orders = new Map<string, string>()

  /** For a login form: a cookie for whoever asks for it, and the token that must come back with it. */
  newForm(): { readonly cookie: string; readonly csrf: string } {
    const cookie = randomBytes(12).toString('hex')
    return { cookie, csrf: this.#sign(cookie) }
  }

  /** The cookie of the session that begins; undefined where the form was not this shop's, or another client's. */
  login(cookie: string, csrf: string, user: string): string | undefined {
    if (csrf !== this.#sign(cookie)) return undefined
    const next = randomBytes(12).toString('hex')
    remember(this.#visitors, next, { user, cart: [] })
    return next
  }

  visitorOf(cookie: string): Visitor | undefined {
    return this.#visitors.get(cookie)
  }

  addToCart(visitor: Visitor, product: number): void {
    visitor.cart = [...visitor.cart, product].slice(-MAX_CART)
  }

  /** A JSON Web Token (RFC 7519), signed with HS256. */
  newToken(user: string): string {
    const now = Math.floor(nowMs() / 1_000)
    const claims = { sub: user, jti: randomUUID(), iat: now, exp: now + TOKEN_LIFE_S }
    const signed = [{ alg: 'HS256', typ: 'JWT' }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.')
    return `${signed}.${this.#sign(signed)}`
  }

  /** Whose token an Authorization header has; undefined where it is none of this shop's, or over. */
  userOf(authorization: string): string | undefined {
    const [, signed = '', claims = '', signature = ''] = /^Bearer ([^.]+\.([^.]+))\.([^.]+)$/.exec(authorization) ?? []
    if (signature === '' || signature !== this.#sign(signed)) return undefined
    // Signed by this shop, so written by it.
    const written = Buffer.from(claims, 'base64url').toString('utf8')
    const isOver = Number(/"exp":(\d+)/.exec(written)?.[1]) * 1_000 <= nowMs()
    return isOver ? undefined : /"sub":"([^"]*)"/.exec(written)?.[1]
  }

  addOrders(user: string, orders: readonly string[]): void {
    for (const order of orders) remember(this.#orders, order, user)
  }

  /** Who ordered it; undefined where nobody did. */
  buyerOf(order: string): string | undefined {
    return this.#orders.get(order)
  }

  #sign(text: string): string {
    return createHmac('sha256', this.#secret).update(text).digest('base64url')
  }
}

function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.set(key, value)
  if (map.size <= MAX_REMEMBERED) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}

/** Milliseconds since 1970. */
function nowMs(): number {
  return Number(unixNs() / 1_000_000n)
}
