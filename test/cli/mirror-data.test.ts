import { describe, expect, it } from 'vitest'
import { dataProofText, withDataProxies } from '../../src/cli/mirror-data.ts'
import type { DataProxy } from '../../src/mirror/data-proxy.ts'

function proxy(events: string[]): DataProxy {
  return {
    name: 'postgres shop',
    counts: () => ({}),
    close: () => {
      events.push('closed')
      return Promise.resolve({ counts: { passed: 1200, diverted: 3 }, productionWrites: 0, notes: [] })
    },
  }
}

function starting(events: string[]): { start: () => Promise<DataProxy[]> } {
  return {
    start: () => {
      events.push('started')
      return Promise.resolve([proxy(events)])
    },
  }
}

describe('withDataProxies', () => {
  it('starts them before the run, closes them after it, and has what they say', async () => {
    const events: string[] = []
    const { result, proofs } = await withDataProxies(starting(events), () => {
      events.push('ran')
      return Promise.resolve(7)
    })
    expect([result, events]).toEqual([7, ['started', 'ran', 'closed']])
    expect(dataProofText(proofs)).toBe('\npostgres shop: 1,200 passed, 3 diverted\n  production writes: 0\n')
  })

  it('closes them after a run that failed', async () => {
    const events: string[] = []
    const failing = withDataProxies(starting(events), () => Promise.reject(new Error('no port')))
    await expect(failing).rejects.toThrow('no port')
    expect(events).toEqual(['started', 'closed'])
  })
})
