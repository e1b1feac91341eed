import { MeshError } from '../core/errors.ts'
import { formatBytes, formatCount, formatDurationNs, formatRate } from '../core/units.ts'
import type { Alignment } from './align.ts'
import { alignRecordings } from './align.ts'
import { Amplifier } from './amplify.ts'
import type { MultiplierStep } from './layout.ts'
import { layOut, MAX_LAID_OUT, multiplierSteps } from './layout.ts'
import type { ScheduleOptions } from './options.ts'
import { DEFAULT_MAX_JITTER_NS, JITTER_PART_OF_SPAN } from './options.ts'
import type { Pace, RunClock } from './pacer.ts'
import { paceSpeed, ratePacer, speedPacer } from './pacer.ts'
import type { PlacedTimeline } from './rate-timeline.ts'
import { peakPerSecond } from './rate-timeline.ts'
import { ShotCount } from './shot-count.ts'
import type { PlannedStages } from './staged-plan.ts'
import { planStages, warnAboutStages } from './staged-plan.ts'
import { dueUntilNs, mostAmplified, StageCurve } from './stages.ts'
import type { Survey, SurveyedRecording } from './survey.ts'

/**
 * What clones may hold back while they wait for their time: everything recorded within one jitter. Where that would be more, the
 * jitter is made shorter. Enough for 5 s at 20,000/s of ordinary requests.
 */
export const MAX_LOOK_AHEAD_BYTES: number = 128 * 1024 * 1024

/** What a waiting request costs besides its bytes, and what each of its clones costs. */
const REQUEST_OVERHEAD_BYTES = 250
const CLONE_OVERHEAD_BYTES = 40

/** One recording as the plan lays it onto the run. */
export interface PlannedRecording {
  readonly recordingId: string
  readonly host: string
  readonly service: string
  readonly source: string
  readonly parts: number
  /** All exchanges, and those of them that are to be sent. */
  readonly exchanges: number
  readonly sends: number
  readonly fromUnixNs: bigint
  readonly spanNs: number
  /** Of those that are to be sent. */
  readonly ratePerSecond: number
  /** When its first request is due, in recorded time from the run's origin. */
  readonly offsetNs: number
  /** How long it is until it starts over, with `loop`: its span and one mean gap. */
  readonly periodNs: number
}

/** What a replay is going to do: plain data, shown before the first shot. Times are nanoseconds of the run unless they say otherwise. */
export interface Plan {
  readonly recordings: readonly PlannedRecording[]
  readonly alignment: Pick<Alignment, 'mode' | 'reason'>
  /** The greatest multiplier, where it changes. */
  readonly amplify: number
  /** Undefined: the same load all along. */
  readonly stages: PlannedStages | undefined
  readonly seed: number
  /** Clones are shifted by up to this, in recorded time. */
  readonly jitterNs: number
  /** Factor on time, the mean of one that changes; `max`: as fast as replies come. */
  readonly speed: number | 'max'
  /** No recorded request after this is sent; Infinity with `loop`. Recorded time. */
  readonly endNs: number
  /** How long shots are due; Infinity where nothing ends the run; undefined at speed `max`. */
  readonly durationNs: number | undefined
  /** Requests as recorded, and shots that will be sent: all of them, or Infinity for a run without an end. */
  readonly exchanges: number
  readonly shots: number
  /** Requests to be sent, each counted once, that the run does not come to: they lie after `endNs`, or after its duration. */
  readonly beyondEnd: number
  /** By their keys; connections that send and belong to no keyed session are sessions of their own. */
  readonly sessions: number
  /** Shots a second of what really runs; undefined at speed `max`. */
  readonly meanPerSecond: number | undefined
  /** At least the mean. */
  readonly peakPerSecond: number | undefined
  /** The recordings overlaid as they were recorded: everything, neither amplified nor squeezed. */
  readonly recordedPeakPerSecond: number
  readonly heldBack: ReadonlyMap<string, number>
  readonly notReplayable: ReadonlyMap<string, number>
  readonly replayed: number
  /** Share of the requests to be sent that carry masked values, 0 to 1. */
  readonly maskedShare: number
  /** Rules by which values of requests are replaced; undefined where that was not asked for. */
  readonly correlations: number | undefined
  readonly multipliers: readonly MultiplierStep[]
  /** Facts that the user should know. */
  readonly warnings: readonly string[]
  /** Why this run has to be confirmed; empty where it need not be. */
  readonly confirmations: readonly string[]
}

