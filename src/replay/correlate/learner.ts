import { latin1 } from '../../core/bytes.ts'
import type { Exchange } from '../../core/exchange.ts'
import { hasResponse } from '../../core/exchange.ts'
import { parseHead } from '../../core/head.ts'
import { hashPair, hashText } from '../../core/random.ts'
import type { BitList } from './bit-list.ts'
import { Candidate, isKnownPair } from './candidate.ts'
import { generalPlace, takeFromBody, takeFromHead } from './issued-values.ts'
import { PlaceTable } from './place-table.ts'
import { RecentMap } from './recent-map.ts'
import type { CorrelateOptions, Rule } from './rules.ts'
import { isForbidden, MAX_RULES, ruleText, sinkRoute } from './rules.ts'
import type { SentValue } from './sent-values.ts'
import { sentValues } from './sent-values.ts'
import type { Strength } from './strength.ts'
import { strengthOf } from './strength.ts'
import { ValueMap } from './value-map.ts'

/** Values that are remembered, of all sessions: some 60 MB at most. */
const MAX_REMEMBERED_VALUES = 400_000

/** Pairs of places that are looked into. */
const MAX_CANDIDATES = 65_536

/** Places in which one value was issued. */
const MAX_SOURCES = 4

/** Connections and sessions whose values one session took over; the latest stay. */
const MAX_PARENTS = 8

/** Bodies of a route from which nothing was ever sent back are read no more after so many: lists and pages are most of a recording. */
const MAX_FRUITLESS_BODIES = 2_000

/** Whose request an exchange is, and where it stands: what the learner is told beside the exchange. */
export interface LearnedFrom {
  /** The session, by a number of its own, whatever the session's key; `parent`: whose values it took over. */
  readonly node: number
  readonly route: string
  /** It will be sent. */
  readonly sent: boolean
  /** Its place in its part, and the list of those whose replies are needed. */
  readonly sequence: number
  readonly sources: BitList
}

/**
 * Told of each value that a reply issues and that is too long for chance. `isLinked`: the request had such a value itself, from an
 * earlier reply of its session.
 */
export type OnIssued = (value: string, place: string, atNs: number, isLinked: boolean) => void

/** A value that a reply issued. */
interface Issued {
  readonly place: number
  readonly atNs: number
  readonly sent: boolean
  readonly sequence: number
  readonly sources: BitList
}

/** What is known of a value in a session. */
interface Known {
  /** The client sent it: what replies say of it later is an echo. */
  sent: boolean
  issued: Issued[]
}

/**
 * Learns, exchange by exchange, which values of requests came from earlier replies of the same session. One pass, in the order of
 * requests, in bounded memory: what is forgotten for want of room is not learnt.
 */
export class Learner {
  readonly #options: CorrelateOptions
  readonly #values = new ValueMap<Known>(MAX_REMEMBERED_VALUES)
  readonly #parents = new RecentMap<number, readonly number[]>(MAX_REMEMBERED_VALUES)
  /** Sessions, by a hash of the session and the place where a weak value was issued to it. */
  readonly #weakPlaces = new RecentMap<number, number>(MAX_REMEMBERED_VALUES)
  readonly #sourcePlaces = new PlaceTable()
  readonly #sinkPlaces = new PlaceTable()
  readonly #candidates = new Map<number, Candidate>()
  readonly #weakBySink = new Map<number, Candidate[]>()
  readonly #bodies = new Map<string, { read: number; useful: boolean }>()
  #unsentSources = 0
  #linked = false

  constructor(options: CorrelateOptions) {
    this.#options = options
  }

  /** Requests that need a value from a reply to a request which is not sent. */
  get unsentSources(): number {
    return this.#unsentSources
  }

  /** What was issued to `from` was issued to `node` too. */
  join(node: number, from: number): void {
    const parents = this.#parents.get(node) ?? []
    if (node !== from && !parents.includes(from)) this.#parents.set(node, [...parents, from].slice(-MAX_PARENTS))
  }

