import type { Shot } from '../core/shot.ts'
import type { BatchPlans } from './correlate/plan-words.ts'

/**
 * Many shots as columns, in order of `dueNs`: what the schedule hands to a sending thread. One message and a few transfers
 * a batch instead of an object a shot, because structured cloning of objects costs more than sending a request.
 * The receiver of a transferred batch owns it.
 */
export interface ShotBatch {
  readonly count: number
  readonly dueNs: Float64Array
  readonly connection: Uint32Array
  readonly session: Uint32Array
  readonly clone: Uint16Array
  readonly route: Uint16Array
  readonly recordedStatus: Uint16Array
  readonly recording: Uint16Array
  readonly exchange: Uint32Array
  readonly recordedAtNs: Float64Array
  /** Bits: see `HEAD_REQUEST`, `LAST_ON_CONNECTION`. */
  readonly flags: Uint8Array
  /** `count + 1` offsets into `bytes`: request i is `bytes[offset[i]..offset[i + 1]]`. */
  readonly offset: Uint32Array
  readonly bytes: Uint8Array
  /** What shots have to do with the replies of their sessions; undefined where none has anything to. */
  readonly plans: BatchPlans | undefined
  /** Numbers of the shots whose replies are to be handed over, 0 for the others; undefined where there are none. */
  readonly checks: Uint32Array | undefined
}

export const HEAD_REQUEST = 1
export const LAST_ON_CONNECTION = 2

/** Packs shots, which must be in order of `dueNs`, into columns of exactly their size. */
export function packShots(shots: readonly Shot[]): ShotBatch {
  const count = shots.length
  const offset = new Uint32Array(count + 1)
  for (const [index, shot] of shots.entries()) offset[index + 1] = (offset[index] ?? 0) + shot.bytes.length
  const batch: ShotBatch = {
    count,
    dueNs: new Float64Array(count),
    connection: new Uint32Array(count),
    session: new Uint32Array(count),
    clone: new Uint16Array(count),
    route: new Uint16Array(count),
    recordedStatus: new Uint16Array(count),
    recording: new Uint16Array(count),
    exchange: new Uint32Array(count),
    recordedAtNs: new Float64Array(count),
    flags: new Uint8Array(count),
    offset,
    bytes: new Uint8Array(offset[count] ?? 0),
    plans: undefined,
    checks: undefined,
  }
  for (const [index, shot] of shots.entries()) {
    batch.dueNs[index] = shot.dueNs
    batch.connection[index] = shot.connection
    batch.session[index] = shot.session
    batch.clone[index] = shot.clone
    batch.route[index] = shot.route
    batch.recordedStatus[index] = shot.recordedStatus
    batch.recording[index] = shot.recording
    batch.exchange[index] = shot.exchange
    batch.recordedAtNs[index] = shot.recordedAtNs
    batch.flags[index] = (shot.headRequest ? HEAD_REQUEST : 0) | (shot.lastOnConnection ? LAST_ON_CONNECTION : 0)
    batch.bytes.set(shot.bytes, offset[index])
  }
  return batch
}

/** The memory behind a batch, for the transfer list of `postMessage`. */
export function batchBuffers(batch: ShotBatch): ArrayBuffer[] {
  const columns = [
    batch.dueNs,
    batch.connection,
    batch.session,
    batch.clone,
    batch.route,
    batch.recordedStatus,
    batch.recording,
    batch.exchange,
    batch.recordedAtNs,
    batch.flags,
    batch.offset,
    batch.bytes,
    ...(batch.checks === undefined ? [] : [batch.checks]),
    ...(batch.plans === undefined ? [] : [batch.plans.offset, batch.plans.words]),
  ]
  return columns.flatMap((column) => (column.buffer instanceof ArrayBuffer ? [column.buffer] : []))
}
