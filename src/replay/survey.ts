import type { Exchange } from '../core/exchange.ts'
import { hasResponse } from '../core/exchange.ts'
import { latin1 } from '../core/bytes.ts'
import { MeshError } from '../core/errors.ts'
import type { RecordingInfo } from '../core/recording.ts'
import { RecordedStats } from '../measure/recorded.ts'
import type { RecordedSpan } from './align.ts'
import type { Correlation } from './correlate/correlation.ts'
import { SessionLearner } from './correlate/session-learner.ts'
import { judgeRequest, recordedStatus } from '../wire/http1/hold-back.ts'
import type { ReplayInput, SurveyOptions } from './options.ts'
import { isToken } from './renewal.ts'
import { RateTimeline } from './rate-timeline.ts'
import type { HeaderBlock, RequestHead } from '../wire/http1/request-head.ts'
import { RequestHeadReader } from '../wire/http1/request-head.ts'
import { RequestRewriter } from '../wire/http1/request-rewriter.ts'
import { ConnectionTable, SessionTable } from './session-table.ts'

/** What one file holds of a recording, its times in nanoseconds from the origin of the recording's first part. */
export interface SurveyedPart {
  readonly input: ReplayInput
  /** Added to the part's own times. */
  readonly originNs: number
  readonly fromNs: number
  readonly toNs: number
}

/** One recording, all its parts, as the first pass found it. */
export interface SurveyedRecording {
  readonly info: RecordingInfo
  /** Parts that hold a request, in order. */
  readonly parts: readonly SurveyedPart[]
  /** Times of its first and last request. */
  readonly fromNs: number
  readonly toNs: number
  readonly exchanges: number
  readonly sends: number
  readonly timeline: RateTimeline
  readonly connections: ConnectionTable
}

/** Everything that has to be known of the recordings before the first shot, in bounded memory. */
export interface Survey {
  /** Recordings that hold a request, in order of their first input. */
  readonly recordings: readonly SurveyedRecording[]
  readonly spans: readonly RecordedSpan[]
  readonly sessions: SessionTable
  /** What was recorded, route by route: held-back requests included, a replay's own not. */
  readonly recorded: RecordedStats
  readonly heldBack: ReadonlyMap<string, number>
  readonly notReplayable: ReadonlyMap<string, number>
  /** Left out because they were a replay's own. */
  readonly replayed: number
  /** Requests to be sent that carry a masked value. */
  readonly masked: number
  /** Requests to be sent of connections that were a proxy's pool. */
  readonly pooled: number
  readonly notes: readonly string[]
  /** Which values of requests come from replies; undefined where that is not to be known. */
  readonly correlation: Correlation | undefined
}

/** Is a value, or anything in it, a pseudonym instead of the secret that was recorded? */
export type IsMasked = (text: string) => boolean

/** Methods that are counted by name; a recording may hold anything as a method. */
const MAX_METHODS = 32

/** A pseudonym is looked for in this much of a body: forms and JSON with credentials are short. */
const MAX_SEARCHED_BODY_BYTES = 16_384

/**
 * The first pass over all recordings: reads everything once, sends nothing, and learns what the plan shows and what the
 * schedule needs to know ahead (spans, sessions, pools, the last request of each connection).
 *
 * @throws MeshError MESH_ERR_ABORTED when the signal aborts, and whatever reading an input throws.
 */
export async function surveyRecordings(
  inputs: readonly ReplayInput[],
  options: SurveyOptions,
  isMasked: IsMasked,
  signal: AbortSignal,
): Promise<Survey> {
  const surveyor = new Surveyor(options, isMasked)
  const notes: string[] = []
  const recordings: SurveyedRecording[] = []
  const spans: RecordedSpan[] = []
  for (const parts of groupParts(inputs, notes)) {
    const recording = await surveyor.recording(parts, signal)
    if (recording === undefined) {
      notes.push(`nothing was recorded by ${describe(parts[0]?.info)} in this time`)
      continue
    }
    recordings.push(recording)
    const originUnixNs = recording.info.originUnixNs
    for (const { input, fromNs, toNs } of recording.parts) {
      spans.push({
        info: input.info,
        fromUnixNs: originUnixNs + BigInt(Math.round(fromNs)),
        toUnixNs: originUnixNs + BigInt(Math.round(toNs)),
      })
    }
  }
  return { recordings, spans, notes, ...surveyor.found }
}

