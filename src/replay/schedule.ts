import { setImmediate } from 'node:timers/promises'
import { monotonicNs } from '../core/clock.ts'
import { MeshError } from '../core/errors.ts'
import { LinkNumbers } from './correlate/linker.ts'
import { Amplifier } from './amplify.ts'
import type { PreparedRequest, ShardBatch } from './batches.ts'
import { Batches } from './batches.ts'
import { Generations } from './generations.ts'
import type { ScheduleOptions } from './options.ts'
import type { Track } from './overlay.ts'
import { Overlay } from './overlay.ts'
import type { Pacer } from './pacer.ts'
import { maxPacer, ratePacer, speedPacer } from './pacer.ts'
import { PendingClones } from './pending-clones.ts'
import type { Plan } from './plan.ts'
import { POOL_LANE_SPAN } from './pool-lanes.ts'
import type { OrdinalBases } from './prepare.ts'
import { keyedSessionSpan, PreparedCache, Preparer, shardOf } from './prepare.ts'
import type { ShotBatch } from './shot-batch.ts'
import { StageCopies } from './stage-copies.ts'
import { dueUntilNs, mostAmplified, StageCurve } from './stages.ts'
import type { Survey, SurveyedRecording } from './survey.ts'

/** The event loop gets a turn after this much work in one go: a sender in the same thread must not wait longer for its replies. */
const TURN_NS = 2e6

/**
 * The schedule: recorded exchanges in, shots in order of their due times out, in batches. Pulled: it reads on only as batches are
 * taken, so whoever takes them bounds what is held.
 *
 *     parts -> prepare (judge, rewrite) -> overlay (one timeline, loops) -> clones (jitter) -> pace -> batches
 *
 * The same survey, plan and options give the same shots. @throws MeshError MESH_ERR_ABORTED when the signal aborts, and whatever
 * reading an input throws.
 */
export async function* schedule(
  survey: Survey,
  plan: Plan,
  options: ScheduleOptions,
  signal: AbortSignal,
): AsyncIterable<ShotBatch> {
  for await (const { batch } of scheduleShards(survey, plan, { ...options, shards: 1 }, signal)) yield batch
}

/** The schedule for many sending threads: each batch is for one shard, and in order of due time within it. */
export async function* scheduleShards(
  survey: Survey,
  plan: Plan,
  options: ScheduleOptions,
  signal: AbortSignal,
): AsyncIterable<ShardBatch> {
  const ordinals = layOutOrdinals(survey)
  const overlay = new Overlay(tracksOf(survey, plan, ordinals, options, signal), plan.endNs)
  const shots = new ShotMaker(survey, plan, ordinals, options)
  let turnNs = monotonicNs()
  try {
    await overlay.start()
    while (!shots.finished) {
      const request = overlay.item
      if (request === undefined) shots.finish()
      else {
        shots.take(request, overlay.atNs, overlay.loop, overlay.recording)
        const wait = overlay.advance()
        if (wait !== undefined) await wait
      }
      if (!shots.ready) continue
      for (const batch of shots.batches()) yield batch
      if (signal.aborted) throw new MeshError('MESH_ERR_ABORTED', { what: 'the schedule was stopped' })
      if (monotonicNs() - turnNs < TURN_NS) continue
      await setImmediate()
      turnNs = monotonicNs()
    }
  } finally {
    await overlay.close()
  }
}

/** Where each recording's ordinals begin, and how many there are before clones and loops. */
interface Ordinals {
  readonly bases: readonly OrdinalBases[]
  readonly connectionSpan: number
  readonly sessionSpan: number
}

