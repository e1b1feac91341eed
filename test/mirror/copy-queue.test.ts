import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Copy } from '../../src/mirror/copy.ts'
import { CopyQueue } from '../../src/mirror/copy-queue.ts'
import { NO_BYTES } from '../../src/core/bytes.ts'

function copy(ordinal: number, lane: number, heldBytes = 1): Copy {
  const request = { method: 'GET', target: '/', fields: [], body: NO_BYTES, trailers: [] }
  return { ordinal, request, lane, session: `s${lane}`, takenNs: 0, heldBytes, original: undefined }
}

describe('CopyQueue', () => {
  it('lets the next copy of a connection leave when the last one has ended', () => {
    const queue = new CopyQueue()
    for (const one of [copy(0, 7), copy(1, 7), copy(2, 8)]) queue.offer(one)
    const [first, second] = [queue.next(), queue.next()]
    expect([first?.ordinal, second?.ordinal, queue.next()]).toEqual([0, 2, undefined])
    if (first !== undefined) queue.end(first)
    expect(queue.next()?.ordinal).toBe(1)
  })

  it('is full by number and by bytes, those under way included', () => {
    const queue = new CopyQueue({ maxWaiting: 2, maxHeldBytes: 10 })
    expect([queue.offer(copy(0, 0, 4)), queue.offer(copy(1, 1, 4)), queue.offer(copy(2, 2, 1))]).toEqual([
      true,
      true,
      false,
    ])
    queue.next()
    expect([queue.offer(copy(3, 3, 4)), queue.offer(copy(4, 4, 2))]).toEqual([false, true])
  })

  it('gives up what waits, and lets what is under way end', () => {
    const queue = new CopyQueue()
    for (const one of [copy(0, 7), copy(1, 7), copy(2, 8)]) queue.offer(one)
    const flying = queue.next()
    expect(queue.clear().map(({ ordinal }) => ordinal)).toEqual([1, 2])
    if (flying !== undefined) queue.end(flying)
    expect({ waiting: queue.waiting, flying: queue.flying, bytes: queue.heldBytes }).toEqual({
      waiting: 0,
      flying: 0,
      bytes: 0,
    })
  })

  it('hands out every copy once, in order within a lane, whatever the lanes are', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5), { maxLength: 100 }), fc.infiniteStream(fc.boolean()), (lanes, choices) => {
        const queue = new CopyQueue()
        const flying: Copy[] = []
        const order: Copy[] = []
        const advance = (): void => {
          const next = queue.next()
          if (next !== undefined) {
            expect(flying.some(({ lane }) => lane === next.lane)).toBe(false)
            flying.push(next)
            order.push(next)
            return
          }
          const ended = flying.shift()
          if (ended !== undefined) queue.end(ended)
        }
        for (const [ordinal, lane] of lanes.entries()) {
          queue.offer(copy(ordinal, lane))
          if (choices.next().value === true) advance()
        }
        while (queue.waiting + queue.flying > 0) advance()
        expect(order.map(({ ordinal }) => ordinal).sort((a, b) => a - b)).toEqual(lanes.map((_, ordinal) => ordinal))
        for (const lane of new Set(lanes)) {
          const own = order.filter((one) => one.lane === lane).map(({ ordinal }) => ordinal)
          expect(own).toEqual([...own].sort((a, b) => a - b))
        }
      }),
    )
  })
})