/** Inputs by recording, each list in order of its parts. A part that is given twice is read once. */
function groupParts(inputs: readonly ReplayInput[], notes: string[]): readonly (readonly ReplayInput[])[] {
  const groups = new Map<string, Map<number, ReplayInput>>()
  for (const input of inputs) {
    const { recordingId, part } = input.info
    const parts = groups.get(recordingId) ?? new Map<number, ReplayInput>()
    groups.set(recordingId, parts)
    if (parts.has(part)) notes.push(`${describe(input.info)}, part ${part}, was given twice and is read once`)
    else parts.set(part, input)
  }
  return [...groups.values()].map((parts) => [...parts.values()].toSorted((a, b) => a.info.part - b.info.part))
}

function describe(info: RecordingInfo | undefined): string {
  return info === undefined
    ? 'a recording'
    : `${info.host === '' ? 'a host without a name' : info.host} (${info.source})`
}

class Surveyor {
  readonly #options: SurveyOptions
  readonly #isMasked: IsMasked
  readonly #heads: RequestHeadReader
  readonly #custom: ReadonlySet<string>
  readonly #maskedBlocks = new WeakMap<HeaderBlock, boolean>()
  readonly #sessions = new SessionTable()
  readonly #learner: SessionLearner | undefined
  readonly #recorded = new RecordedStats()
  readonly #heldBack = new Map<string, number>()
  readonly #notReplayable = new Map<string, number>()
  #replayed = 0
  #masked = 0
  #pooled = 0

