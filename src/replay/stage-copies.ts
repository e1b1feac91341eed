import type { Amplifier } from './amplify.ts'
import type { PreparedRequest } from './batches.ts'
import type { StageCurve } from './stages.ts'

/**
 * How many copies of each request leave while the multiplier changes.
 *
 * Clone `c` of a session whose share is `u` (0 to 1, of its hash and the seed) is sent while `c + u < multiplier`: the same sessions
 * are in at the same multiplier, and clones leave in the opposite order of their coming. It is decided at each request, so that a
 * session that lasts for hours follows the stages too; but a clone comes in only while nothing was issued to its session: from the
 * first reply on whose values later requests need (a login), whoever did not get that reply stays out, and who left does not come back.
 * Where recordings loop, each round is a session anew.
 */
export class StageCopies {
  readonly #amplifier: Amplifier
  readonly #curve: StageCurve
  readonly #speed: number
  /** By round of the loop and session: the most copies that can still be sent. Only sessions that were issued something have one. */
  readonly #rounds = new Map<number, Map<number, number>>()
  /** In which round each recording is. */
  readonly #roundOf: number[]

  /** `speed`: recorded time divided by it is the run's. */
  constructor(amplifier: Amplifier, curve: StageCurve, speed: number, recordings: number) {
    this.#amplifier = amplifier
    this.#curve = curve
    this.#speed = speed
    this.#roundOf = Array.from({ length: recordings }, () => 0)
  }

  /** Requests come in order of `atNs`, in recorded time from the run's origin. */
  copies(request: PreparedRequest, atNs: number, loop: number, recording: number): number {
    if (this.#roundOf[recording] !== loop) this.#begin(recording, loop)
    const wanted = this.#amplifier.copiesAt(request.sessionHash, this.#curve.valueAt(atNs / this.#speed))
    const round = this.#rounds.get(loop)
    const most = round?.get(request.session)
    const copies = most === undefined ? wanted : Math.min(most, wanted)
    const isIssued = request.plan !== undefined && request.plan.texts.length > 0
    if (isIssued || (most !== undefined && copies < most)) this.#limit(loop, request.session, copies)
    return copies
  }

  #limit(loop: number, session: number, copies: number): void {
    const round = this.#rounds.get(loop) ?? new Map<number, number>()
    this.#rounds.set(loop, round)
    round.set(session, copies)
  }

  /** Rounds that no recording is in any more are forgotten. */
  #begin(recording: number, loop: number): void {
    this.#roundOf[recording] = loop
    const oldest = Math.min(...this.#roundOf)
    for (const round of this.#rounds.keys()) if (round < oldest) this.#rounds.delete(round)
  }
}
