import type { Outcome } from '../core/outcome.ts'
import { SHOT_ERRORS } from '../core/outcome.ts'

/** So many of a run are kept. */
export const MAX_SLOWEST = 20

/** Which recorded exchange a shot was made of, as in `Shot`. */
export interface ShotOrigin {
  readonly recording: number
  readonly exchange: number
  readonly recordedAtNs: number
  readonly clone: number
}

/** One of the slowest shots of a run: a reply, or a timeout. Times in nanoseconds from the run's origin. */
export interface SlowShot
  extends ShotOrigin, Pick<Outcome, 'route' | 'dueNs' | 'readyNs' | 'sentNs' | 'doneNs' | 'status' | 'error'> {}

/** What is told of a shot, a number each; the error is its place in `SHOT_ERRORS`. */
const NUMBERS_PER_SHOT = 11

/**
 * The slowest shots by response time, at most `MAX_SLOWEST`. Each sending thread has one, where a shot that is none of them costs one
 * comparison; what it `take`s is `add`ed to that of the run.
 */
export class SlowestShots {
  #warmupNs: number
  /** Slowest first. */
  readonly #shots: SlowShot[] = []
  readonly #untold = new Set<SlowShot>()
  /** A shot that takes no longer is none of the slowest. */
  #leastNs = Number.NEGATIVE_INFINITY

  /** Shots due before `warmupNs` are left out. */
  constructor(warmupNs: number = Number.NEGATIVE_INFINITY) {
    this.#warmupNs = warmupNs
  }

  /** Slowest first. */
  get shots(): readonly SlowShot[] {
    return this.#shots
  }

  /** From now on, shots due before this are left out. */
  measureFrom(dueNs: number): void {
    this.#warmupNs = dueNs
  }

  /** Both are borrowed for the call. Counts what response times are recorded of: replies and timeouts. */
  offer(outcome: Outcome, origin: ShotOrigin): void {
    if (outcome.doneNs - outcome.dueNs <= this.#leastNs) return
    const { error } = outcome
    if ((error !== 'none' && error !== 'timeout') || outcome.dueNs < this.#warmupNs) return
    this.#keep(slowShot(outcome, origin))
  }

  /** Those of the slowest that were not told before, `NUMBERS_PER_SHOT` numbers each; undefined: none. The caller owns the memory. */
  take(): Float64Array<ArrayBuffer> | undefined {
    if (this.#untold.size === 0) return undefined
    const numbers = new Float64Array(this.#untold.size * NUMBERS_PER_SHOT)
    let at = 0
    for (const { route, dueNs, readyNs, sentNs, doneNs, status, error, ...origin } of this.#untold) {
      const { recording, exchange, recordedAtNs, clone } = origin
      const place = SHOT_ERRORS.indexOf(error)
      numbers.set([route, dueNs, readyNs, sentNs, doneNs, status, place, recording, exchange, recordedAtNs, clone], at)
      at += NUMBERS_PER_SHOT
    }
    this.#untold.clear()
    return numbers
  }

  /** What another has told. */
  add(numbers: Float64Array): void {
    for (let at = 0; at < numbers.length; at += NUMBERS_PER_SHOT) {
      const [route = 0, dueNs = 0, readyNs = 0, sentNs = 0, doneNs = 0, status = 0, place = 0, ...origin] =
        numbers.subarray(at, at + NUMBERS_PER_SHOT)
      if (doneNs - dueNs <= this.#leastNs) continue
      const [recording = 0, exchange = 0, recordedAtNs = 0, clone = 0] = origin
      const error = SHOT_ERRORS[place] ?? 'none'
      const outcome = { route, dueNs, readyNs, sentNs, doneNs, status, error }
      this.#keep({ ...outcome, recording, exchange, recordedAtNs, clone })
    }
  }

  #keep(shot: SlowShot): void {
    const shots = this.#shots
    const responseNs = shot.doneNs - shot.dueNs
    let place = shots.length
    while (place > 0 && responseNs > responseNsOf(shots[place - 1])) place--
    shots.splice(place, 0, shot)
    this.#untold.add(shot)
    if (shots.length > MAX_SLOWEST) {
      const dropped = shots.pop()
      if (dropped !== undefined) this.#untold.delete(dropped)
    }
    if (shots.length === MAX_SLOWEST) this.#leastNs = responseNsOf(shots.at(-1))
  }
}

/** A copy of what is borrowed. */
function slowShot({ route, dueNs, readyNs, sentNs, doneNs, status, error }: Outcome, origin: ShotOrigin): SlowShot {
  const { recording, exchange, recordedAtNs, clone } = origin
  return { route, dueNs, readyNs, sentNs, doneNs, status, error, recording, exchange, recordedAtNs, clone }
}

function responseNsOf(shot: SlowShot | undefined): number {
  return shot === undefined ? Number.POSITIVE_INFINITY : shot.doneNs - shot.dueNs
}
