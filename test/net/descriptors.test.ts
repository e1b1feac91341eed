import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { connectionsWithin, descriptorLimit } from '../../src/net/descriptors.ts'

describe('connectionsWithin', () => {
  it('gives each connection two descriptors and keeps some back', () => {
    expect(connectionsWithin(1024)).toBe(480)
    expect(connectionsWithin(20_000)).toBe(9_968)
  })

  it('gives at least one, and no bound where there is none', () => {
    expect(connectionsWithin(10)).toBe(1)
    expect(connectionsWithin(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('descriptorLimit', () => {
  it.skipIf(!existsSync('/proc/self/limits'))('reads the limit of this process', () => {
    expect(descriptorLimit()).toBeGreaterThan(3)
  })
})
