import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Tempo } from '../../src/replay/tempo.ts'
import { sendShots, shot } from './senders/shots.ts'
import { reply, startTarget } from './senders/targets.ts'

const MS = 1e6

describe('Tempo', () => {
  it('is the schedule itself where nobody changes it', () => {
    const tempo = new Tempo()
    expect([0, 5, 1e15].map((ns) => [tempo.runNs(ns), tempo.scheduleNs(ns)])).toEqual(
      [0, 5, 1e15].map((ns) => [ns, ns]),
    )
  })

  it('moves what follows a pause by its length, and nothing before it', () => {
    const tempo = new Tempo()
    tempo.change(100, 0)
    expect(tempo.runNs(101)).toBe(Infinity)
    expect(tempo.runNs(100)).toBe(100)
    expect(tempo.scheduleNs(170)).toBe(100)
    tempo.change(170, 1)
    expect([tempo.runNs(101), tempo.runNs(500)]).toEqual([171, 570])
  })

  it('never turns time back, and leads back to where it came from, whatever is changed', () => {
    const change = fc.tuple(fc.integer({ min: 0, max: 1e9 }), fc.constantFrom(0, 0.1, 0.5, 1, 1.1, 4))
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), fc.integer({ min: 1, max: 1e9 }), (changes, laterNs) => {
        const tempo = new Tempo()
        let atNs = 0
        for (const [waitNs, speed] of changes) {
          const before = tempo.scheduleNs(atNs)
          atNs += waitNs
          tempo.change(atNs, speed)
          expect(tempo.scheduleNs(atNs)).toBeGreaterThanOrEqual(before)
        }
        const scheduleNs = tempo.scheduleNs(atNs + laterNs)
        if (tempo.speed === 0) expect(tempo.runNs(scheduleNs + 1)).toBe(Infinity)
        else expect(tempo.runNs(scheduleNs)).toBeCloseTo(atNs + laterNs, 0)
      }),
    )
  })
})

describe('runReplay with an operator', () => {
  it('takes what a shot is due at from the changed schedule', async () => {
    const server = await startTarget(({ socket }) => socket.write(reply()))
    const tempo = new Tempo()
    tempo.change(0, 0.5)
    const shots = Array.from({ length: 20 }, (_, index) => shot(index, { connection: index, dueNs: index * 5 * MS }))
    const { outcomes } = await sendShots(shots, server.target, {}, { tempo })
    await server.close()
    const due = outcomes.map(({ dueNs }) => dueNs)
    expect(due).toEqual(shots.map(({ dueNs }) => expect.closeTo(dueNs * 2, -3)))
    for (const { sentNs, dueNs } of outcomes) expect(sentNs).toBeGreaterThanOrEqual(dueNs)
  })

  it('sends nothing that is due after a pause until it goes on, and calls that no lag', async () => {
    const tempo = new Tempo()
    tempo.change(52 * MS, 0)
    const resumeNs = 400 * MS
    let asked = 0
    const server = await startTarget(({ socket }) => {
      asked += 1
      if (asked === 6) tempo.change(resumeNs, 1)
      socket.write(reply())
    })
    const shots = Array.from({ length: 20 }, (_, index) => shot(index, { connection: index, dueNs: index * 10 * MS }))
    const { outcomes } = await sendShots(shots, server.target, {}, { tempo })
    await server.close()
    const due = outcomes.map(({ dueNs }) => dueNs)
    const expected = shots.map(({ dueNs }) => (dueNs <= 52 * MS ? dueNs : dueNs - 52 * MS + resumeNs))
    expect(due).toEqual(expected.map((ns) => expect.closeTo(ns, -3)))
    for (const { sentNs, dueNs } of outcomes) expect(sentNs).toBeGreaterThanOrEqual(dueNs)
  })
})