  /** Whether a value of the request that was learnt last came from a reply. */
  wasIssued(node: number, value: string): boolean {
    return (this.#knownOf(node, value)?.issued.length ?? 0) > 0
  }

  /** The values of a request that may have come from a reply. */
  sentBy({ request: { head, body } }: Exchange): readonly SentValue[] {
    return sentValues({ head: latin1(head), body: latin1(body), bodyStart: head.length, pathPrefix: '' })
  }

  /** Takes the next exchange, with the values that its request has. */
  learn(exchange: Exchange, values: readonly SentValue[], from: LearnedFrom, onIssued: OnIssued): void {
    this.#linked = false
    this.#learnRequest(exchange, values, from)
    if (hasResponse(exchange)) this.#learnResponse(exchange.response, from, onIssued)
  }

  /** The rules that are believed, the surest first, without those that are forbidden. */
  rules(): readonly Rule[] {
    const { rules: given, forbidden } = this.#options
    const pinned = new Set(given.map(({ sink }) => `${sink.route} ${sink.place}`))
    const learnt: Rule[] = []
    for (const candidate of this.#candidates.values()) {
      const rule = this.#ruleOf(candidate)
      if (rule === undefined || pinned.has(`${rule.sink.route} ${rule.sink.place}`)) continue
      if (!isForbidden(rule, forbidden)) learnt.push(rule)
    }
    learnt.sort((a, b) => b.hits - a.hits || (ruleText(a) < ruleText(b) ? -1 : 1))
    const added = given.map((rule): Rule => {
      const found = this.#candidateOf(rule)
      const { hits = 0, misses = 0, sessions = 0, values = 0 } = found ?? {}
      return { ...rule, confidence: 'configured', hits, misses, sessions, values }
    })
    return [...added, ...learnt].slice(0, MAX_RULES)
  }

  #ruleOf(candidate: Candidate): Rule | undefined {
    const { confidence, hits, misses, sessions, values } = candidate
    const source = this.#sourcePlaces.at(candidate.source)
    const sink = this.#sinkPlaces.at(candidate.sink)
    if (confidence === undefined || source === undefined || sink === undefined) return undefined
    return { source, sink, confidence, hits, misses, sessions, values }
  }

  #candidateOf({ source, sink }: Pick<Rule, 'source' | 'sink'>): Candidate | undefined {
    const places = [this.#sourcePlaces.find(source.route, source.place), this.#sinkPlaces.find(sink.route, sink.place)]
    const [from, to] = places
    return from === undefined || to === undefined ? undefined : this.#candidates.get(pairKey(from, to))
  }

