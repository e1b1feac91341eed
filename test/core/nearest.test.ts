import { describe, expect, it } from 'vitest'
import { nearestName } from '../../src/core/nearest.ts'

const KNOWN = ['max-body', 'upstream', 'config', 'to', 'amplify', 'max-rate']

describe('the name that was meant', () => {
  it.each<readonly [mistyped: string, meant: string | undefined, why: string]>([
    ['max-bodi', 'max-body', 'a letter is another'],
    ['mx-body', 'max-body', 'one is missing'],
    ['upstraem', 'upstream', 'two are swapped'],
    ['amplfy', 'amplify', 'of several the nearest'],
    ['namespace', undefined, 'it is another word'],
    ['go', 'to', 'a short one with half of its letters'],
    ['xy', undefined, 'a short one that shares no letter'],
    ['a'.repeat(10_000), undefined, 'it is no name at all'],
  ])('of %s is %s: %s', (mistyped, meant) => {
    expect(nearestName(mistyped, KNOWN)).toBe(meant)
  })
})
