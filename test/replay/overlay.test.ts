import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Track } from '../../src/replay/overlay.ts'
import { Overlay } from '../../src/replay/overlay.ts'

interface Item {
  readonly atNs: number
  readonly name: string
}

async function* blocksOf(items: readonly Item[], size: number): AsyncIterable<readonly Item[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size)
}

function track(items: readonly Item[], changes: Partial<Track<Item>> = {}, size = 2): Track<Item> {
  return {
    startNs: items[0]?.atNs ?? 0,
    shiftNs: 0,
    recording: 0,
    loop: 0,
    open: () => blocksOf(items, size),
    ...changes,
  }
}

async function drain(overlay: Overlay<Item>, limit = 10_000): Promise<[number, string][]> {
  const merged: [number, string][] = []
  await overlay.start()
  for (let item = overlay.item; item !== undefined && merged.length < limit; item = overlay.item) {
    merged.push([overlay.atNs, item.name])
    await overlay.advance()
  }
  await overlay.close()
  return merged
}

const TIMES = fc.array(fc.nat(40), { maxLength: 30 }).map((times) => times.toSorted((a, b) => a - b))

describe('Overlay', () => {
  it('merges any streams completely and in order, equal times in order of the recordings', async () => {
    const streams = fc.array(fc.tuple(TIMES, fc.nat(20), fc.integer({ min: 1, max: 5 })), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(streams, async (given) => {
        const expected: { atNs: number; recording: number; index: number; name: string }[] = []
        const lists = given.map(([times, shiftNs, size], recording) => {
          const items = times.map((atNs, index) => ({ atNs, name: `${recording}:${index}` }))
          for (const [index, { atNs, name }] of items.entries()) {
            expected.push({ atNs: atNs + shiftNs, recording, index, name })
          }
          return [track(items, { startNs: (times[0] ?? 0) + shiftNs, shiftNs, recording }, size)]
        })
        expected.sort((a, b) => a.atNs - b.atNs || a.recording - b.recording || a.index - b.index)
        expect(await drain(new Overlay(lists, Infinity))).toEqual(expected.map(({ atNs, name }) => [atNs, name]))
      }),
    )
  })

  it('merges parts of a recording that overlap in time', async () => {
    const first = track([at(0, 'a'), at(5, 'c'), at(9, 'e')])
    const second = track([at(4, 'b'), at(8, 'd'), at(12, 'f')])
    const merged = await drain(new Overlay([[first, second]], Infinity))
    expect(merged.map(([, name]) => name).join('')).toBe('abcdef')
  })

  it('gives nothing after the end, and what is at it', async () => {
    const merged = await drain(new Overlay([[track([at(0, 'a'), at(5, 'b'), at(6, 'c')])]], 5))
    expect(merged.map(([, name]) => name).join('')).toBe('ab')
  })

  it('opens a track only when it comes to it, and closes what it has open', async () => {
    const seen: string[] = []
    const spy = (name: string, items: readonly Item[]): Track<Item> => {
      const plain = track(items, {}, 1)
      return {
        ...plain,
        async *open() {
          seen.push(`open ${name}`)
          try {
            yield* plain.open()
          } finally {
            seen.push(`close ${name}`)
          }
        },
      }
    }
    const overlay = new Overlay(
      [[spy('a', [at(0, '0'), at(5, '5'), at(20, '20')]), spy('b', [at(10, '10')])]],
      Infinity,
    )
    await overlay.start()
    await overlay.advance()
    expect([overlay.atNs, seen]).toEqual([5, ['open a']])
    await overlay.advance()
    expect([overlay.atNs, seen]).toEqual([10, ['open a', 'open b']])
    await overlay.close()
    expect(seen.toSorted()).toEqual(['close a', 'close b', 'open a', 'open b'])
  })

  it('takes tracks from a list without an end', async () => {
    function* again(): Iterable<Track<Item>> {
      for (let loop = 0; ; loop++)
        yield track([at(0, 'x'), at(3, 'y')], { startNs: loop * 10, shiftNs: loop * 10, loop })
    }
    const merged = await drain(new Overlay([again()], Infinity), 5)
    expect(merged).toEqual([
      [0, 'x'],
      [3, 'y'],
      [10, 'x'],
      [13, 'y'],
      [20, 'x'],
    ])
  })

  it('passes tracks by that hold nothing', async () => {
    const merged = await drain(new Overlay([[track([]), track([at(1, 'a')])], [track([])]], Infinity))
    expect(merged).toEqual([[1, 'a']])
  })
})

function at(atNs: number, name: string): Item {
  return { atNs, name }
}
