import type { RecordingInfo } from '../core/recording.ts'

/** How recordings are laid onto one timeline: by their wall clocks, by their first requests, or whichever fits. */
export const ALIGN_MODES = ['auto', 'clock', 'start'] as const
export type AlignMode = (typeof ALIGN_MODES)[number]

/** From the first to the last request of one recording or of one of its parts, in wall-clock nanoseconds since 1970. */
export interface RecordedSpan {
  readonly info: RecordingInfo
  readonly fromUnixNs: bigint
  /** Of the last request itself. */
  readonly toUnixNs: bigint
}

/** One recording, all its parts, on the run's timeline before any change of speed. */
export interface AlignedRecording {
  readonly recordingId: string
  /** Of its first part. */
  readonly info: RecordingInfo
  readonly parts: number
  readonly fromUnixNs: bigint
  readonly toUnixNs: bigint
  /** When its first request is due, in nanoseconds from the run's origin; the earliest recording has 0. */
  readonly offsetNs: number
  readonly spanNs: number
}

export interface Alignment {
  /** What was done. */
  readonly mode: 'clock' | 'start'
  /** Why, as a sentence for people. */
  readonly reason: string
  /** In order of first appearance. */
  readonly recordings: readonly AlignedRecording[]
}

/** `auto` keeps wall clocks from this share on: the time common to all recordings, of the longest one. */
const LEAST_OVERLAP = 0.5

/**
 * Lays recordings onto one timeline. Spans of one recording id are parts of one recording and keep their distance. Wall clocks are
 * kept where hosts were recorded together; recordings of different days, say, are made to start together.
 */
export function alignRecordings(spans: readonly RecordedSpan[], mode: AlignMode): Alignment {
  const whole = joinParts(spans)
  const overlap = overlapShare(whole)
  const percent = `${Math.round(overlap * 100)} %`
  const { clock, reason } = decide(mode, whole.length, overlap, percent)
  const earliest = whole.reduce(
    (least, { fromUnixNs }) => (fromUnixNs < least ? fromUnixNs : least),
    whole[0]?.fromUnixNs ?? 0n,
  )
  const recordings = whole.map((recording) => ({
    ...recording,
    offsetNs: clock ? Number(recording.fromUnixNs - earliest) : 0,
    spanNs: Number(recording.toUnixNs - recording.fromUnixNs),
  }))
  return { mode: clock ? 'clock' : 'start', reason, recordings }
}

function decide(mode: AlignMode, count: number, overlap: number, percent: string): { clock: boolean; reason: string } {
  if (count < 2) return { clock: mode !== 'start', reason: 'one recording' }
  if (mode === 'clock') return { clock: true, reason: `wall clocks kept, as asked: spans overlap by ${percent}` }
  if (mode === 'start') return { clock: false, reason: `starts aligned, as asked: spans overlap by ${percent}` }
  return overlap >= LEAST_OVERLAP
    ? { clock: true, reason: `wall clocks kept: spans overlap by ${percent}` }
    : { clock: false, reason: `starts aligned: spans overlap by ${percent} only` }
}

type WholeRecording = Omit<AlignedRecording, 'offsetNs' | 'spanNs'>

function joinParts(spans: readonly RecordedSpan[]): readonly WholeRecording[] {
  const recordings = new Map<string, WholeRecording>()
  for (const { info, fromUnixNs, toUnixNs } of spans) {
    const known = recordings.get(info.recordingId)
    recordings.set(info.recordingId, {
      recordingId: info.recordingId,
      info: known === undefined || info.part < known.info.part ? info : known.info,
      parts: (known?.parts ?? 0) + 1,
      fromUnixNs: known === undefined || fromUnixNs < known.fromUnixNs ? fromUnixNs : known.fromUnixNs,
      toUnixNs: known === undefined || toUnixNs > known.toUnixNs ? toUnixNs : known.toUnixNs,
    })
  }
  return [...recordings.values()]
}

/** The time common to all, as a share of the longest span; 0 where all are instants. */
function overlapShare(recordings: readonly WholeRecording[]): number {
  let latestStart: bigint | undefined
  let earliestEnd: bigint | undefined
  let longest = 0n
  for (const { fromUnixNs, toUnixNs } of recordings) {
    if (latestStart === undefined || fromUnixNs > latestStart) latestStart = fromUnixNs
    if (earliestEnd === undefined || toUnixNs < earliestEnd) earliestEnd = toUnixNs
    if (toUnixNs - fromUnixNs > longest) longest = toUnixNs - fromUnixNs
  }
  if (latestStart === undefined || earliestEnd === undefined || longest === 0n) return 0
  return earliestEnd > latestStart ? Number(earliestEnd - latestStart) / Number(longest) : 0
}
