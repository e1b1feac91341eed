import { describe, expect, it } from 'vitest'
import { progressBar, shade, sparkline } from '../../src/tui/bars.ts'
import { ScreenUpdate } from '../../src/tui/screen-update.ts'

describe('ScreenUpdate', () => {
  it('writes a first screen whole, then only the lines that changed', () => {
    const update = new ScreenUpdate()
    expect(update.to(['one', 'two'])).toBe('\u001B[2J\u001B[1;1Hone\u001B[K\u001B[2;1Htwo\u001B[K')
    expect(update.to(['one', 'three'])).toBe('\u001B[2;1Hthree\u001B[K')
    expect(update.to(['one', 'three'])).toBe('')
  })

  it('writes everything again where the screen is another', () => {
    const update = new ScreenUpdate()
    update.to(['one'])
    update.forget()
    expect(update.to(['one'])).toContain('one')
  })
})

describe('bars', () => {
  it('are as wide as they are asked to be, newest values last', () => {
    expect(sparkline([0, 5, 10], 5)).toBe('  ▁▅█')
    expect(sparkline([9, 9, 0, 10], 2)).toBe('▁█')
    expect(sparkline([null, 1], 2)).toBe(' █')
    expect(sparkline([0, 0], 2)).toBe('▁▁')
    expect(progressBar(0.5, 4)).toBe('██░░')
    expect(progressBar(7, 4)).toBe('████')
  })

  it('show a few slow replies among thousands', () => {
    expect([0, 1, 2500, 10_000].map((count) => shade(count, 10_000))).toEqual([' ', '░', '▒', '█'])
  })
})
