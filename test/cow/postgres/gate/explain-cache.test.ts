import { describe, expect, it } from 'vitest'
import { ExplainCache } from '../../../../src/cow/postgres/gate/explain-cache.ts'

const plan = (bytes = 10): { bytes: Uint8Array; rows: number } => ({ bytes: new Uint8Array(bytes), rows: 1 })

describe('ExplainCache', () => {
  it('serves texts that differ in a compared value only, but not in a range or a limit', () => {
    const cache = new ExplainCache()
    cache.set('SELECT a FROM public.t WHERE ((id = 17))', plan(), 0)
    cache.set("SELECT a FROM public.t WHERE ((name = 'x'::text))", plan(), 0)
    cache.set('SELECT a FROM public.t WHERE ((id > 17))', plan(), 0)
    expect(cache.get('SELECT a FROM public.t WHERE ((id = 99))', 1)).toBeDefined()
    expect(cache.get("SELECT a FROM public.t WHERE ((name = 'it''s'::text))", 1)).toBeDefined()
    expect(cache.get('SELECT a FROM public.t WHERE ((id > 18))', 1)).toBeUndefined()
    expect(cache.get('SELECT a FROM public.t WHERE ((other = 17))', 1)).toBeUndefined()
  })

  it('forgets what is too old, and the oldest where there is too much', () => {
    const cache = new ExplainCache({ maxAgeMs: 100, maxBytes: 3000 })
    cache.set('a', plan(), 0)
    expect(cache.get('a', 99)).toBeDefined()
    expect(cache.get('a', 100)).toBeUndefined()
    cache.set('b', plan(1000), 0)
    cache.set('c', plan(1000), 0)
    cache.set('d', plan(1000), 0)
    expect(cache.get('b', 1)).toBeUndefined()
    expect(cache.get('d', 1)).toBeDefined()
  })
})
