import { describe, expect, it } from 'vitest'
import { monotonicNs } from '../../src/core/clock.ts'
import { atRecordedPace } from '../../src/mirror/recorded-pace.ts'

async function* items(...times: number[]): AsyncGenerator<number, void, void> {
  for (const time of times) yield await Promise.resolve(time)
}

describe('atRecordedPace', () => {
  it('hands nothing on early, and everything in order', async () => {
    const startNs = monotonicNs()
    const seen: number[] = []
    for await (const atNs of atRecordedPace(
      items(5e9, 5.02e9, 5.01e9, 5.05e9),
      (item) => item,
      new AbortController().signal,
    )) {
      expect(monotonicNs() - startNs).toBeGreaterThanOrEqual(atNs - 5e9)
      seen.push(atNs)
    }
    expect(seen).toEqual([5e9, 5.02e9, 5.01e9, 5.05e9])
  })

  it('ends in the middle of a pause when it is aborted', async () => {
    const abort = new AbortController()
    const seen: number[] = []
    for await (const atNs of atRecordedPace(items(0, 50e9), (item) => item, abort.signal)) {
      seen.push(atNs)
      setImmediate(() => abort.abort())
    }
    expect(seen).toEqual([0])
  })
})
