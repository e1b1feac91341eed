import { expect, it } from 'vitest'
import { excusedVerdict } from '../../../src/cli/replay/capacity-steps.ts'
import type { Verdict } from '../../../src/measure/validity.ts'

const REASON = { code: 'lag', what: 'lag p99 is 40ms', remedy: '' } as const

it('a block that our own side disturbed leaves the measurement INVALID where it is let count', () => {
  const excused: Verdict = { name: 'VALID', reasons: [{ ...REASON, verdict: 'INVALID' }] }
  expect(excusedVerdict(excused)).toEqual({ name: 'INVALID', reasons: excused.reasons })
  expect(excusedVerdict({ name: 'SATURATED', reasons: [{ ...REASON, verdict: 'SATURATED' }] })).toBeUndefined()
  expect(excusedVerdict({ name: 'INVALID', reasons: excused.reasons })).toBeUndefined()
})