  constructor(options: SurveyOptions, isMasked: IsMasked) {
    this.#options = options
    this.#isMasked = isMasked
    const custom = new RequestRewriter(options.rewrite).customNames
    this.#custom = new Set(custom)
    this.#heads = new RequestHeadReader(custom)
    const { correlate } = options
    this.#learner =
      correlate === undefined
        ? undefined
        : new SessionLearner(correlate, this.#sessions, (place, value) => {
            const header = place.startsWith('cookie ') ? 'cookie' : place.replace(/^header /, '')
            const isRenewed = options.renewal?.jwtKey !== undefined && isToken(value)
            return isMasked(value) && !isRenewed && !this.#custom.has(header)
          })
  }

  get found(): Omit<Survey, 'recordings' | 'spans' | 'notes'> {
    return {
      sessions: this.#sessions,
      recorded: this.#recorded,
      heldBack: this.#heldBack,
      notReplayable: this.#notReplayable,
      replayed: this.#replayed,
      masked: this.#masked,
      pooled: this.#pooled,
      correlation: this.#learner?.finish(),
    }
  }

  /** Undefined where the parts hold no request. */
  async recording(inputs: readonly ReplayInput[], signal: AbortSignal): Promise<SurveyedRecording | undefined> {
    const info = inputs[0]?.info
    if (info === undefined) return undefined
    const connections = new ConnectionTable(info.recordingId)
    const timeline = new RateTimeline()
    this.#learner?.beginRecording(connections)
    const parts: SurveyedPart[] = []
    let startNs: number | undefined
    let [exchanges, sends] = [0, 0]
    for (const input of inputs) {
      const originNs = Number(input.info.originUnixNs - info.originUnixNs)
      let [fromNs, toNs] = [Infinity, -Infinity]
      this.#learner?.beginPart(input)
      for await (const exchange of input.exchanges(this.#options.between, signal)) {
        if (signal.aborted) throw new MeshError('MESH_ERR_ABORTED', { what: 'stopped while reading for the plan' })
        const atNs = originNs + exchange.requestFirstNs
        startNs ??= atNs
        fromNs = Math.min(fromNs, atNs)
        toNs = Math.max(toNs, atNs)
        exchanges += 1
        const sent = this.#judge(exchange, connections)
        if (sent) sends += 1
        const { head, body } = exchange.request
        timeline.add(atNs - startNs, sent ? head.length + body.length : undefined)
      }
      if (fromNs <= toNs) parts.push({ input, originNs, fromNs, toNs })
    }
    if (parts.length === 0) return undefined
    for (let row = 0; row < connections.span; row++)
      if (connections.isPool(row)) this.#pooled += connections.sendsOf(row)
    const fromNs = Math.min(...parts.map((part) => part.fromNs))
    const toNs = Math.max(...parts.map((part) => part.toNs))
    return { info, parts, fromNs, toNs, exchanges, sends, timeline, connections }
  }

  /** Counts what becomes of the exchange; true where it is to be sent. */
  #judge(exchange: Exchange, connections: ConnectionTable): boolean {
    const head = this.#heads.read(exchange.request.head, exchange.connection)
    const judgement = judgeRequest(exchange, head, this.#options.permissions)
    const sent = judgement.fate === 'send'
    const row = connections.rowOf(exchange.connection)
    const session = this.#sessionOf(exchange, row)
    connections.learn(row, session, sent)
    const isForeign = head === undefined || judgement.fate === 'replayed'
    const route = isForeign ? -1 : this.#options.routes.indexOf(head.method, head.target)
    const masked = sent && head !== undefined && this.#carriesMask(head, exchange)
    if (masked) this.#masked += 1
    if (isForeign) this.#learner?.skip()
    else {
      const name = this.#options.routes.names[route] ?? ''
      this.#learner?.learn(exchange, { session, row, route: name, sent, masked })
    }
    switch (judgement.fate) {
      case 'replayed':
        this.#replayed += 1
        return false
      case 'unplayable':
        count(this.#notReplayable, judgement.reason)
        break
      case 'held':
        count(this.#heldBack, judgement.method)
        break
      case 'send':
        break
    }
    if (head !== undefined) this.#recorded.observe(route, recordedStatus(exchange), recordedServiceNs(exchange))
    return sent
  }

  #sessionOf(exchange: Exchange, row: number): number | undefined {
    if (this.#learner !== undefined) return this.#learner.sessionOf(exchange, row)
    return exchange.session === '' ? undefined : this.#sessions.ordinalOf(exchange.session)
  }

  #carriesMask(head: RequestHead, exchange: Exchange): boolean {
    const { body } = exchange.request
    if (body.length > 0 && this.#isMasked(latin1(body, 0, Math.min(body.length, MAX_SEARCHED_BODY_BYTES)))) return true
    return this.#isMasked(head.target) || this.#blockIsMasked(head.block)
  }

  #blockIsMasked(block: HeaderBlock): boolean {
    const known = this.#maskedBlocks.get(block)
    if (known !== undefined) return known
    let kept = ''
    let from = 0
    for (const { name, start, end } of block.fields) {
      if (!this.#custom.has(name)) continue
      kept += block.text.slice(from, start)
      from = end
    }
    const masked = this.#isMasked(kept + block.text.slice(from))
    this.#maskedBlocks.set(block, masked)
    return masked
  }
}

/** From the first byte of the request to the last of its reply, -1 where there is none. */
function recordedServiceNs(exchange: Exchange): number {
  return hasResponse(exchange) ? Math.max(0, exchange.response.lastNs - exchange.requestFirstNs) : -1
}

function count(counts: Map<string, number>, name: string): void {
  const short = name.slice(0, 32)
  const key = counts.size < MAX_METHODS || counts.has(short) ? short : 'other'
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
