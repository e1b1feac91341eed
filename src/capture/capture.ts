import type { RecordingWriter } from '../core/recording.ts'
import type { ExchangeSource } from './exchange-source.ts'
import type { ExchangeIntake } from './intake.ts'
import type { RecordingPipeline } from './pipeline.ts'
import type { Source } from './source.ts'

/** How often a live source's pipeline is told the time, in ms. A tenth of a second is a hundredth of the longest hold. */
const TICK_MS = 100

/** A source of exchanges waits for the writer once in so many: fewer awaits, and a backlog that stays small. */
const DRAIN_EVERY = 64

export interface CaptureOptions {
  /**
   * For live sources: nanoseconds from the source's origin, now. Such a source cannot wait: where the writer's backlog is
   * full, exchanges are dropped and counted. Without it the source is a file, which waits for the writer.
   */
  readonly nowNs?: (() => number) | undefined
}

/**
 * Records a source: pulls its batches through the pipeline until it ends, or as many exchanges are recorded as were asked for.
 * On abort it is the source that ends, after what it still has: a tap drains its connections first. In either case the
 * pipeline is ended in order, and nothing is pending after. The writer stays open: its owner closes it. What the source or
 * the writer throws is passed on.
 */
export async function capture(
  source: Source,
  pipeline: RecordingPipeline,
  writer: RecordingWriter,
  signal: AbortSignal,
  options: CaptureOptions = {},
): Promise<void> {
  const { nowNs } = options
  const ticking = nowNs === undefined ? undefined : setInterval(() => pipeline.tick(nowNs()), TICK_MS)
  try {
    for await (const segments of source.segments(signal)) {
      pipeline.feed(segments)
      if (pipeline.limitReached) break
      if (nowNs === undefined) await writer.drained()
      else await noteBacklog(pipeline, writer)
    }
  } catch (thrown) {
    if (!(signal.aborted && thrown === signal.reason)) throw thrown
  } finally {
    clearInterval(ticking)
    try {
      if (pipeline.intake.writerBehind) await writer.drained()
    } finally {
      pipeline.end(nowNs?.())
    }
  }
}

/**
 * Records a source of exchanges that another tool put together, at the pace of the writer, until it ends (on abort
 * too) or the limit is reached. What the source could not read is noted in the ledger by the caller: `source.counts`.
 */
export async function captureExchanges(
  source: ExchangeSource,
  intake: ExchangeIntake,
  writer: RecordingWriter,
  signal: AbortSignal,
): Promise<void> {
  let untilDrain = DRAIN_EVERY
  for await (const draft of source.exchanges(signal)) {
    intake.offer(draft)
    if (intake.limitReached) return
    if (--untilDrain > 0) continue
    untilDrain = DRAIN_EVERY
    await writer.drained()
  }
}

/** Asks whether the writer has room, without waiting for it: a writer that has says so before the loop turns. */
async function noteBacklog(pipeline: RecordingPipeline, writer: RecordingWriter): Promise<void> {
  const { intake } = pipeline
  if (intake.writerBehind) return
  let room = false
  const drained = writer.drained().then(() => {
    room = true
    intake.writerBehind = false
  })
  await Promise.race([drained, nextTurn()])
  intake.writerBehind = !room
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
