import { asBuffer, latin1 } from '../../core/bytes.ts'
import type { Exchange } from '../../core/exchange.ts'
import { hasResponse } from '../../core/exchange.ts'
import { parseHead } from '../../core/head.ts'
import { hashPair } from '../../core/random.ts'
import { generalPlace, takeFromBody, takeFromHead } from './issued-values.ts'
import { RecentMap } from './recent-map.ts'
import type { RuleIndex } from './rule-index.ts'
import type { SentValue } from './sent-values.ts'
import { sentValues } from './sent-values.ts'
import type { PlannedSink, PlannedSource, ShotPlan } from './shot-plan.ts'
import { FIRST_SLOT, framedSinks, lengthIn } from './shot-plan.ts'
import { ValueMap } from './value-map.ts'

/** Values that a later request may need, of all sessions. */
const MAX_LIVE_VALUES = 400_000

/** Replies that issued one value. */
const MAX_ISSUERS = 8

/** Values that one reply is searched for. */
const MAX_SOURCES = 64

/** Numbers for slots and tickets, of one run: recordings share sessions. */
export class LinkNumbers {
  #next = FIRST_SLOT

  next(): number {
    const number = this.#next
    this.#next = number < 0xffff_ffff ? number + 1 : FIRST_SLOT
    return number
  }
}

/** A value that was issued in the recording, and how the replay names it. */
interface Live {
  readonly slot: number
  readonly ticket: number
  readonly atNs: number
  /** Of the sources that the reply was for it. */
  readonly sources: readonly number[]
}

/** A request that is to be linked to the replies it depends on. */
export interface Linked {
  readonly exchange: Exchange
  readonly session: number
  readonly route: string
  /** As it goes onto the wire. */
  readonly bytes: Uint8Array
  /** Values that were made anew, by how they are sent: what was recorded. */
  readonly recorded: ReadonlyMap<string, string>
  /** A later request needs its reply. */
  readonly isSource: boolean
}

/**
 * Follows a recording in the order of requests and finds, by the rules, which reply each value of a request came from: by the
 * recorded value. Everything is by session; what is forgotten for want of room is sent as it was recorded.
 */
export class Linker {
  readonly #rules: RuleIndex
  readonly #numbers: LinkNumbers
  readonly #pathPrefix: string
  readonly #live = new ValueMap<Live[]>(MAX_LIVE_VALUES)
  /** Sessions that were issued anything, and by hash of session and cookie those that were given a cookie. */
  readonly #issuedTo = new RecentMap<number, true>(MAX_LIVE_VALUES)
  readonly #cookiesOf = new RecentMap<number, number>(MAX_LIVE_VALUES)

  constructor(rules: RuleIndex, numbers: LinkNumbers, pathPrefix: string) {
    this.#rules = rules
    this.#numbers = numbers
    this.#pathPrefix = pathPrefix
  }

  /** Undefined where the request is sent as it is and its reply is not needed. */
  plan(linked: Linked): ShotPlan | undefined {
    const waits: number[] = []
    const { sinks, ...length } = this.#sinks(linked, waits)
    const ticket = this.#numbers.next()
    const sources = this.#sources(linked, ticket)
    if (sources.length === 0 && sinks.length === 0) return undefined
    return { ticket: sources.length === 0 ? 0 : ticket, sources, waits, sinks, ...length }
  }

  #sinks(linked: Linked, waits: number[]): Pick<ShotPlan, 'sinks' | 'lengthStart' | 'lengthEnd' | 'bodyStart'> {
    const none = { sinks: [], lengthStart: 0, lengthEnd: 0, bodyStart: 0 }
    if (this.#issuedTo.get(linked.session | 0) === undefined) return none
    const { bytes, route } = linked
    const wanted = this.#rules.wantedOf(route)
    const bodyStart = asBuffer(bytes).indexOf('\r\n\r\n') + 4
    const head = latin1(bytes, 0, bodyStart)
    // A chunked body is sent as it is: it has no length to correct.
    const body = wanted.body && lengthIn(head) !== null ? latin1(bytes, bodyStart) : ''
    const sinks: PlannedSink[] = []
    for (const sent of sentValues({ head, body, bodyStart, pathPrefix: this.#pathPrefix }, wanted)) {
      const sink = this.#sinkOf(sent, linked, waits)
      if (sink !== undefined) sinks.push(sink)
    }
    return sinks.length === 0 ? none : framedSinks(head, sinks)
  }

  #sinkOf(sent: SentValue, { session, route, exchange, recorded }: Linked, waits: number[]): PlannedSink | undefined {
    const { place, start, end, escape, value } = sent
    const live = this.#source(
      session,
      this.#rules.sourcesOf(route, generalPlace(place)),
      recorded.get(value) ?? value,
      exchange.requestFirstNs,
    )
    if (live !== undefined && !waits.includes(live.ticket)) waits.push(live.ticket)
    const cookie = place.startsWith('cookie ') ? this.#rules.cookieSlot(place.slice('cookie '.length)) : undefined
    if (
      cookie !== undefined &&
      (live !== undefined || this.#cookiesOf.get(hashPair(session, cookie) | 0) === session)
    ) {
      return { slot: cookie, start, end, escape, required: live !== undefined }
    }
    return live === undefined ? undefined : { slot: live.slot, start, end, escape, required: true }
  }

  /** The latest of the replies that had the value, of those whose first byte was there when the request was made. */
  #source(session: number, sources: readonly number[], value: string, atNs: number): Live | undefined {
    if (sources.length === 0) return undefined
    let latest: Live | undefined
    for (const live of this.#live.get(session, value) ?? []) {
      if (live.atNs > atNs || (latest !== undefined && latest.atNs > live.atNs)) continue
      if (live.sources.some((source) => sources.includes(source))) latest = live
    }
    return latest
  }

  #remember(session: number, value: string, live: Live): void {
    const known = this.#live.get(session, value)
    if (known === undefined) this.#live.set(session, value, [live])
    else {
      known.push(live)
      if (known.length > MAX_ISSUERS) known.shift()
    }
  }

  #sources({ exchange, session, route, isSource }: Linked, ticket: number): readonly PlannedSource[] {
    if (!hasResponse(exchange)) return []
    const { response } = exchange
    if (!isSource && !(this.#rules.hasCookies && mayBeSettingCookies(response.head))) return []
    const found: PlannedSource[] = []
    const take = (place: string, value: string): boolean => {
      const source = this.#rules.sourceOf(route, generalPlace(place))
      if (source === undefined) return true
      const cookie = place.startsWith('cookie ') ? this.#rules.cookieSlot(place.slice('cookie '.length)) : undefined
      if (cookie === undefined && !isSource) return true
      const slot = cookie ?? this.#numbers.next()
      found.push({ slot, place })
      this.#remember(session, value, { slot, ticket, atNs: response.firstNs, sources: source })
      if (cookie !== undefined) this.#cookiesOf.set(hashPair(session, cookie) | 0, session)
      this.#issuedTo.set(session | 0, true)
      return found.length < MAX_SOURCES
    }
    const head = parseHead(response.head)
    takeFromHead(head, take)
    if (isSource && found.length < MAX_SOURCES && this.#rules.readsBody(route)) takeFromBody(head, response.body, take)
    return found
  }
}

/** Is there a Set-Cookie in a head, in any of the ways that servers write it? Other ways are not found. */
function mayBeSettingCookies(head: Uint8Array): boolean {
  const bytes = asBuffer(head)
  return bytes.includes('et-Cookie') || bytes.includes('et-cookie') || bytes.includes('ET-COOKIE')
}
