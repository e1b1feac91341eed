import { latin1 } from '../core/bytes.ts'
import type { Exchange } from '../core/exchange.ts'
import { hasResponse } from '../core/exchange.ts'
import { unixNs } from '../core/clock.ts'
import { MeshError } from '../core/errors.ts'
import { hashPair } from '../core/random.ts'
import { Linker } from './correlate/linker.ts'
import type { Linked, LinkNumbers } from './correlate/linker.ts'
import type { RecordedReply } from './check/recorded-reply.ts'
import { percentDecoded } from './correlate/escape.ts'
import type { ShotPlan } from './correlate/shot-plan.ts'
import { packPlan } from './correlate/plan-words.ts'
import { namedRequest, NO_IDENTITIES } from './clone-identity.ts'
import type { PreparedRequest } from './batches.ts'
import { judgeRequest, recordedStatus } from '../wire/http1/hold-back.ts'
import type { ScheduleOptions } from './options.ts'
import { PoolLanes } from './pool-lanes.ts'
import { RequestHeadReader } from '../wire/http1/request-head.ts'
import { RequestRewriter } from '../wire/http1/request-rewriter.ts'
import { Renewal } from './renewal.ts'
import { MAX_SESSIONS } from './session-table.ts'
import { HEAD_REQUEST, LAST_ON_CONNECTION } from './shot-batch.ts'
import { mostAmplified } from './stages.ts'
import type { Survey, SurveyedPart, SurveyedRecording } from './survey.ts'

/** Requests that are made ready in one go: few enough for one turn of the event loop, some 1 ms. */
const BLOCK_REQUESTS = 256

/** Larger requests end a block early: what a playing part holds ready is at most this and one request. */
const BLOCK_BYTES: number = 1024 * 1024

/** A block whose requests have an Authorization that ends is of no more recorded time: what is made ready is sent soon. */
const BLOCK_AUTHORIZED_NS = 1e9

/** Where the ordinals of one recording begin among those of the run. */
export interface OrdinalBases {
  /** Which recording of the run it is. */
  readonly recording: number
  /** Added to the row of a connection. */
  readonly connection: number
  /** Added to a lane of a pool. */
  readonly lane: number
  /** Added to the run's ordinal of a connection that is a session of its own. */
  readonly ownSession: number
}

/** Makes the exchanges of one recording ready to be sent: judged, rewritten, and with their ordinals. One a pass over it. */
export class Preparer {
  readonly #survey: Survey
  readonly #recording: SurveyedRecording
  readonly #bases: OrdinalBases
  readonly #options: ScheduleOptions
  #rewriter: RequestRewriter
  #authorization = ''
  readonly #renewal: Renewal | undefined
  readonly #heads: RequestHeadReader
  readonly #lanes = new PoolLanes()
  /** Requests may be sent more than once. */
  readonly #repeats: boolean
  readonly #linker: Linker | undefined

  constructor(
    survey: Survey,
    recording: SurveyedRecording,
    bases: OrdinalBases,
    options: ScheduleOptions,
    numbers: LinkNumbers,
  ) {
    this.#survey = survey
    this.#recording = recording
    this.#bases = bases
    this.#options = options
    this.#repeats = mostAmplified(options) > 1 || options.ending === 'loop' || options.block !== undefined
    this.#rewriter = new RequestRewriter(options.rewrite)
    this.#renewal = options.renewal && new Renewal(options.renewal, msSince(recording))
    this.#heads = new RequestHeadReader(this.#rewriter.customNames)
    const index = survey.correlation?.index
    const isUsed = index !== undefined && !index.isEmpty
    this.#linker = isUsed ? new Linker(index, numbers, options.rewrite.pathPrefix) : undefined
  }

