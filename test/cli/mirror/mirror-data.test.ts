import { describe, expect, it } from 'vitest'
import { dataProofText, judgeProofs, withDataProxies } from '../../../src/cli/mirror/mirror-data.ts'
import type { DataProxy } from '../../../src/mirror/data-proxy.ts'

function proxy(events: string[]): DataProxy {
  return {
    name: 'postgres shop',
    close: () => {
      events.push('closed')
      return Promise.resolve({ counts: { passed: 1200, diverted: 3 }, productionWrites: 0, notes: ['audit log: /a'] })
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
    const ran = await withDataProxies(starting(events), () => {
      events.push('ran')
      return Promise.resolve(7)
    })
    expect([ran?.result, events]).toEqual([7, ['started', 'ran', 'closed']])
    expect(dataProofText(ran?.proofs ?? [])).toBe(
      '\npostgres shop\n  production writes      0\n  passed             1,200\n  diverted               3\n  audit log: /a\n',
    )
  })

  it('runs nothing where a signal came before they were ready, and closes those that are', async () => {
    const events: string[] = []
    const ran = await withDataProxies(
      {
        start: async (signal) => {
          process.emit('SIGTERM')
          expect(signal.aborted).toBe(true)
          return starting(events).start()
        },
      },
      () => Promise.reject(new Error('it ran')),
    )
    expect([ran, events]).toEqual([undefined, ['started', 'closed']])
  })

  it('closes them after a run that failed', async () => {
    const events: string[] = []
    const failing = withDataProxies(starting(events), () => Promise.reject(new Error('no port')))
    await expect(failing).rejects.toThrow('no port')
    expect(events).toEqual(['started', 'closed'])
  })

  it('has what the others say where one fails to end, names it, and does not call the run whole', async () => {
    const events: string[] = []
    const failing: DataProxy = { name: 'postgres stock', close: () => Promise.reject(new Error('the disk is full')) }
    const start = (): Promise<DataProxy[]> => Promise.resolve([failing, proxy(events)])
    const ran = await withDataProxies({ start }, () => Promise.resolve(7))
    const proofs = ran?.proofs ?? []
    expect(events).toEqual(['closed'])
    expect(dataProofText(proofs)).toMatch(
      /^\npostgres stock\n {2}no proof: the disk is full \[MESH_ERR_INTERNAL\]\n\npostgres shop\n {2}production writes +0\n/,
    )
    expect([judgeProofs(proofs), judgeProofs(proofs.slice(1))]).toEqual(['lost', 'whole'])
    const written = { name: 'postgres shop', counts: {}, productionWrites: 1, notes: [] }
    expect(judgeProofs([...proofs, written])).toBe('written')
  })

  it('closes all that are where a signal came and one fails to end', async () => {
    const events: string[] = []
    const failing: DataProxy = { name: 'postgres stock', close: () => Promise.reject(new Error('the disk is full')) }
    const start = (): Promise<DataProxy[]> => {
      process.emit('SIGTERM')
      return Promise.resolve([failing, proxy(events)])
    }
    expect(await withDataProxies({ start }, () => Promise.resolve(7))).toBeUndefined()
    expect(events).toEqual(['closed'])
  })
})
