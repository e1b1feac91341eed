import type { Exchange } from '../../core/exchange.ts'
import type { ConnectionTable, SessionTable } from '../session-table.ts'
import { BitList } from './bit-list.ts'
import type { Correlation } from './correlation.ts'
import { Learner } from './learner.ts'
import { RuleIndex } from './rule-index.ts'
import type { CorrelateOptions } from './rules.ts'
import { ValueMap } from './value-map.ts'

/** Credentials that replies issued and that may become the key of a session. */
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

/** Which reply issued a credential: in which session, or on which connection that had none. */
interface Issuer {
  readonly session: number | undefined
  readonly row: number
  readonly connections: ConnectionTable
  /** Of the session's key at that time. */
  readonly key: string
  readonly atNs: number
}

/**
 * Learns from exchanges of all recordings, and knows whose they are: a login changes the cookie or the token that names a session,
 * and the session is still the same client's.
 */
export class SessionLearner {
  readonly #sessions: SessionTable
  readonly #learner: Learner
  readonly #issuers = new ValueMap<Issuer>(MAX_ISSUED_KEYS)
  /** By key: how many other keys went on in its place. */
  readonly #successors = new ValueMap<number>(MAX_ISSUED_KEYS)
  readonly #sources = new Map<object, BitList>()
  #connections: ConnectionTable | undefined
  #rowBase = FIRST_ROW_NODE
  #part = new BitList()
  #sequence = 0

  constructor(options: CorrelateOptions, sessions: SessionTable) {
    this.#sessions = sessions
    this.#learner = new Learner(options)
  }

  /** The exchanges that follow are of this recording. */
  beginRecording(connections: ConnectionTable): void {
    this.#rowBase += this.#connections?.span ?? 0
    this.#connections = connections
  }

  /** And of this part of it, from its first one on. */
  beginPart(part: object): void {
    this.#part = new BitList()
    this.#sequence = 0
    this.#sources.set(part, this.#part)
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

  /** Takes the next exchange; `session` as `sessionOf` gave it, after the connection was told of it. */
  learn(exchange: Exchange, session: number | undefined, row: number, route: string, sent: boolean): void {
    const connections = this.#connections
    if (connections === undefined) return
    const sequence = this.#sequence++
    const ofConnection = connections.sessionOf(row)
    const node = session ?? ofConnection ?? this.#rowBase + row
    const from = { node, route, sent, sequence, sources: this.#part }
    const key = exchange.session
    this.#learner.learn(exchange, from, (value, place, atNs, isLinked) => {
      if (value.length < LEAST_TOKEN_CHARS && !place.startsWith('cookie ')) return
      if (this.#issuers.get(0, value) !== undefined) return
      // What came without a key on a connection of a session may be another client's, unless it proved not to be.
      const issuing = session ?? (isLinked ? ofConnection : undefined)
      this.#issuers.set(0, value, { session: issuing, row, connections, key, atNs })
    })
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
      sources: this.#sources,
      unsentSources: this.#learner.unsentSources,
    }
  }

  /** A key that is new: whose was the request whose reply issued it? */
  #succeed(key: string, exchange: Exchange): void {
    const credential = key.slice(key.indexOf('=') + 1).trim()
    const issuer = this.#issuers.get(0, credential.slice(credential.lastIndexOf(' ') + 1))
    if (issuer === undefined || issuer.connections !== this.#connections) return
    if (issuer.atNs > exchange.requestFirstNs) return
    const { session, row, connections } = issuer
    if (session !== undefined) {
      const count = this.#successors.get(0, issuer.key) ?? 0
      this.#successors.set(0, issuer.key, count + 1)
      if (count < MAX_SUCCESSORS) this.#sessions.alias(key, session)
      return
    }
    if (connections.sessionOf(row) !== undefined || connections.isPool(row)) return
    // The login came on a connection of its own: it belongs to the session that it began.
    const ordinal = this.#sessions.ordinalOf(key)
    connections.learn(row, ordinal, false)
    this.#learner.join(ordinal, this.#rowBase + row)
  }
}