  #learnRequest(exchange: Exchange, values: readonly SentValue[], from: LearnedFrom): void {
    const segments = from.route.slice(from.route.indexOf(' ') + 1).split('/')
    for (const { place, value } of values) {
      const strength = strengthOf(value)
      if (strength !== 'strong') {
        if (strength === 'none') continue
        // A word of the path that the route has too is the route's.
        if (place.startsWith('path ') && !/^[:*]/.test(segments[Number(place.slice(5))] ?? '*')) continue
      }
      this.#learnSent(exchange, from, generalPlace(place), value, strength)
    }
  }

  #learnSent(exchange: Exchange, from: LearnedFrom, place: string, value: string, strength: Strength): void {
    const sink = this.#sinkPlaces.of(sinkRoute(place, from.route), place)
    if (sink === undefined) return
    const known = this.#knownOf(from.node, value)
    // A reply that had not begun when the request was made is not where it came from.
    const issued = known?.issued.filter(({ atNs }) => atNs <= exchange.requestFirstNs) ?? []
    const hit: Candidate[] = []
    for (const one of issued) {
      const candidate = this.#candidate(one.place, sink)
      if (candidate === undefined) continue
      candidate.hit(from.node, hashText(value), strength)
      hit.push(candidate)
      if (strength === 'strong') this.#linked = true
      if (!from.sent) continue
      if (one.sent) one.sources.add(one.sequence)
      else this.#unsentSources += 1
      const route = this.#sourcePlaces.at(one.place)?.route
      const bodies = route === undefined ? undefined : this.#bodies.get(route)
      if (bodies !== undefined) bodies.useful = true
    }
    if (strength === 'weak') this.#countMisses(from.node, sink, hit)
    if (known === undefined) this.#values.set(from.node, value, { sent: true, issued: [] })
    else {
      known.sent = true
      known.issued = issued
    }
  }

  #countMisses(node: number, sink: number, hit: readonly Candidate[]): void {
    for (const candidate of this.#weakBySink.get(sink) ?? []) {
      if (hit.includes(candidate)) continue
      if (this.#weakPlaces.get(hashPair(node, candidate.source) | 0) === node) candidate.misses += 1
    }
  }

  #candidate(source: number, sink: number): Candidate | undefined {
    const key = pairKey(source, sink)
    const known = this.#candidates.get(key)
    if (known !== undefined || this.#candidates.size >= MAX_CANDIDATES) return known
    const from = this.#sourcePlaces.at(source)?.place ?? ''
    const to = this.#sinkPlaces.at(sink)?.place ?? ''
    // Cookies and validators come back under their own names only; elsewhere their text may show up by another way.
    if (from.startsWith('cookie ') && to.startsWith('cookie ') && from !== to) return undefined
    const candidate = new Candidate(source, sink, isKnownPair(from, to))
    this.#candidates.set(key, candidate)
    const others = this.#weakBySink.get(sink)
    if (others === undefined) this.#weakBySink.set(sink, [candidate])
    else others.push(candidate)
    return candidate
  }

  #learnResponse(
    response: { readonly head: Uint8Array; readonly body: Uint8Array; readonly firstNs: number },
    from: LearnedFrom,
    onIssued: OnIssued,
  ): void {
    const { sent, sequence, sources } = from
    const take = (place: string, value: string): boolean => {
      const strength = strengthOf(value)
      if (strength === 'none') return true
      const general = generalPlace(place)
      // In a list nearly every small number can be found.
      if (strength === 'weak' && general !== place) return true
      const ordinal = this.#sourcePlaces.of(from.route, general)
      if (ordinal === undefined) return true
      if (strength === 'strong') onIssued(value, place, response.firstNs, this.#linked)
      else this.#weakPlaces.set(hashPair(from.node, ordinal) | 0, from.node)
      this.#remember(from.node, value, { place: ordinal, atNs: response.firstNs, sent, sequence, sources })
      return true
    }
    const head = parseHead(response.head)
    takeFromHead(head, take)
    if (response.body.length === 0 || !this.#mayBeUseful(from.route)) return
    takeFromBody(head, response.body, take)
  }

  #mayBeUseful(route: string): boolean {
    const bodies = this.#bodies.get(route)
    if (bodies === undefined) this.#bodies.set(route, { read: 1, useful: false })
    else if (bodies.useful || bodies.read < MAX_FRUITLESS_BODIES) bodies.read += 1
    else return false
    return true
  }

  #remember(node: number, value: string, issued: Issued): void {
    const known = this.#values.get(node, value)
    if (known === undefined) {
      this.#values.set(node, value, { sent: false, issued: [issued] })
      return
    }
    if (known.sent) return
    const same = known.issued.findIndex(({ place }) => place === issued.place)
    if (same >= 0) known.issued[same] = issued
    else if (known.issued.length < MAX_SOURCES) known.issued.push(issued)
  }

  #knownOf(node: number, value: string): Known | undefined {
    const own = this.#values.get(node, value)
    if (own !== undefined) return own
    for (const parent of this.#parents.get(node) ?? []) {
      const taken = this.#values.get(parent, value)
      if (taken !== undefined) return taken
    }
    return undefined
  }
}

/** Ordinals of two places, put together: both are below 2^20. */
function pairKey(first: number, second: number): number {
  return first * 0x10_0000 + second
}
