import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LedgerFate } from '../../src/core/ledger.ts'
import {
  addLedger,
  emptyLedger,
  LEDGER_FATES,
  LEDGER_UNITS,
  LedgerKeeper,
  ledgerImbalance,
} from '../../src/core/ledger.ts'

describe('a ledger', () => {
  it('balances when everything that was seen has one fate', () => {
    const keeper = new LedgerKeeper()
    keeper.see('requests', 3)
    keeper.settle('requests', 'whole', 2)
    expect(ledgerImbalance(keeper.total()).size).toBe(0)
    expect(keeper.total().requests).toMatchObject({ seen: 3, whole: 2, pending: 1 })
  })

  it('says which unit does not balance, and by how much', () => {
    const ledger = emptyLedger()
    ledger.bytes.seen = 5
    ledger.bytes.whole = 3
    ledger.requests.dropped = 1
    expect([...ledgerImbalance(ledger)]).toEqual([
      ['requests', -1],
      ['bytes', 2],
    ])
  })

  it('counts reasons under their fates', () => {
    const keeper = new LedgerKeeper()
    keeper.see('responses')
    keeper.settle('responses', 'undecodable', 1, 'two-lengths')
    expect([...keeper.total().reasons]).toEqual([['responses.undecodable.two-lengths', 1]])
  })

  it('is the sum of its deltas, wherever they are taken', () => {
    const fates = fc.constantFrom(
      ...LEDGER_FATES.filter((fate): fate is Exclude<LedgerFate, 'pending'> => fate !== 'pending'),
    )
    const step = fc.record({ unit: fc.constantFrom(...LEDGER_UNITS), fate: fates, count: fc.nat(5), cut: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const keeper = new LedgerKeeper()
        const sum = emptyLedger()
        for (const { unit, fate, count, cut } of steps) {
          keeper.see(unit, count)
          keeper.settle(unit, fate, count, fate)
          if (cut) addLedger(sum, keeper.takeDelta())
        }
        addLedger(sum, keeper.takeDelta())
        expect(sum).toEqual(keeper.total())
        expect(ledgerImbalance(sum).size).toBe(0)
      }),
    )
  })
})
