import { describe, expect, it } from 'vitest'

import { ShardCredit } from '../../src/replay/shard-credit.ts'
import { packShots, type ShotBatch } from '../../src/replay/shot-batch.ts'
import { shot } from './senders/shots.ts'

const SECOND = 1e9

const batchAt = (dueNs: number, bytes = 100): ShotBatch =>
  packShots([shot('', { dueNs, bytes: new Uint8Array(bytes) })])

/** How many of these batches may be given before one is taken. */
function givenAhead(credit: ShardCredit, batches: readonly ShotBatch[]): number {
  let given = 0
  for (const batch of batches) {
    if (!credit.hasRoom) break
    credit.give(batch)
    given++
  }
  return given
}

describe('ShardCredit', () => {
  it('always has room for two batches, however far apart', () => {
    expect(
      givenAhead(
        new ShardCredit(true),
        [0, 60, 120].map((at) => batchAt(at * SECOND)),
      ),
    ).toBe(2)
  })

  it('lets a shard run two seconds ahead of what it sends', () => {
    const batches = Array.from({ length: 100 }, (_, index) => batchAt(index * 0.25 * SECOND))
    const credit = new ShardCredit(true)
    expect(givenAhead(credit, batches)).toBe(9)
    credit.taken(1)
    expect(credit.hasRoom).toBe(true)
  })

  it('lets a shard hold 32 MiB of batches', () => {
    const batches = Array.from({ length: 100 }, (_, index) => batchAt(index, 8 * 1024 * 1024))
    expect(givenAhead(new ShardCredit(true), batches)).toBe(4)
  })

  it('looks at memory alone where due times mean nothing', () => {
    const batches = Array.from({ length: 100 }, (_, index) => batchAt(index * 60 * SECOND))
    expect(givenAhead(new ShardCredit(false), batches)).toBe(100)
  })
})
