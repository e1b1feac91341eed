/** Numbers in [0, 1), the same for the same seed. */
export type Random = () => number

/** A small seeded generator (mulberry32 by Tommy Ettinger, public domain): good for jitter and choices, never for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

/**
 * A 32-bit hash of a text (FNV-1a over UTF-16 units, then murmur3's finaliser so that the high bits are even): stable across
 * runs and machines, for sharding and sampling by session.
 */
export function hashText(text: string, seed = 0): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** A 32-bit hash of two numbers, of which the low 32 bits count (murmur3's steps): stable across runs and machines. */
export function hashPair(first: number, second: number): number {
  let hash = Math.imul(second, 0xcc9e2d51)
  hash = Math.imul((hash << 15) | (hash >>> 17), 0x1b873593) ^ first
  hash = Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
