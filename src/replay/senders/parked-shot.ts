import type { ShotPlan } from '../correlate/shot-plan.ts'
import type { ValueJar } from '../correlate/value-jar.ts'
import type { ShotBatch } from '../shot-batch.ts'
import type { WaitingShot } from './waiting-shot.ts'

/** A shot that waits for a reply that it needs a value of, or behind one that does on its connection. */
export interface ParkedShot {
  readonly held: WaitingShot
  readonly connection: number
  readonly session: number
  /** Undefined: it needs nothing itself. */
  readonly plan: ShotPlan | undefined
  readonly jar: ValueJar | undefined
  /** Its neighbour behind it on its connection. */
  next: ParkedShot | undefined
}

/** A batch of one shot that is used again for each: what it is given to borrows it. */
export class OneShotBatch implements ShotBatch {
  readonly count = 1
  readonly dueNs: Float64Array = new Float64Array(1)
  readonly connection: Uint32Array = new Uint32Array(1)
  readonly session: Uint32Array = new Uint32Array(1)
  readonly clone: Uint16Array = new Uint16Array(1)
  readonly route: Uint16Array = new Uint16Array(1)
  readonly recordedStatus: Uint16Array = new Uint16Array(1)
  readonly recording: Uint16Array = new Uint16Array(1)
  readonly exchange: Uint32Array = new Uint32Array(1)
  readonly recordedAtNs: Float64Array = new Float64Array(1)
  readonly flags: Uint8Array = new Uint8Array(1)
  readonly offset: Uint32Array = new Uint32Array(2)
  readonly plans: undefined = undefined
  readonly checks: Uint32Array = new Uint32Array(1)
  bytes: Uint8Array = new Uint8Array(0)

  /** Shot `index` of a batch; its bytes are still to be set. */
  copy(batch: ShotBatch, index: number): this {
    this.dueNs[0] = batch.dueNs[index] ?? 0
    this.connection[0] = batch.connection[index] ?? 0
    this.session[0] = batch.session[index] ?? 0
    this.clone[0] = batch.clone[index] ?? 0
    this.route[0] = batch.route[index] ?? 0
    this.recordedStatus[0] = batch.recordedStatus[index] ?? 0
    this.recording[0] = batch.recording[index] ?? 0
    this.exchange[0] = batch.exchange[index] ?? 0
    this.recordedAtNs[0] = batch.recordedAtNs[index] ?? 0
    this.flags[0] = batch.flags[index] ?? 0
    this.checks[0] = batch.checks?.[index] ?? 0
    return this
  }

  /** A shot that was parked. */
  restore(shot: ParkedShot, bytes: Uint8Array): this {
    const { held } = shot
    this.dueNs[0] = held.dueNs
    this.connection[0] = shot.connection
    this.session[0] = shot.session
    this.clone[0] = held.clone
    this.route[0] = held.route
    this.recordedStatus[0] = held.recordedStatus
    this.recording[0] = held.recording
    this.exchange[0] = held.exchange
    this.recordedAtNs[0] = held.recordedAtNs
    this.flags[0] = held.flags
    this.checks[0] = held.check
    return this.setBytes(bytes)
  }

  setBytes(bytes: Uint8Array): this {
    this.bytes = bytes
    this.offset[1] = bytes.length
    return this
  }
}
