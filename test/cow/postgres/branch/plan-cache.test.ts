import { describe, expect, it } from 'vitest'
import { PlanCache } from '../../../../src/cow/postgres/branch/plan-cache.ts'
import type { TextPlan } from '../../../../src/cow/postgres/branch/text-plan.ts'

/** A plan that is told apart by what it is of. */
function planOf(of: string): TextPlan {
  return { statements: [], direct: of, changesSchema: false }
}

/** All plans together have so many characters in their texts and scopes. */
const MAX_CHARACTERS = 16 * 1024 * 1024
const LONG = 60_000

describe('the cache of plans', () => {
  it('finds a plan by its text among those for whom names mean the same', () => {
    const plans = new PlanCache()
    plans.keep('public', 'SELECT 1', planOf('a'))
    plans.keep('other', 'SELECT 1', planOf('b'))
    expect(plans.get('public', 'SELECT 1')?.direct).toBe('a')
    expect(plans.get('other', 'SELECT 1')?.direct).toBe('b')
    expect(plans.get('publicS', 'ELECT 1')).toBeUndefined()
    plans.clear()
    expect(plans.get('public', 'SELECT 1')).toBeUndefined()
  })

  it('keeps what is asked for, and forgets what is not, be it the text or the scope that is long', () => {
    for (const isScope of [false, true]) {
      const plans = new PlanCache()
      const long = 'x'.repeat(LONG)
      plans.keep('public', 'SELECT 1', planOf('asked for'))
      plans.keep('public', 'SELECT 2', planOf('not asked for'))
      for (let place = 0; place * LONG < MAX_CHARACTERS; place++) {
        const name = `${place} ${long}`
        plans.keep(isScope ? name : 'public', isScope ? '' : name, planOf(name))
        expect(plans.get('public', 'SELECT 1')?.direct).toBe('asked for')
      }
      expect(plans.get('public', 'SELECT 2')).toBeUndefined()
    }
  })

  it('remembers the last one of the very long texts', () => {
    const plans = new PlanCache()
    const text = 'x'.repeat(LONG * 2)
    plans.keep('public', text, planOf('first'))
    expect(plans.get('public', text)?.direct).toBe('first')
    expect(plans.get('other', text)).toBeUndefined()
    plans.keep('public', `${text}y`, planOf('second'))
    expect(plans.get('public', text)).toBeUndefined()
  })
})