/** Makes the plan of what was surveyed: arithmetic only. @throws MeshError MESH_ERR_USAGE for options that make no sense. */
export function planReplay(survey: Survey, options: ScheduleOptions): Plan {
  const alignment = alignRecordings(survey.spans, options.align)
  const recordings = survey.recordings.map((recording, index) => placed(recording, alignment, index))
  const endNs = endOf(recordings, options)
  const spanNs = Number.isFinite(endNs) ? endNs : Math.max(0, ...recordings.map(({ periodNs }) => periodNs))
  const warnings = [...survey.notes]
  const jitterNs = chooseJitterNs(survey, options, spanNs, warnings)
  const amplify = mostAmplified(options)
  const amplifier = new Amplifier(amplify, options.seed, jitterNs)
  const copiesAt = (multiplier: number): number =>
    meanCopies(survey, (session) => amplifier.copiesAt(session, multiplier))
  const copies = copiesAt(options.amplify)
  const count = new ShotCount(survey, recordings, { endNs, jitterNs, copies })
  const clock = clockOf(options, count)
  const askedNs = dueUntilNs(options)
  const durationNs = clock && Math.min(clock.dueNs(count.spanNs), askedNs)
  // The end of the recordings is included, that of the duration is not.
  const runSpanNs = clock === undefined ? count.spanNs : Math.min(count.spanNs, clock.recordedNs(askedNs) - 1)
  const speed = clock && (clock.speed ?? (durationNs ? runSpanNs / durationNs : 1))
  const sentSpanNs = Math.min(endNs, runSpanNs)
  const layout = layOut(survey, recordings, options, sentSpanNs)
  const recordedPeak = peakPerSecond(layout, (timeline, bucket) => timeline.all(bucket), 1, sentSpanNs)
  const basis = { count, clock, speed, durationNs, sentSpanNs, runSpanNs, layout, copiesAt }
  const { shots, mean, peak: sentPeak, stages } = amountsOf(options, basis)
  const sends = recordings.reduce((sum, recording) => sum + recording.sends, 0)
  warnAboutLateStarts(recordings, endNs, warnings)
  warnAboutRate(options.pace, mean, warnings)
  if (stages !== undefined && durationNs !== undefined) warnAboutStages(stages, durationNs, warnings)
  warnAboutUnsentSources(survey, warnings)
  warnAboutMasked(survey, sends, warnings)
  return {
    recordings,
    alignment,
    amplify,
    stages,
    seed: options.seed,
    jitterNs,
    speed: speed ?? 'max',
    endNs,
    durationNs,
    exchanges: recordings.reduce((sum, { exchanges }) => sum + exchanges, 0),
    shots,
    beyondEnd: Math.round(count.requestsBeyond(runSpanNs)),
    sessions: survey.sessions.size + countLoneConnections(survey),
    meanPerSecond: mean,
    // A second that is cut at either end of the run may have been the busiest.
    peakPerSecond: sentPeak && Math.max(sentPeak, mean ?? 0),
    recordedPeakPerSecond: recordedPeak,
    heldBack: survey.heldBack,
    notReplayable: survey.notReplayable,
    replayed: survey.replayed,
    correlations: survey.correlation?.rules.length,
    maskedShare: sends === 0 ? 0 : survey.masked / sends,
    multipliers: multiplierSteps(recordings, options.amplify, clock ?? speedPacer(1), endNs, options.ending === 'loop'),
    warnings,
    confirmations: confirmations(sentPeak, recordedPeak, Math.max(amplify, copiesAt(amplify)), amplify),
  }
}

