import type { StageCurve } from './stages.ts'

/**
 * Turns the recorded timeline into the run's. Pure arithmetic without a clock: times in and out are nanoseconds from the origin of
 * each timeline, and a later time never becomes an earlier one.
 */
export interface Pacer {
  dueNs(recordedNs: number): number
}

/** A pacer whose times can be turned back. */
export interface RunClock extends Pacer {
  /** The recorded time that the run has come to. */
  recordedNs(runNs: number): number
  /** Undefined where it is not the same all along. */
  readonly speed: number | undefined
}

/**
 * What the user asks of time. `speed` squeezes it (2 is twice as fast); `rate` keeps the recording's shape and makes its mean so
 * many requests a second; `max` sends as fast as replies come, in the recorded order.
 */
export type Pace =
  | { readonly kind: 'speed'; readonly speed: number }
  | { readonly kind: 'rate'; readonly perSecond: number }
  | { readonly kind: 'max' }

/** Recorded time divided by a factor. At 1 every time is kept to the nanosecond. */
export function speedPacer(speed: number): RunClock {
  if (speed === 1) return { dueNs: (recordedNs) => recordedNs, recordedNs: (runNs) => runNs, speed }
  return { dueNs: (recordedNs) => recordedNs / speed, recordedNs: (runNs) => runNs * speed, speed }
}

/**
 * Recorded time squeezed so that a rate of `meanPerSecond`, over all of the recordings, becomes the rate of the curve: their shape is
 * kept, and nothing is due while the curve is at 0.
 */
export function ratePacer(curve: StageCurve, meanPerSecond: number): RunClock {
  const shotsPerNs = meanPerSecond / 1e9
  return {
    dueNs: (recordedNs) => curve.momentOf(recordedNs * shotsPerNs),
    recordedNs: (runNs) => (shotsPerNs === 0 ? 0 : curve.areaUntil(runNs) / shotsPerNs),
    speed: undefined,
  }
}

/** Everything is due at once: only the order is left, and the sender's closed loop decides when. */
export function maxPacer(): Pacer {
  return { dueNs: () => 0 }
}

/**
 * The factor that a pace stands for, `meanPerSecond` being the mean rate of the amplified traffic at its recorded speed;
 * undefined for `max`.
 */
export function paceSpeed(pace: Pace, meanPerSecond: number): number | undefined {
  if (pace.kind === 'max') return undefined
  if (pace.kind === 'speed') return pace.speed
  return meanPerSecond > 0 ? pace.perSecond / meanPerSecond : 1
}
