import type { ShotOrigin } from '../../measure/slowest-shots.ts'
import type { ShotBatch } from '../shot-batch.ts'
import type { AwaitedReply } from './awaited-reply.ts'

/** A shot that is due and cannot be sent yet. It owns a copy of its bytes: a batch must not live as long as its slowest shot. */
export class WaitingShot implements ShotOrigin {
  /** From the run's origin. */
  readonly dueNs: number
  readonly route: number
  readonly recordedStatus: number
  readonly recording: number
  readonly exchange: number
  readonly recordedAtNs: number
  readonly clone: number
  /** As in the batch. */
  readonly flags: number
  readonly bytes: Uint8Array
  /** As in the batch; 0: its reply is not handed over. */
  readonly check: number
  /** Its reply is needed by later shots. */
  readonly awaited: AwaitedReply | undefined
  next: WaitingShot | undefined = undefined

  constructor(batch: ShotBatch, index: number, awaited: AwaitedReply | undefined) {
    this.awaited = awaited
    this.dueNs = batch.dueNs[index] ?? 0
    this.route = batch.route[index] ?? 0
    this.recordedStatus = batch.recordedStatus[index] ?? 0
    this.recording = batch.recording[index] ?? 0
    this.exchange = batch.exchange[index] ?? 0
    this.recordedAtNs = batch.recordedAtNs[index] ?? 0
    this.clone = batch.clone[index] ?? 0
    this.flags = batch.flags[index] ?? 0
    this.check = batch.checks?.[index] ?? 0
    this.bytes = Buffer.from(shotBytes(batch, index))
  }
}

/** The bytes of a shot, where they lie in the batch. */
export function shotBytes(batch: ShotBatch, index: number): Uint8Array {
  const { bytes, offset } = batch
  const [start, end] = [offset[index] ?? 0, offset[index + 1] ?? 0]
  return start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end)
}
