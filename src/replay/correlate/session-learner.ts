import type { Exchange } from '../../core/exchange.ts'
import type { ConnectionTable, SessionTable } from '../session-table.ts'
import { BitList } from './bit-list.ts'
import type { Correlation, LearntPart } from './correlation.ts'
import type { Issuer, KeylessSession, SeenValue } from './keyless-session.ts'
import { AdoptedExchanges } from './keyless-session.ts'
import type { LearnedFrom } from './learner.ts'
import { Learner } from './learner.ts'
import { RuleIndex } from './rule-index.ts'
import type { CorrelateOptions } from './rules.ts'
import type { SentValue } from './sent-values.ts'
import { strengthOf } from './strength.ts'
import { ValueMap } from './value-map.ts'

/** Values that replies issued and that may become the key of a session, or tell whose a request without one is. */
const MAX_ISSUED_KEYS = 200_000

/** Shorter values of bodies are ids: a token that stands for a session is not to be guessed. */
const LEAST_TOKEN_CHARS = 16

/** Connections without a session have numbers of their own, above those of sessions. */
const FIRST_ROW_NODE = 0x1_0000_0000

/**
 * A client may log in again from one session. One that does so more often issues tokens to others: a gateway, whose users are
 * sessions of their own.
 */
const MAX_SUCCESSORS = 2

/** Requests without a key that values give to one session: more than a client sends, and few enough that a wrong guess moves no crowd. */
const MAX_KEYLESS = 1_024

/** Masked requests that may be logins, in one part. */
const MAX_MASKED_LOGINS = 100_000

/** A request that is to be learnt from, and what the survey knows of it. */
export interface SurveyedRequest {
  /** As `sessionOf` gave it. */
  readonly session: number | undefined
  readonly row: number
  readonly route: string
  /** It will be sent. */
  readonly sent: boolean
  /** It will be sent with masked values. */
  readonly masked: boolean
}

/** Whether a value of a request is masked, and sent as it is. */
export type IsMaskedValue = (place: string, value: string) => boolean

/** What a client keeps of a page for the next time, and what was issued once may be the same for all. */
const VALIDATORS: ReadonlySet<string> = new Set(['header etag', 'header last-modified'])

/**
 * Learns from exchanges of all recordings, and knows whose they are: a login changes the cookie or the token that names a session,
 * and the session is still the same client's. Requests without a key, such as the login itself, are known by the values they send.
 */
export class SessionLearner {
  readonly #sessions: SessionTable
  readonly #learner: Learner
  readonly #seen = new ValueMap<SeenValue>(MAX_ISSUED_KEYS)
  /** By key: how many other keys went on in its place. */
  readonly #successors = new ValueMap<number>(MAX_ISSUED_KEYS)
  readonly #parts = new Map<object, LearntPart>()
  #connections: ConnectionTable | undefined
  #rowBase = FIRST_ROW_NODE
  #part: LearntPart = { sources: new BitList(), adopted: new AdoptedExchanges() }
  #sequence = 0
  #keyless = 0
  readonly #isMasked: IsMaskedValue
  readonly #maskedLogins: { readonly sources: BitList; readonly sequence: number }[] = []
  #maskedStrangers = 0

  constructor(options: CorrelateOptions, sessions: SessionTable, isMasked: IsMaskedValue) {
    this.#sessions = sessions
    this.#isMasked = isMasked
    this.#learner = new Learner(options)
  }

  /** The exchanges that follow are of this recording. */
  beginRecording(connections: ConnectionTable): void {
    this.#rowBase += this.#connections?.span ?? 0
    this.#connections = connections
  }

  /** And of this part of it, from its first one on. */
  beginPart(part: object): void {
    this.#part = { sources: new BitList(), adopted: new AdoptedExchanges() }
    this.#sequence = 0
    this.#parts.set(part, this.#part)
  }

