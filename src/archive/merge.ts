import type { Exchange } from '../core/exchange.ts'
import type { MergedExchange, RecordingReader, TimeRange } from '../core/recording.ts'
import { flattenBatches } from './batches.ts'
import { Heap } from './heap.ts'

/** Merged items handed on at once. */
const BATCH = 256

interface Lane<Item> {
  readonly batches: AsyncIterator<readonly Item[]>
  readonly index: number
  items: readonly Item[]
  next: number
  /** The key of the item that comes next. */
  key: number
}

/**
 * Merges streams, each in ascending order of `keyOf`, into one. Of equal keys the earlier stream's comes first. One batch of each
 * stream is held. Streams are closed when the iteration ends, however it does.
 */
export async function* mergeBatches<Item>(
  streams: readonly AsyncIterable<readonly Item[]>[],
  keyOf: (item: Item, stream: number) => number,
): AsyncGenerator<readonly Item[], void, void> {
  const lanes = streams.map((stream, index): Lane<Item> => ({
    batches: stream[Symbol.asyncIterator](),
    index,
    items: [],
    next: 0,
    key: 0,
  }))
  const heap = new Heap<Lane<Item>>((a, b) => a.key < b.key || (a.key === b.key && a.index < b.index))
  try {
    for (const lane of lanes) if (await refill(lane, keyOf)) heap.push(lane)
    let merged: Item[] = []
    for (let lane = heap.peek(); lane !== undefined; lane = heap.peek()) {
      const item = lane.items[lane.next++]
      if (item !== undefined) merged.push(item)
      const following = lane.items[lane.next]
      if (following !== undefined) lane.key = keyOf(following, lane.index)
      else if (!(await refill(lane, keyOf))) {
        heap.pop()
        continue
      }
      heap.firstChanged()
      if (merged.length >= BATCH) {
        yield merged
        merged = []
      }
    }
    if (merged.length > 0) yield merged
  } finally {
    await Promise.all(lanes.map(async (lane) => lane.batches.return?.()))
  }
}

/** Reads the lane's next batch; false where there is none. */
async function refill<Item>(lane: Lane<Item>, keyOf: (item: Item, stream: number) => number): Promise<boolean> {
  for (;;) {
    const result = await lane.batches.next()
    if (result.done === true) return false
    const [first] = result.value
    if (first === undefined) continue
    lane.items = result.value
    lane.next = 0
    lane.key = keyOf(first, lane.index)
    return true
  }
}

/** One of the recordings to merge. */
export interface MergeInput {
  readonly reader: RecordingReader
  /** What is added to its times, which count from its own origin, to give those of the shared timeline; in nanoseconds. */
  readonly offsetNs: number
  readonly range?: TimeRange
}

/** Recordings on one timeline, in order of their requests' first bytes. */
export function mergeRecordings(inputs: readonly MergeInput[], signal?: AbortSignal): AsyncIterable<MergedExchange> {
  return flattenBatches(mergeRecordingBatches(inputs, signal))
}

/** The same, some at a time. */
export function mergeRecordingBatches(
  inputs: readonly MergeInput[],
  signal?: AbortSignal,
): AsyncIterable<readonly MergedExchange[]> {
  const streams = inputs.map(({ reader, offsetNs, range }, recording) =>
    placed(reader.exchangeBatches(range, signal), recording, offsetNs),
  )
  return mergeBatches(streams, ({ atNs }) => atNs)
}

async function* placed(
  batches: AsyncIterable<readonly Exchange[]>,
  recording: number,
  offsetNs: number,
): AsyncGenerator<readonly MergedExchange[], void, void> {
  for await (const batch of batches) {
    yield batch.map((exchange) => ({ recording, atNs: exchange.requestFirstNs + offsetNs, exchange }))
  }
}
