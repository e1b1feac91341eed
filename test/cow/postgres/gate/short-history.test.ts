import { describe, expect, it } from 'vitest'
import type { SentStatement } from '../../../../src/cow/postgres/gate/sent-statement.ts'
import { limitsOf } from '../../../../src/cow/postgres/gate/options.ts'
import { ShortHistory } from '../../../../src/cow/postgres/gate/short-history.ts'

/** Runs of a text by itself, in milliseconds, with the defaults. */
function historyOf(...runsMs: readonly number[]): ShortHistory {
  const options = { upstream: { address: { host: '127.0.0.1', port: 1 }, user: '', database: '' }, folder: '' }
  const history = new ShortHistory(limitsOf(options))
  for (const ms of runsMs) history.note(run(ms))
  return history
}

function run(ms: number, rows = 1): SentStatement {
  const statement = { text: 'SELECT 1' } as SentStatement['statement']
  const end = { kind: 'complete', tag: `SELECT ${rows}`, rows } as SentStatement['end']
  return { lane: 'T0', statement, isContinued: false, processId: 1, durationNs: ms * 1e6, end }
}

describe('a text', () => {
  it.each([
    ['was short three times', [10, 1, 10], true],
    ['was short twice', [1, 1], false],
    ['was somewhat longer in between, which says nothing', [1, 11, 1, 200, 1], true],
    ['was too long', [1, 1, 1, 201], false],
    ['was short three times after it was too long', [201, 1, 1, 1], false],
    ['was short twelve times after it was too long', [201, ...Array.from({ length: 12 }, () => 1)], true],
  ])('that %s is trusted to be short or not', (_, runsMs, expected) => {
    expect(historyOf(...runsMs).isShort).toBe(expected)
  })

  it('with more than a hundred rows is not short', () => {
    const history = historyOf(1, 1, 1)
    history.note(run(1, 101))
    expect(history.isShort).toBe(false)
  })
})