  /** The ordinal of an exchange's key, which is that of an earlier one where this was issued in its place; undefined without a key. */
  sessionOf(exchange: Exchange, row: number): number | undefined {
    const { session: key } = exchange
    const connections = this.#connections
    if (key === '' || connections === undefined) return undefined
    if (!this.#sessions.has(key)) this.#succeed(key, exchange)
    const session = this.#sessions.ordinalOf(key)
    if (connections.sessionOf(row) === undefined && !connections.isPool(row)) {
      this.#learner.join(session, this.#rowBase + row)
    }
    return session
  }

  /** Takes the next exchange, after its connection was told of its session. */
  learn(exchange: Exchange, { session, row, route, sent, masked }: SurveyedRequest): void {
    const connections = this.#connections
    if (connections === undefined) return
    const sequence = this.#sequence++
    const values = this.#learner.sentBy(exchange)
    const keyless = this.#ownerOf(exchange, values, session, { connections, row, sequence })
    const ofConnection = connections.sessionOf(row)
    const owner = session ?? keyless?.ordinal
    const node = owner ?? ofConnection ?? this.#rowBase + row
    const from: LearnedFrom = { node, route, sent, sequence, sources: this.#part.sources }
    let issuer: Issuer | undefined
    this.#learner.learn(exchange, values, from, (value, place, atNs, isLinked) => {
      if (VALIDATORS.has(place)) return
      if (value.length < LEAST_TOKEN_CHARS && !/^(?:cookie|html|location) /.test(place)) return
      issuer ??= {
        // What came without a key on a connection of a session may be another client's, unless it proved not to be.
        session: owner ?? (isLinked ? ofConnection : undefined),
        row,
        node,
        connections,
        key: exchange.session,
        atNs,
        sequence,
        adopted: this.#part.adopted,
        keyless,
        successors: 0,
      }
      this.#issued(value, issuer)
    })
    if (masked) this.#countMasked(exchange, values, node, sequence)
  }

  /** Passes over an exchange that is not to be learnt from. */
  skip(): void {
    this.#sequence += 1
  }

  finish(): Correlation {
    const rules = this.#learner.rules()
    return {
      rules,
      index: new RuleIndex(rules),
      parts: this.#parts,
      unsentSources: this.#learner.unsentSources,
      maskedLogins: this.#maskedLogins.filter(({ sources, sequence }) => sources.has(sequence)).length,
      maskedStrangers: this.#maskedStrangers,
    }
  }

  /** Masked values that came from no reply are what the target did not issue: it cannot know them. */
  #countMasked({ session: key }: Exchange, values: readonly SentValue[], node: number, sequence: number): void {
    let [hasSecret, isStranger] = [false, false]
    for (const { place, value } of values) {
      if (!this.#isMasked(place, value) || this.#learner.wasIssued(node, value)) continue
      const [kind = '', name = ''] = place.split(' ', 2)
      if (key !== '' && key.startsWith(`${name}=`) && (kind === 'cookie' || kind === 'header')) isStranger = true
      else if (kind === 'form' || kind === 'json' || place === 'header authorization') hasSecret = true
    }
    if (isStranger) this.#maskedStrangers += 1
    if (!hasSecret || this.#maskedLogins.length >= MAX_MASKED_LOGINS) return
    this.#maskedLogins.push({ sources: this.#part.sources, sequence })
  }

  #issued(value: string, issuer: Issuer): void {
    const known = this.#seen.get(0, value)
    if (known === undefined) {
      this.#seen.set(0, value, { issuer, isCommon: false })
      return
    }
    const { issuer: first } = known
    if (first === undefined || first === issuer) return
    const isSame =
      (first.keyless !== undefined && first.keyless === issuer.keyless) ||
      (first.session !== undefined && first.session === issuer.session)
    if (!isSame) known.isCommon = true
  }