  /** The requests of one part that are to be sent, in blocks, in the order of the part. */
  async *part(part: SurveyedPart, signal: AbortSignal): AsyncIterable<readonly PreparedRequest[]> {
    let block: PreparedRequest[] = []
    let blockBytes = 0
    let sequence = 0
    const learnt = this.#survey.correlation?.parts.get(part.input)
    for await (const exchange of part.input.exchanges(this.#options.between, signal)) {
      if (signal.aborted) throw new MeshError('MESH_ERR_ABORTED', { what: 'stopped while reading the recording' })
      if (block.length === 0 && this.#options.authorization !== undefined) {
        this.#authorize(await this.#options.authorization.current())
      }
      const isSource = learnt?.sources.has(sequence) === true
      const adopted = exchange.session === '' ? learnt?.adopted.sessionOf(sequence) : undefined
      sequence += 1
      const request = this.#prepare(exchange, part.originNs, isSource, adopted)
      if (request === undefined) continue
      block.push(request)
      blockBytes += request.bytes.length
      const spanNs = this.#options.authorization === undefined ? 0 : request.atNs - (block[0]?.atNs ?? 0)
      if (block.length < BLOCK_REQUESTS && blockBytes < BLOCK_BYTES && spanNs < BLOCK_AUTHORIZED_NS) continue
      yield block
      block = []
      blockBytes = 0
    }
    if (block.length > 0) yield block
  }

  /**
   * Undefined where the request is not to be sent. `originNs`: of its part, from the recording's; `isSource`: later requests need a
   * value of its reply; `adopted`: its session's ordinal, where it has no key and its values tell.
   */
  #prepare(
    exchange: Exchange,
    originNs: number,
    isSource: boolean,
    adopted: number | undefined,
  ): PreparedRequest | undefined {
    const head = this.#heads.read(exchange.request.head, exchange.connection)
    if (head === undefined) return undefined
    if (judgeRequest(exchange, head, this.#options.permissions).fate !== 'send') return undefined
    const rewritten = this.#rewriter.rewrite(head, exchange.request)
    const renewed = this.#renewal?.renew(rewritten.bytes, this.#options.rewrite.pathPrefix)
    const { bytes: ready, recorded } = renewed ?? { bytes: rewritten.bytes, recorded: NOTHING_RENEWED }
    const { bytes, identities } = this.#repeats ? namedRequest(ready) : { bytes: ready, identities: NO_IDENTITIES }
    const { connections } = this.#recording
    const row = connections.rowOf(exchange.connection)
    const pool = connections.isPool(row)
    const keyed = pool ? (this.#keyedSession(exchange) ?? adopted) : connections.sessionOf(row)
    const session = keyed ?? this.#bases.ownSession + row
    const inPool = pool || (this.#survey.pooled > 0 && connections.isPooled(session))
    const route = this.#options.routes.indexOf(head.method, head.target)
    const linked = { exchange, session, bytes, recorded, isSource }
    const plan = this.#planOf(linked, route)
    return {
      atNs: originNs + exchange.requestFirstNs - this.#recording.fromNs,
      bytes,
      identities,
      flags: (head.method === 'HEAD' ? HEAD_REQUEST : 0) | (rewritten.closes ? LAST_ON_CONNECTION : 0),
      plan: plan === undefined ? undefined : packPlan(plan),
      reply: this.#replyOf(linked, head.method, route, plan),
      route,
      recordedStatus: recordedStatus(exchange),
      recording: this.#bases.recording,
      exchange: exchange.id,
      connection: inPool ? this.#laneOf(exchange, session) : this.#bases.connection + row,
      session,
      sessionHash: keyed === undefined ? connections.hashOf(row) : this.#survey.sessions.hashOf(keyed),
      row: inPool ? -1 : row,
    }
  }

  #planOf(linked: Omit<Linked, 'route'>, route: number): ShotPlan | undefined {
    return this.#linker?.plan({ ...linked, route: this.#options.routes.names[route] ?? '' })
  }

  #replyOf(
    linked: Omit<Linked, 'route'>,
    method: string,
    route: number,
    plan: ShotPlan | undefined,
  ): RecordedReply | undefined {
    const { check, routes } = this.#options
    return check?.keep(linked.exchange, method, routes.names[route] ?? '', () => issuedValues(linked, plan))
  }

  /** Requests get this Authorization from now on. */
  #authorize(value: string): void {
    if (value === this.#authorization) return
    this.#authorization = value
    const { rewrite } = this.#options
    const others = rewrite.headers.filter(({ name }) => name.toLowerCase() !== 'authorization')
    this.#rewriter = new RequestRewriter({ ...rewrite, headers: [...others, { name: 'Authorization', value }] })
  }

  /** The ordinal of the session's key; undefined without one. */
  #keyedSession(exchange: Exchange): number | undefined {
    return exchange.session === '' ? undefined : this.#survey.sessions.ordinalOf(exchange.session)
  }

  #laneOf(exchange: Exchange, session: number): number {
    const untilNs = hasResponse(exchange) ? exchange.response.lastNs : exchange.requestLastNs
    return this.#bases.lane + this.#lanes.laneOf(session, exchange.requestFirstNs, untilNs)
  }
}

