import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { figuresOf } from '../../src/measure/figures.ts'
import {
  countCell,
  durationCell,
  middleCut,
  percentCell,
  quantileCell,
  rateCell,
  statusCell,
  wrap,
} from '../../src/report/cells.ts'
import { histogramOf } from '../measure/histograms.ts'
import { MS } from '../measure/outcomes.ts'

describe('cells', () => {
  it('fit their columns, whatever the number', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e14, noNaN: true }), (value) => {
        expect(countCell(value).length).toBeLessThanOrEqual(9)
        expect(rateCell(value, 1e9).length).toBeLessThanOrEqual(10)
        expect(durationCell(value).length).toBeLessThanOrEqual(7)
      }),
    )
  })

  it.each([
    [10_000, '5.01ms', 'a hundred samples lie beyond it'],
    [9_999, '~5.01ms', 'fewer do'],
    [99, '-', 'none does'],
  ])('show a p99 of %d samples as %s, because %s', (samples, cell, _reason) => {
    const histogram = histogramOf(Array.from({ length: samples }, () => 5.01 * MS))
    expect(quantileCell(figuresOf(histogram), 'p99Ns')).toBe(cell)
  })

  it.each([
    [{ 200: 98, 404: 2 }, '200 98% 404 2%', 'both fit'],
    [{ 200: 10_000, 500: 1 }, '200 >99% 500 <1%', 'nothing is rounded to all or to none'],
    [{ 200: 50, 404: 30, 500: 20 }, '200 50% …', 'what does not fit is not hidden'],
    [{ 0: 4 }, 'none 100%', 'no response was recorded'],
    [{}, '-', 'there were none'],
  ])('show %j as "%s": %s', (statuses, cell, _reason) => {
    expect(statusCell(statuses, 16)).toBe(cell)
  })

  it('show times too short to be told apart as under a microsecond', () => {
    expect([null, 0, 256, 999, 1000].map(durationCell)).toEqual(['-', '0', '<1us', '<1us', '1.00us'])
  })

  it('show shares without rounding to nothing', () => {
    expect([0, 0.001, 0.5, 0.999, 1].map(percentCell)).toEqual(['0%', '<1%', '50%', '>99%', '100%'])
  })

  it('keep both ends of a long name', () => {
    expect(middleCut('GET /a/very/long/path/items', 15)).toBe('GET /a/…h/items')
  })

  it('wrap at spaces, and cut what has none', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', 'three'])
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 2, max: 40 }), (text, width) => {
        for (const line of wrap(text, width)) expect(line.length).toBeLessThanOrEqual(width)
      }),
    )
  })
})
