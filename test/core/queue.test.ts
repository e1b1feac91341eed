import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BoundedQueue } from '../../src/core/queue.ts'

describe('BoundedQueue', () => {
  it('refuses what does not fit, and takes one heavy item when it is empty', () => {
    const queue = new BoundedQueue<number>(10, (weight) => weight)
    expect([queue.offer(25), queue.offer(1)]).toEqual([true, false])
    expect(queue.weight).toBe(25)
  })

  it('delivers what was queued before its end, in order, and nothing after', async () => {
    const queue = new BoundedQueue<number>(10)
    queue.offer(1)
    queue.offer(2)
    queue.end()
    expect(queue.offer(3)).toBe(false)
    const items: number[] = []
    for await (const item of queue) items.push(item)
    expect(items).toEqual([1, 2])
  })

  it('lets a producer that can wait wait, and loses nothing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 50 }),
        fc.integer({ min: 1, max: 7 }),
        async (items, bound) => {
          const queue = new BoundedQueue<number>(bound, (weight) => weight)
          const produce = (async () => {
            for (const item of items) await queue.put(item)
            queue.end()
          })()
          const taken: number[] = []
          for await (const item of queue) taken.push(item)
          await produce
          expect(taken).toEqual(items)
          expect(queue.weight).toBe(0)
        },
      ),
    )
  })

  it('lets every producer go on that waited for room, and at its end', async () => {
    const queue = new BoundedQueue<number>(1)
    const producers = [1, 2, 3, 4].map((item) => queue.put(item))
    const taken: number[] = []
    const reading = (async () => {
      for await (const item of queue) if (taken.push(item) === 3) return
    })()
    await reading
    queue.end()
    await Promise.all(producers)
    expect(taken).toEqual([1, 2, 3])
  })

  it('gives up waiting when the signal aborts', async () => {
    const queue = new BoundedQueue<number>(1)
    queue.offer(1)
    const stop = new AbortController()
    const waiting = queue.put(2, stop.signal)
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
  })
})