const NOTHING_RENEWED: ReadonlyMap<string, string> = new Map()

/** From the recording's first request until now. */
function msSince({ info, fromNs }: SurveyedRecording): number {
  return Number(unixNs() - info.originUnixNs - BigInt(Math.round(fromNs))) / 1e6
}

/** The recorded values of a request that are replaced before it is sent, or were made anew. */
function issuedValues({ bytes, recorded }: Omit<Linked, 'route'>, plan: ShotPlan | undefined): ReadonlySet<string> {
  const values = new Set(recorded.values())
  for (const { start, end } of plan?.sinks ?? []) {
    const written = latin1(bytes, start, end)
    values.add(written).add(percentDecoded(written, true))
  }
  return values
}

/** Prepared requests of one part, kept for the next loop. */
export type CachedBlocks = readonly (readonly PreparedRequest[])[]

/** What a loop over small recordings keeps ready, so that it need not read and decode again: requests, and 200 bytes each. */
export const MAX_CACHED_BYTES: number = 64 * 1024 * 1024
const CACHED_OVERHEAD_BYTES = 200

/** Keeps the prepared requests of parts that are looped over, as many parts as fit. */
export class PreparedCache {
  readonly #parts = new Map<SurveyedPart, CachedBlocks>()
  #bytes = 0

  of(part: SurveyedPart): CachedBlocks | undefined {
    return this.#parts.get(part)
  }

  /** Passes blocks on, and keeps them where the whole part fits. */
  async *keep(
    part: SurveyedPart,
    blocks: AsyncIterable<readonly PreparedRequest[]>,
  ): AsyncIterable<readonly PreparedRequest[]> {
    const kept: (readonly PreparedRequest[])[] = []
    let bytes = 0
    let fits = true
    for await (const block of blocks) {
      if (fits) {
        let blockBytes = 0
        for (const request of block)
          blockBytes += request.bytes.length + (request.reply?.size ?? 0) + CACHED_OVERHEAD_BYTES
        bytes += blockBytes
        this.#bytes += blockBytes
        kept.push(block)
        fits = this.#bytes <= MAX_CACHED_BYTES
        if (!fits) {
          kept.length = 0
          this.#bytes -= bytes
        }
      }
      yield block
    }
    if (fits) this.#parts.set(part, kept)
  }
}

/** Number of session ordinals that keys can have, so that connections without one come after them. */
export function keyedSessionSpan(survey: Survey): number {
  return Math.min(2 * MAX_SESSIONS, survey.sessions.span)
}

/** Shards go by session and clone: whatever a clone sends, one thread sends it. */
export function shardOf(sessionHash: number, clone: number, shards: number): number {
  return shards === 1 ? 0 : hashPair(sessionHash, clone) % shards
}
