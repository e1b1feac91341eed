import { asBuffer, latin1 } from '../core/bytes.ts'
import type { Escape } from './correlate/escape.ts'
import { escaped } from './correlate/escape.ts'
import { RecentMap } from './correlate/recent-map.ts'
import type { WantedPlaces } from './correlate/sent-values.ts'
import { headerShapes, sentValues } from './correlate/sent-values.ts'
import type { PlannedSink } from './correlate/shot-plan.ts'
import { framedSinks } from './correlate/shot-plan.ts'
import { substitute } from './correlate/substitute.ts'
import type { JwtKey } from './jwt-key.ts'

/** What of requests is made anew because it was good for the time of the recording only. */
export interface RenewalOptions {
  /** Signs JSON Web Tokens anew, their times shifted; undefined: they are sent as they are. */
  readonly jwtKey: JwtKey | undefined
  /** Places of times that are shifted too: `query ts`, `header x-time`, `json .sentAt`, `form at`. */
  readonly times: readonly string[]
}

/** A request, and what of it was made anew. */
export interface Renewed {
  readonly bytes: Uint8Array
  /** By the value that is sent: what was recorded. */
  readonly recorded: ReadonlyMap<string, string>
}

/** Tokens that are remembered: signing takes up to a millisecond. */
const MAX_TOKENS = 10_000

const TOKEN = /^(eyJ[\w-]+)\.(eyJ[\w-]+)\.[\w-]*$/
const NOTHING: ReadonlyMap<string, string> = new Map()

/** Whether a value has the form of a signed JSON Web Token (RFC 7519), whatever its signature is worth. */
export function isToken(value: string): boolean {
  return TOKEN.test(value)
}

/** Makes tokens and times of one recording good for the time of the replay: all are shifted by as much as lies between. */
export class Renewal {
  readonly #key: JwtKey | undefined
  readonly #times: ReadonlySet<string>
  readonly #shiftMs: number
  readonly #wanted: WantedPlaces
  readonly #tokens = new RecentMap<string, string>(MAX_TOKENS)

  constructor({ jwtKey, times }: RenewalOptions, shiftMs: number) {
    this.#key = jwtKey
    this.#times = new Set(times)
    this.#shiftMs = shiftMs
    this.#wanted = wantedPlaces(jwtKey !== undefined, times)
  }

  /** `pathPrefix`: as for `sentValues`. */
  renew(bytes: Uint8Array, pathPrefix: string): Renewed {
    const bodyStart = asBuffer(bytes).indexOf('\r\n\r\n') + 4
    const head = latin1(bytes, 0, bodyStart)
    const body = this.#wanted.body ? latin1(bytes, bodyStart) : ''
    const sinks: PlannedSink[] = []
    const values: string[] = []
    const recorded = new Map<string, string>()
    for (const { place, value, start, end, escape } of sentValues(
      { head, body, bodyStart, pathPrefix },
      this.#wanted,
    )) {
      const renewed = this.#renewed(place, value)
      if (renewed === undefined || renewed === value) continue
      recorded.set(renewed, value)
      sinks.push({ slot: values.length, start, end, escape, required: false })
      values.push(renewed)
    }
    if (sinks.length === 0) return { bytes, recorded: NOTHING }
    const plan = { ticket: 0, sources: [], waits: [], ...framedSinks(head, sinks) }
    // A copy: the request's bytes may be lent by the recording's reader.
    const written = substitute(Buffer.from(bytes), 0, bytes.length, plan, {
      has: () => false,
      bytesOf: (slot: number, escape: Escape) => escaped(values[slot] ?? '', escape),
    })
    return typeof written === 'string' ? { bytes, recorded: NOTHING } : { bytes: written, recorded }
  }

  #renewed(place: string, value: string): string | undefined {
    if (this.#times.has(place)) return shiftedTime(value, this.#shiftMs)
    if (this.#key === undefined || !isToken(value)) return undefined
    const known = this.#tokens.get(value)
    if (known !== undefined) return known
    const token = signedAnew(value, this.#key, this.#shiftMs)
    if (token !== undefined) this.#tokens.set(value, token)
    return token
  }
}

/** Tokens stand in headers and cookies, as a rule, and nowhere without a body to be read for; times where they are named. */
function wantedPlaces(hasKey: boolean, times: readonly string[]): WantedPlaces {
  const isNamed = (kind: string): boolean => times.some((place) => place.startsWith(`${kind} `))
  return {
    path: false,
    query: hasKey || isNamed('query'),
    body: isNamed('form') || isNamed('json'),
    shapes: hasKey
      ? new Uint32Array(32).fill(0xffff_ffff)
      : headerShapes([
          'content-type',
          'content-encoding',
          'cookie',
          ...times.map((place) => place.split(' ')[1] ?? ''),
        ]),
    header: (name) => hasKey || times.includes(`header ${name}`),
    cookie: (name) => hasKey || times.includes(`cookie ${name}`),
  }
}

/** When a token is good, by name (RFC 7519 4.1). */
const TIME_CLAIMS = ['exp', 'iat', 'nbf'] as const

/** Its claims shifted and signed; undefined where it is none. */
function signedAnew(token: string, key: JwtKey, shiftMs: number): string | undefined {
  const [, headerPart = '', claimsPart = ''] = TOKEN.exec(token) ?? []
  const [header, claims] = [objectIn(headerPart), objectIn(claimsPart)]
  if (header === undefined || claims === undefined) return undefined
  for (const name of TIME_CLAIMS) {
    const seconds = claims[name]
    if (typeof seconds === 'number') claims[name] = Math.round(seconds + shiftMs / 1_000)
  }
  const parts = [{ ...header, alg: key.algorithm }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  )
  const signed = parts.join('.')
  return `${signed}.${key.sign(signed)}`
}

function objectIn(part: string): Record<string, unknown> | undefined {
  try {
    const found: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return typeof found === 'object' && found !== null ? { ...found } : undefined
  } catch {
    return undefined
  }
}

/** By the digits of a time since 1970 (from 2001 to 2286), its unit in nanoseconds. */
const UNITS_NS: ReadonlyMap<number, bigint> = new Map([
  [10, 1_000_000_000n],
  [13, 1_000_000n],
  [16, 1_000n],
  [19, 1n],
])

/** A time in the form that it has: digits since 1970, or ISO 8601 in UTC; undefined where it is neither. */
export function shiftedTime(value: string, shiftMs: number): string | undefined {
  const unitNs = /^\d+$/.test(value) ? UNITS_NS.get(value.length) : undefined
  if (unitNs !== undefined) {
    const shifted = String(BigInt(value) + (BigInt(Math.round(shiftMs)) * 1_000_000n) / unitNs)
    return shifted.length === value.length ? shifted : undefined
  }
  const [, fraction = ''] = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.exec(value) ?? []
  const atMs = Date.parse(value)
  if (!value.endsWith('Z') || Number.isNaN(atMs)) return undefined
  const shifted = new Date(atMs + Math.round(shiftMs)).toISOString()
  const digits = shifted.slice(20, 23).padEnd(Math.max(0, fraction.length - 1), '0')
  return shifted.slice(0, 19) + (fraction === '' ? '' : `.${digits.slice(0, fraction.length - 1)}`) + 'Z'
}