  /** A key that is new: whose was the request whose reply issued it? */
  #succeed(key: string, exchange: Exchange): void {
    const credential = key.slice(key.indexOf('=') + 1).trim()
    const issuer = this.#seen.get(0, credential.slice(credential.lastIndexOf(' ') + 1))?.issuer
    if (issuer === undefined || issuer.connections !== this.#connections) return
    if (issuer.atNs > exchange.requestFirstNs) return
    const session = issuer.session ?? issuer.keyless?.ordinal
    if (session === undefined) {
      // The login came without a key: it belongs to the session that it began.
      this.#name(keylessOf(issuer), this.#sessions.ordinalOf(key), issuer.connections)
      return
    }
    let count = issuer.successors++
    if (issuer.key !== '') {
      count = this.#successors.get(0, issuer.key) ?? 0
      this.#successors.set(0, issuer.key, count + 1)
    }
    if (count < MAX_SUCCESSORS) this.#sessions.alias(key, session)
  }

  /**
   * Whose an exchange is by the values it sends: a value that one reply alone issued is its client's. `session`: of its key, undefined
   * without one; then what it sends that no reply had is noted too. Undefined where no value tells, or a key does.
   */
  #ownerOf(
    exchange: Exchange,
    values: readonly SentValue[],
    session: number | undefined,
    { connections, row, sequence }: { connections: ConnectionTable; row: number; sequence: number },
  ): KeylessSession | undefined {
    let owner: KeylessSession | undefined
    for (const { value } of values) {
      if (strengthOf(value) !== 'strong') continue
      const seen = this.#seen.get(0, value)
      if (seen === undefined) {
        if (session === undefined) this.#seen.set(0, value, { issuer: undefined, isCommon: false })
        continue
      }
      const { issuer, isCommon } = seen
      if (issuer === undefined || isCommon || issuer.connections !== connections) continue
      if (issuer.atNs > exchange.requestFirstNs) continue
      if (session !== undefined) {
        if (issuer.session === undefined) this.#name(keylessOf(issuer), session, connections)
        continue
      }
      const found = keylessOf(issuer)
      if (found.size >= MAX_KEYLESS || found === owner) continue
      if (owner === undefined) owner = found
      else this.#unite(owner, found, connections)
    }
    if (owner === undefined) return undefined
    owner.size += 1
    this.#part.adopted.adopt(sequence, owner)
    const isElsewhere = owner.row !== row || connections.sessionOf(row) !== undefined || connections.isPool(row)
    if (isElsewhere && owner.ordinal === undefined) this.#name(owner, this.#newOrdinal(), connections)
    if (owner.ordinal !== undefined) connections.learn(row, owner.ordinal, false)
    return owner
  }

  /** Gives a session without a key its ordinal; the first one stays. */
  #name(keyless: KeylessSession, ordinal: number, connections: ConnectionTable): void {
    if (keyless.ordinal !== undefined) return
    keyless.ordinal = ordinal
    connections.learn(keyless.row, ordinal, false)
    this.#learner.join(ordinal, keyless.node)
  }

  /** One request sent values of both: they are one client's, as long as nothing says otherwise. */
  #unite(one: KeylessSession, other: KeylessSession, connections: ConnectionTable): void {
    const ordinal = one.ordinal ?? other.ordinal ?? this.#newOrdinal()
    this.#name(one, ordinal, connections)
    this.#name(other, ordinal, connections)
  }

  /** Of a session without a key; its name is not one that a key can have. */
  #newOrdinal(): number {
    return this.#sessions.ordinalOf(`\0keyless ${this.#keyless++}`)
  }
}

/** The session without a key that an issuer belongs to, beginning with it. */
function keylessOf(issuer: Issuer): KeylessSession {
  if (issuer.keyless !== undefined) return issuer.keyless
  const { session, row, node, key, adopted, sequence } = issuer
  const keyless: KeylessSession = { ordinal: session, size: 1, row, node }
  issuer.keyless = keyless
  if (key === '') adopted.adopt(sequence, keyless)
  return keyless
}