/**
 * Refuses a run that must not start. Called after the plan was shown.
 *
 * @throws MeshError MESH_ERR_NOTHING_TO_DO where nothing would be sent, MESH_ERR_LIMIT where the peak is above the cap,
 * MESH_ERR_CONFIRMATION where the plan needs a yes that was not given.
 */
export function checkPlan(plan: Plan, consent: { readonly confirmed: boolean; readonly maxPerSecond: number }): void {
  if (plan.shots === 0) {
    const held = [...plan.heldBack].map(([method, count]) => `${count} ${method} held back`)
    const unplayable = [...plan.notReplayable].map(([reason, count]) => `${count} not replayable (${reason})`)
    const replayed = plan.replayed > 0 ? [`${plan.replayed} of an earlier replay`] : []
    const found = [...held, ...unplayable, ...replayed].join(', ')
    throw new MeshError('MESH_ERR_NOTHING_TO_DO', {
      what: `expected requests to send, found ${found === '' ? 'none in the recordings' : found}`,
      ...(held.length > 0 ? { remedy: 'allow them with --allow-writes where the target may be written' } : {}),
    })
  }
  if (plan.peakPerSecond !== undefined && plan.peakPerSecond > consent.maxPerSecond) {
    throw new MeshError('MESH_ERR_LIMIT', {
      what: `expected a peak of at most ${formatRate(consent.maxPerSecond)}, found ${formatRate(plan.peakPerSecond)} in the plan`,
      where: '--max-rate',
      remedy: 'raise --max-rate, or lower --amplify, --stages, --speed or --rate',
    })
  }
  if (plan.confirmations.length > 0 && !consent.confirmed) {
    throw new MeshError('MESH_ERR_CONFIRMATION', { what: plan.confirmations.join('; '), remedy: 'confirm with --yes' })
  }
}

/** What the amounts of a run follow from. */
interface Basis {
  readonly count: ShotCount
  readonly clock: RunClock | undefined
  readonly speed: number | undefined
  readonly durationNs: number | undefined
  readonly sentSpanNs: number
  readonly runSpanNs: number
  readonly layout: readonly PlacedTimeline[]
  readonly copiesAt: (multiplier: number) => number
}

interface Amounts {
  readonly shots: number
  readonly mean: number | undefined
  readonly peak: number | undefined
  readonly stages: PlannedStages | undefined
}

/** Shots, mean and peak: of the stages where there are any. */
function amountsOf(options: ScheduleOptions, basis: Basis): Amounts {
  const { count, clock, speed, durationNs, sentSpanNs, layout } = basis
  if (clock === undefined || speed === undefined || durationNs === undefined) {
    return { shots: Math.round(count.shotsUntil(basis.runSpanNs)), mean: undefined, peak: undefined, stages: undefined }
  }
  if (options.stages === undefined) {
    const copies = basis.copiesAt(options.amplify)
    const shots = Math.round(count.shotsUntil(basis.runSpanNs))
    const peak = peakPerSecond(layout, (timeline, bucket) => timeline.sent(bucket) * copies, speed, sentSpanNs)
    return { shots, mean: meanOfRun(options, count, { shots, speed, durationNs }), peak, stages: undefined }
  }
  const isLaidOut = layout.length < MAX_LAID_OUT
  const { copiesAt } = basis
  const stages = planStages(options.stages, { ...basis, clock, speed, durationNs, isLaidOut, copiesAt })
  const shots = stages.list.reduce((sum, stage) => sum + stage.shots, 0)
  return {
    shots,
    mean: (shots * 1e9) / Math.max(durationNs, 1e9),
    peak: Math.max(...stages.list.map((stage) => stage.peakPerSecond)),
    stages,
  }
}

function placed(recording: SurveyedRecording, alignment: Alignment, index: number): PlannedRecording {
  const aligned = alignment.recordings[index]
  const { info, parts, exchanges, sends, fromNs, toNs } = recording
  const spanNs = toNs - fromNs
  return {
    recordingId: info.recordingId,
    host: info.host,
    service: info.service,
    source: info.source,
    parts: parts.length,
    exchanges,
    sends,
    fromUnixNs: aligned?.fromUnixNs ?? info.originUnixNs,
    spanNs,
    ratePerSecond: spanNs > 0 ? (sends * 1e9) / spanNs : sends,
    offsetNs: aligned?.offsetNs ?? 0,
    periodNs: periodNs(spanNs, exchanges),
  }
}

