import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mergeBatches, mergeRecordings } from '../../src/archive/merge.ts'
import { openRecording } from '../../src/archive/reader.ts'
import { exchange } from '../support/exchanges.ts'
import { ORIGIN_UNIX_NS, collect, recordChunks, withFolder } from '../support/recordings.ts'

interface Keyed {
  readonly key: number
  readonly stream: number
  readonly place: number
}

/** A stream of lists, some of them empty, that says when it is closed. */
async function* stream(
  lists: readonly (readonly Keyed[])[],
  onClose: () => void = () => undefined,
): AsyncGenerator<readonly Keyed[], void, void> {
  try {
    for (const list of lists) yield list
  } finally {
    onClose()
  }
}

/** Streams in ascending order, cut into lists of any length. */
const anyStreams = fc
  .array(fc.array(fc.array(fc.nat(50), { maxLength: 5 }), { maxLength: 5 }), { maxLength: 6 })
  .map((streams) =>
    streams.map((lists, index) => {
      const keys = lists.flat().sort((a, b) => a - b)
      let place = 0
      return lists.map((list) => list.map((): Keyed => ({ key: keys[place] ?? 0, stream: index, place: place++ })))
    }),
  )

describe('merging ordered streams', () => {
  it('gives what sorting all of them together gives, equal keys in the order of the streams', async () => {
    await fc.assert(
      fc.asyncProperty(anyStreams, async (streams) => {
        const merged = (
          await collect(
            mergeBatches(
              streams.map((lists) => stream(lists)),
              ({ key }) => key,
            ),
          )
        ).flat()
        const sorted = streams.flat(2).sort((a, b) => a.key - b.key || a.stream - b.stream || a.place - b.place)
        expect(merged).toEqual(sorted)
      }),
    )
  })

  it('closes every stream when it is left in the middle', async () => {
    let closed = 0
    const lists = Array.from({ length: 3 }, (_, index) => [[{ key: index, stream: index, place: 0 }]])
    const many = lists.map((one) => [
      ...one,
      ...Array.from({ length: 600 }, (_, place) => [{ key: place + 9, stream: 0, place }]),
    ])
    for await (const batch of mergeBatches(
      many.map((one) => stream(one, () => closed++)),
      ({ key }) => key,
    )) {
      expect(batch.length).toBeGreaterThan(0)
      break
    }
    expect(closed).toBe(3)
  })

  it('closes the others when one fails', async () => {
    let closed = 0
    const failing = (async function* (): AsyncGenerator<readonly Keyed[], void, void> {
      yield [{ key: 0, stream: 1, place: 0 }]
      throw new Error('gone')
    })()
    const sound = stream([[{ key: 5, stream: 0, place: 0 }]], () => closed++)
    await expect(collect(mergeBatches([sound, failing], ({ key }) => key))).rejects.toThrow('gone')
    expect(closed).toBe(1)
  })
})

describe('merging recordings', () => {
  it('puts their exchanges on one timeline, each with the recording it is of', async () => {
    await withFolder(async (folder) => {
      const at = (...times: number[]): ReturnType<typeof exchange>[] =>
        times.map((firstNs) => exchange({ id: firstNs, requestFirstNs: firstNs }))
      await recordChunks(join(folder, 'a.mcap'), [at(10, 30), at(20, 40)])
      await recordChunks(join(folder, 'b.mcap'), [at(0, 11), at(35)])
      const readers = [await openRecording(join(folder, 'a.mcap')), await openRecording(join(folder, 'b.mcap'))]
      const inputs = readers.map((reader, index) => ({ reader, offsetNs: index * 5 }))
      const merged = await collect(mergeRecordings(inputs))
      expect(merged.map(({ recording, atNs, exchange: { id } }) => [recording, atNs, id])).toEqual([
        [1, 5, 0],
        [0, 10, 10],
        [1, 16, 11],
        [0, 20, 20],
        [0, 30, 30],
        [0, 40, 40],
        [1, 40, 35],
      ])
      const range = { fromUnixNs: ORIGIN_UNIX_NS + 20n, toUnixNs: ORIGIN_UNIX_NS + 40n }
      const some = await collect(mergeRecordings(inputs.map((input) => ({ ...input, range }))))
      expect(some.map(({ exchange: { id } }) => id)).toEqual([20, 30, 35])
      await Promise.all(readers.map((reader) => reader.close()))
    })
  })
})