function layOutOrdinals(survey: Survey): Ordinals {
  const keyed = keyedSessionSpan(survey)
  const rows = survey.recordings.reduce((sum, { connections }) => sum + connections.span, 0)
  const bases: OrdinalBases[] = []
  let connection = 0
  let lane = rows
  for (const [recording, { connections }] of survey.recordings.entries()) {
    bases.push({ recording, connection, lane, ownSession: keyed + connection })
    connection += connections.span
    if (survey.pooled > 0) lane += POOL_LANE_SPAN
  }
  return { bases, connectionSpan: lane, sessionSpan: keyed + rows }
}

/** Each recording as a list of tracks: its parts, and with `loop` its parts again and again. */
function tracksOf(
  survey: Survey,
  plan: Plan,
  ordinals: Ordinals,
  options: ScheduleOptions,
  signal: AbortSignal,
): readonly Iterable<Track<PreparedRequest>>[] {
  const isLasting = options.renewal === undefined && options.authorization === undefined
  const cache = isLasting ? new PreparedCache() : undefined
  const numbers = new LinkNumbers()
  return survey.recordings.map((recording, index) => {
    const planned = plan.recordings[index]
    const bases = ordinals.bases[index]
    if (planned === undefined || bases === undefined) {
      throw new MeshError('MESH_ERR_INTERNAL', { what: `expected a plan of all recordings, found none of ${index}` })
    }
    const loops = options.ending === 'loop' && recording.sends > 0
    return recordingTracks(recording, index, planned.offsetNs, loops ? planned.periodNs : undefined, {
      cache,
      signal,
      newPass: () => new Preparer(survey, recording, bases, options, numbers),
    })
  })
}

interface PassTools {
  /** Undefined where requests are made anew for each loop. */
  readonly cache: PreparedCache | undefined
  readonly signal: AbortSignal
  readonly newPass: () => Preparer
}

function* recordingTracks(
  recording: SurveyedRecording,
  index: number,
  offsetNs: number,
  periodNs: number | undefined,
  { cache, signal, newPass }: PassTools,
): Iterable<Track<PreparedRequest>> {
  const parts = recording.parts.toSorted((a, b) => a.fromNs - b.fromNs)
  const loops = periodNs === undefined ? 1 : Infinity
  for (let loop = 0; loop < loops; loop++) {
    const pass = newPass()
    const shiftNs = offsetNs + loop * (periodNs ?? 0)
    for (const part of parts) {
      const open = (): AsyncIterable<readonly PreparedRequest[]> => {
        const cached = cache?.of(part)
        if (cached !== undefined) return inOrder(cached)
        const blocks = pass.part(part, signal)
        return periodNs === undefined || cache === undefined ? blocks : cache.keep(part, blocks)
      }
      yield { startNs: shiftNs + part.fromNs - recording.fromNs, shiftNs, recording: index, loop, open }
    }
  }
}

async function* inOrder<Block>(blocks: readonly Block[]): AsyncIterable<Block> {
  yield* blocks
}

function pacerOf(plan: Plan, { stages }: ScheduleOptions): Pacer {
  if (plan.speed === 'max') return maxPacer()
  if (stages?.kind !== 'rate') return speedPacer(plan.speed)
  return ratePacer(new StageCurve(stages), plan.stages?.basePerSecond ?? 0)
}

/** Undefined where every session is sent equally often all along. */
function stagedCopies(
  amplifier: Amplifier,
  { recordings }: Survey,
  { speed }: Plan,
  { stages }: ScheduleOptions,
): StageCopies | undefined {
  if (stages?.kind !== 'multiplier' || speed === 'max') return undefined
  return new StageCopies(amplifier, new StageCurve(stages), speed, recordings.length)
}

/** Makes shots of requests that come in order of time: copies them, lets clones wait for their time, paces and packs. */
class ShotMaker {
  readonly #amplifier: Amplifier
  /** Where the multiplier changes over time. */
  readonly #staged: StageCopies | undefined
  readonly #pending = new PendingClones<PreparedRequest>()
  readonly #pacer: Pacer
  readonly #batches: Batches
  readonly #survey: Survey
  readonly #ordinals: Ordinals
  readonly #shards: number
  readonly #durationNs: number
  readonly #startNs: number
  readonly #generations: Generations
  /** Requests of each connection that went by in this loop over its recording. */
  readonly #gone: readonly Uint32Array[]
  #finished = false

