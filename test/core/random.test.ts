import { describe, expect, it } from 'vitest'
import { hashText, seededRandom } from '../../src/core/random.ts'

describe('seeded numbers', () => {
  it('are the same for the same seed, in [0, 1), and about even', () => {
    const [a, b] = [seededRandom(7), seededRandom(7)]
    const numbers = Array.from({ length: 10_000 }, a)
    expect(Array.from({ length: 10_000 }, b)).toEqual(numbers)
    expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true)
    expect(numbers.reduce((sum, number) => sum + number, 0) / numbers.length).toBeCloseTo(0.5, 1)
  })
})

describe('hashText', () => {
  it('is even over keys that differ little, in its high bits and in its low bits', () => {
    const hashes = Array.from({ length: 40_000 }, (_, index) => hashText(`session-${index}`))
    for (const bucketOf of [(hash: number) => hash >>> 28, (hash: number) => hash % 16]) {
      const buckets = Array.from({ length: 16 }, () => 0)
      for (const hash of hashes) buckets[bucketOf(hash)] = (buckets[bucketOf(hash)] ?? 0) + 1
      expect(Math.max(...buckets)).toBeLessThan(2_800)
      expect(Math.min(...buckets)).toBeGreaterThan(2_200)
    }
  })
})