/** The mean gap after the last request keeps the rate across the seam. What was recorded in one instant is repeated every second. */
function periodNs(spanNs: number, exchanges: number): number {
  return spanNs === 0 ? 1e9 : spanNs + Math.ceil(spanNs / Math.max(1, exchanges - 1))
}

function endOf(recordings: readonly PlannedRecording[], options: ScheduleOptions): number {
  const ends = recordings.map(({ offsetNs, spanNs }) => offsetNs + spanNs)
  if (ends.length === 0) return 0
  if (options.ending === 'loop') return Infinity
  return options.ending === 'shortest' ? Math.min(...ends) : Math.max(...ends)
}

/** The jitter that was asked for, or the default; shorter where the look-ahead would not fit into memory. */
function chooseJitterNs(survey: Survey, options: ScheduleOptions, spanNs: number, warnings: string[]): number {
  const amplify = mostAmplified(options)
  if (amplify <= 1) return 0
  // Copies are decided on before they are shifted: a jitter as long as a stage would wash it out.
  const stagesNs = (options.stages?.list ?? []).map(({ durationNs }) => durationNs * (paceSpeed(options.pace, 0) ?? 1))
  const shortestNs = Math.min(spanNs, ...stagesNs)
  const wanted = Math.floor(options.jitterNs ?? Math.min(DEFAULT_MAX_JITTER_NS, shortestNs / JITTER_PART_OF_SPAN))
  let bytesPerSecond = 0
  for (const { timeline } of survey.recordings) {
    const weigh = (_: typeof timeline, bucket: number): number =>
      timeline.bytes(bucket) + timeline.sent(bucket) * (REQUEST_OVERHEAD_BYTES + amplify * CLONE_OVERHEAD_BYTES)
    bytesPerSecond += peakPerSecond([{ timeline, shiftNs: 0 }], weigh, 1, Infinity)
  }
  const most = bytesPerSecond === 0 ? wanted : Math.floor((MAX_LOOK_AHEAD_BYTES / bytesPerSecond) * 1e9)
  if (wanted <= most) return wanted
  warnings.push(
    `jitter is ${formatDurationNs(most)} instead of ${formatDurationNs(wanted)}: clones may hold ${formatBytes(MAX_LOOK_AHEAD_BYTES)} ` +
      `of requests, and the recordings have ${formatBytes(Math.round(bytesPerSecond))} a second`,
  )
  return most
}

/** How often a request is sent on average: the multiplier, or what the choice of sessions really makes of its fraction. */
function meanCopies(survey: Survey, copiesOf: (sessionHash: number) => number): number {
  let [sends, shots] = [0, 0]
  for (const { connections } of survey.recordings) {
    for (let row = 0; row < connections.span; row++) {
      if (connections.isPool(row)) continue
      const session = connections.sessionOf(row)
      const hash = session === undefined ? connections.hashOf(row) : survey.sessions.hashOf(session)
      sends += connections.sendsOf(row)
      shots += connections.sendsOf(row) * copiesOf(hash)
    }
  }
  if (survey.pooled > 0) {
    // Requests of a pool are not counted by session: their sessions stand for them, each weighing the same.
    let copies = 0
    for (let session = 0; session < survey.sessions.size; session++) copies += copiesOf(survey.sessions.hashOf(session))
    sends += survey.pooled
    shots += (survey.pooled * copies) / Math.max(1, survey.sessions.size)
  }
  return sends === 0 ? copiesOf(0) : shots / sends
}

