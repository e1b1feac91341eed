import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { sendShots, shot } from './shots.ts'
import { reply, type Script, startTarget } from './targets.ts'

const MS = 1e6

/** What a target may do with a request, right or wrong, now or a little later. */
const DEEDS: readonly Script[] = [
  ({ socket }) => socket.write(reply()),
  ({ socket }) => setTimeout(() => socket.write(reply(500, 'late')), 5),
  ({ socket }) => socket.write(reply(200, 'ok', 'Connection: close')),
  ({ socket }) => socket.end(reply()),
  ({ socket }) => socket.end('HTTP/1.1 200 OK\r\n\r\nuntil the end'),
  ({ socket }) => socket.resetAndDestroy(),
  ({ socket }) => socket.end(),
  ({ socket }) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab')
    setTimeout(() => socket.resetAndDestroy(), 3)
  },
  ({ socket }) => socket.write('not a reply'),
  ({ socket }) => socket.write(`${reply()}${reply()}`),
  ({ socket }) => {
    socket.write(reply())
    setTimeout(() => socket.end(), 2)
  },
  () => undefined,
]

describe('Http1Sender against a target that does anything', () => {
  it('gives every shot exactly one outcome, with times in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          deeds: fc.array(fc.nat({ max: DEEDS.length - 1 }), { minLength: 1, maxLength: 12 }),
          lanes: fc.integer({ min: 1, max: 12 }),
          order: fc.constantFrom('connection' as const, 'none' as const),
          loop: fc.constantFrom('open' as const, 'closed' as const),
          pacing: fc.constantFrom('eco' as const, 'precise' as const),
          maxConnections: fc.integer({ min: 1, max: 8 }),
          maxInFlight: fc.integer({ min: 1, max: 40 }),
          last: fc.boolean(),
        }),
        async ({ deeds, lanes, last, ...options }) => {
          let turn = 0
          const server = await startTarget((received) => DEEDS[deeds[turn++ % deeds.length] ?? 0]?.(received))
          const shots = Array.from({ length: 60 }, (_, index) =>
            shot(index, {
              connection: index % lanes,
              dueNs: index * 0.3 * MS,
              lastOnConnection: last && index >= 60 - lanes,
            }),
          )
          const { outcomes, summary } = await sendShots(shots, server.target, { ...options, timeoutNs: 40 * MS })
          await server.close()
          expect(outcomes.map(({ route }) => route)).toEqual(shots.map((_, index) => index))
          for (const { dueNs, readyNs, sentNs, doneNs, error } of outcomes) {
            expect(readyNs).toBeGreaterThanOrEqual(dueNs)
            if (error !== 'shed') expect(sentNs).toBeGreaterThanOrEqual(readyNs)
            expect(doneNs).toBeGreaterThanOrEqual(sentNs)
          }
          const { offered, ended, shed, peakConnections } = summary.counters
          expect({ offered, ended }).toEqual({ offered: 60, ended: 60 })
          expect(outcomes.filter(({ error }) => error === 'shed')).toHaveLength(shed)
          expect(peakConnections).toBeLessThanOrEqual(options.maxConnections)
        },
      ),
      { numRuns: 40 },
    )
  })
})