  constructor(survey: Survey, plan: Plan, ordinals: Ordinals, options: ScheduleOptions) {
    this.#amplifier = new Amplifier(mostAmplified(options), options.seed, plan.jitterNs)
    this.#staged = stagedCopies(this.#amplifier, survey, plan, options)
    this.#pacer = pacerOf(plan, options)
    this.#batches = new Batches(options.shards)
    this.#survey = survey
    this.#ordinals = ordinals
    this.#shards = options.shards
    this.#durationNs = plan.speed === 'max' ? Infinity : dueUntilNs(options)
    this.#startNs = options.block?.startNs ?? 0
    this.#generations = new Generations(this.#amplifier.mostCopies, options.block)
    this.#gone = survey.recordings.map(({ connections }) => new Uint32Array(connections.span))
  }

  /** No shot comes any more, but for those that are ready. */
  get finished(): boolean {
    return this.#finished
  }

  get ready(): boolean {
    return this.#batches.ready
  }

  batches(): readonly ShardBatch[] {
    return this.#batches.take()
  }

  /** Takes the next request of the overlay; no earlier one comes after it. */
  take(request: PreparedRequest, atNs: number, loop: number, recording: number): void {
    while (this.#pending.nextNs <= atNs && !this.#finished) this.#emitPending()
    if (this.#finished) return
    const last = request.row >= 0 && this.#isLast(recording, request.row)
    const { sessionHash } = request
    const copies = this.#staged?.copies(request, atNs, loop, recording) ?? this.#amplifier.copies(sessionHash)
    if (copies > 0) this.#emit(request, atNs, 0, loop, last)
    for (let clone = 1; clone < copies; clone++) {
      // The sign carries `last`: clones are of the same connection, and end it in the same place.
      this.#pending.push(atNs + this.#amplifier.shiftNs(sessionHash, clone), clone, last ? -1 - loop : loop, request)
    }
  }

  /** The overlay has ended: the clones that still wait are sent, then the last batches are ready. */
  finish(): void {
    while (this.#pending.size > 0 && !this.#finished) this.#emitPending()
    this.#stop()
  }

  #emitPending(): void {
    const [atNs, clone, loop] = [this.#pending.nextNs, this.#pending.nextClone, this.#pending.nextLoop]
    const request = this.#pending.pop()
    if (request !== undefined) this.#emit(request, atNs, clone, loop < 0 ? -1 - loop : loop, loop < 0)
  }

  #emit(request: PreparedRequest, atNs: number, clone: number, loop: number, last: boolean): void {
    const dueNs = this.#pacer.dueNs(atNs)
    if (dueNs >= this.#durationNs) {
      this.#stop()
      return
    }
    const generation = this.#generations.of(loop, clone)
    const connections = this.#generations.ofConnections(loop, clone)
    const connection = connections * this.#ordinals.connectionSpan + request.connection
    const session = generation * this.#ordinals.sessionSpan + request.session
    this.#batches.add(
      shardOf(request.sessionHash, clone, this.#shards),
      this.#startNs + dueNs,
      connection,
      session,
      clone,
      generation,
      last && this.#generations.closesConnections,
      request,
    )
  }

  #stop(): void {
    this.#batches.flush()
    this.#finished = true
  }

  /** Counts the requests of a connection as they go by; at the last one the count starts over, for the next loop. */
  #isLast(recording: number, row: number): boolean {
    const gone = this.#gone[recording]
    if (gone === undefined) return false
    const count = (gone[row] ?? 0) + 1
    const last = count === this.#survey.recordings[recording]?.connections.sendsOf(row)
    gone[row] = last ? 0 : count
    return last
  }
}