/** How recorded time becomes the run's; undefined for `max`. */
function clockOf({ pace, durationNs, stages }: ScheduleOptions, count: ShotCount): RunClock | undefined {
  if (stages?.kind === 'rate') return ratePacer(new StageCurve(stages), count.meanPerSecond)
  const isCut = pace.kind === 'rate' && durationNs !== undefined
  const speed = isCut ? count.speedFor(pace.perSecond, durationNs) : paceSpeed(pace, count.meanPerSecond)
  return speed === undefined ? undefined : speedPacer(speed)
}

/** Shots a second: over the run; where it has no end, over the recordings' periods. */
function meanOfRun(
  { pace }: ScheduleOptions,
  count: ShotCount,
  run: { readonly shots: number; readonly speed: number; readonly durationNs: number },
): number {
  const { shots, speed, durationNs } = run
  if (durationNs === Infinity) return count.meanPerSecond * speed
  // What was recorded within less than a second has no rate: it counts as one second's.
  const isBrief = durationNs === 0 || (pace.kind === 'speed' && durationNs === count.spanNs / speed)
  const overNs = isBrief ? Math.max(durationNs, 1e9) : durationNs
  return (shots * 1e9) / overNs
}

/** Within this a rate is what was asked for: shots are whole, and buckets of the timeline not quite even. */
const RATE_TOLERANCE = 0.05

function warnAboutRate(pace: Pace, mean: number | undefined, warnings: string[]): void {
  if (pace.kind !== 'rate' || mean === undefined || mean === 0) return
  if (Math.abs(mean / pace.perSecond - 1) <= RATE_TOLERANCE) return
  const asked = formatRate(pace.perSecond)
  warnings.push(`a mean of ${asked} cannot be reached: what runs has ${formatRate(mean)}`)
}

/** Connections that send and belong to no session with a key. */
function countLoneConnections(survey: Survey): number {
  let count = 0
  for (const { connections } of survey.recordings) {
    for (let row = 0; row < connections.span; row++) {
      const isLone = !connections.isPool(row) && connections.sessionOf(row) === undefined
      if (isLone && connections.sendsOf(row) > 0) count += 1
    }
  }
  return count
}

function warnAboutUnsentSources({ correlation }: Survey, warnings: string[]): void {
  const { unsentSources = 0 } = correlation ?? {}
  if (unsentSources === 0) return
  const many =
    unsentSources === 1 ? '1 value of a request comes' : `${formatCount(unsentSources)} values of requests come`
  warnings.push(`${many} from replies to writes, which are held back: they are sent as recorded without --allow-writes`)
}

/** A login whose password is masked works only where any password does: that is known before anything is sent. */
function warnAboutMasked({ correlation }: Survey, sends: number, warnings: string[]): void {
  const { maskedLogins = 0, maskedStrangers = 0 } = correlation ?? {}
  if (maskedLogins > 0) {
    const many =
      maskedLogins === 1 ? '1 login sends a masked secret' : `${formatCount(maskedLogins)} logins send masked secrets`
    warnings.push(`${many}: a target that checks them lets nobody in, and what needs its replies is not sent`)
  }
  if (maskedStrangers > 0) {
    const percent = Math.ceil((100 * maskedStrangers) / Math.max(1, sends))
    warnings.push(
      `${percent} % of requests are of sessions from before the recording, with masked credentials: the target does not know them`,
    )
  }
}

function warnAboutLateStarts(recordings: readonly PlannedRecording[], endNs: number, warnings: string[]): void {
  for (const { host, offsetNs } of recordings) {
    if (offsetNs > endNs) warnings.push(`${host} begins after the run has ended: use --align start, --ragged or --loop`)
  }
}

/** `copies`: the multiplier, or what the choice of sessions made of its fraction where that is more. */
function confirmations(
  peak: number | undefined,
  recordedPeak: number,
  copies: number,
  amplify: number,
): readonly string[] {
  if (peak === undefined) return ['--speed max sends as fast as the target replies']
  // Buckets are counts; what is above is so by at least one request.
  if (peak <= recordedPeak * copies + 0.5) return []
  return [`the peak of ${formatRate(peak)} is above the recorded ${formatRate(recordedPeak)} times ${amplify}`]
}
