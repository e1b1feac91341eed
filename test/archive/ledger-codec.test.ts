import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeLedger,
  droppedLedger,
  encodeLedger,
  equalLedgers,
  isEmptyLedger,
  ledgerMetadata,
  parseLedgerMetadata,
  subtractLedger,
} from '../../src/archive/ledger-codec.ts'
import {
  LEDGER_FATES,
  LEDGER_UNITS,
  LedgerKeeper,
  addLedger,
  emptyLedger,
  ledgerImbalance,
} from '../../src/core/ledger.ts'
import type { Ledger } from '../../src/core/ledger.ts'

/** Any delta, negative counts included. */
const anyLedger: fc.Arbitrary<Ledger> = fc
  .array(fc.integer({ min: -(2 ** 49), max: 2 ** 49 }), { minLength: 48, maxLength: 48 })
  .chain((counts) =>
    fc.dictionary(fc.string(), fc.integer({ min: -1e9, max: 1e9 })).map((reasons) => {
      const ledger = emptyLedger()
      let index = 0
      for (const unit of LEDGER_UNITS) {
        ledger[unit].seen = counts[index++] ?? 0
        for (const fate of LEDGER_FATES) ledger[unit][fate] = counts[index++] ?? 0
      }
      for (const [reason, count] of Object.entries(reasons)) ledger.reasons.set(reason, count)
      return ledger
    }),
  )

describe('the written forms of a ledger', () => {
  it('give back every delta as a message, negative counts included', () => {
    fc.assert(
      fc.property(anyLedger, (ledger) => {
        expect(equalLedgers(decodeLedger(encodeLedger(ledger)), ledger)).toBe(true)
      }),
    )
  })

  it('give back every total as metadata', () => {
    fc.assert(
      fc.property(anyLedger, (ledger) => {
        expect(equalLedgers(parseLedgerMetadata(ledgerMetadata(ledger)), ledger)).toBe(true)
      }),
    )
  })

  it('name the columns in metadata as people read them', () => {
    const keeper = new LedgerKeeper()
    keeper.see('requests', 3)
    keeper.settle('requests', 'midStream', 2, 'joined-late')
    expect(Object.fromEntries(ledgerMetadata(keeper.takeDelta()))).toEqual({
      'requests.seen': '3',
      'requests.mid_stream': '2',
      'requests.pending': '1',
      'reason.requests.midStream.joined-late': '2',
    })
  })

  it('are empty only where nothing at all is counted', () => {
    const ledger = emptyLedger()
    expect(isEmptyLedger(ledger)).toBe(true)
    ledger.bytes.framing = -1
    expect(isEmptyLedger(ledger)).toBe(false)
  })
})

describe('the ledger of a lost chunk', () => {
  it('counts as dropped what was recorded, keeps the rest, and still balances', () => {
    const keeper = new LedgerKeeper()
    keeper.see('requests', 10)
    keeper.settle('requests', 'whole', 4)
    keeper.settle('requests', 'cut', 1, 'limit')
    keeper.settle('requests', 'filtered', 2)
    const lost = droppedLedger(keeper.takeDelta(), 'disk')
    expect(lost.requests).toMatchObject({ seen: 10, whole: 0, cut: 0, filtered: 2, dropped: 5, pending: 3 })
    expect([...lost.reasons]).toEqual([['requests.dropped.disk', 5]])
    expect(ledgerImbalance(lost)).toEqual(new Map())
  })

  it('can be taken from a total again', () => {
    fc.assert(
      fc.property(anyLedger, anyLedger, (a, b) => {
        const sum = emptyLedger()
        addLedger(sum, a)
        addLedger(sum, b)
        subtractLedger(sum, b)
        expect(equalLedgers(sum, a)).toBe(true)
      }),
    )
  })
})
