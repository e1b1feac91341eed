import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'

import { BatchFeed } from '../../src/replay/batch-feed.ts'
import type { ShotBatch } from '../../src/replay/shot-batch.ts'
import { packShots } from '../../src/replay/shot-batch.ts'
import { shot } from './senders/shots.ts'

const BATCHES = 50

/** Makes the collector work: `--expose-gc`, for a process that was started without it. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

describe('BatchFeed', () => {
  it('keeps no batch whose shots were taken, however long the run', async () => {
    const given: WeakRef<ArrayBufferLike>[] = []
    async function* batches(): AsyncIterable<ShotBatch> {
      for (let index = 0; index < BATCHES; index++) {
        await nextTurn()
        const batch = packShots([shot(index)])
        given.push(new WeakRef(batch.bytes.buffer))
        yield batch
      }
    }
    const feed = new BatchFeed(batches(), () => undefined)
    feed.start()
    while (!feed.ended) {
      await nextTurn()
      if (feed.batch !== undefined) feed.advance()
    }
    await nextTurn()
    collectGarbage()
    expect(given).toHaveLength(BATCHES)
    // The last may still stand in a register or on the stack.
    expect(given.slice(0, -2).filter((buffer) => buffer.deref() !== undefined)).toEqual([])
  })

  it('gives back what it read ahead when it is stopped, and reads no more', async () => {
    let made = 0
    async function* endless(): AsyncIterable<ShotBatch> {
      for (;;) {
        await nextTurn()
        made++
        yield packShots([shot(made), shot(made)])
      }
    }
    let arrived: () => void = () => undefined
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve
    })
    const feed = new BatchFeed(endless(), () => arrived())
    feed.start()
    await arrival
    for (let turn = 0; turn < 20; turn++) await nextTurn()
    feed.advance()
    expect(feed.stop()).toBe(2 * made - 1)
    const before = made
    for (let turn = 0; turn < 20; turn++) await nextTurn()
    expect(made).toBe(before)
    expect([feed.ended, feed.failure]).toEqual([true, undefined])
  })
})
