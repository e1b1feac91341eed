import { stripVTControlCharacters } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { DashboardFacts } from '../../src/tui/facts.ts'
import { frameLines } from '../../src/tui/frame.ts'
import { dashboardFacts } from './facts.ts'

/** What a terminal would show, without its colours. */
function shown(changes: Partial<DashboardFacts> = {}): readonly string[] {
  return frameLines(dashboardFacts(changes)).map(stripVTControlCharacters)
}

describe('the dashboard', () => {
  it.each([
    [80, 24],
    [200, 50],
    [40, 10],
    [20, 5],
  ])('fills a terminal of %i by %i, and no more', (columns, rows) => {
    for (const view of ['all', 'routes', 'errors', 'help'] as const) {
      const lines = shown({ columns, rows, view })
      expect(lines).toHaveLength(rows)
      for (const line of lines) expect(line.length).toBeLessThan(Math.max(40, columns))
    }
  })

  it.each([
    [80, 24],
    [200, 50],
  ])(
    'shows at %i by %i the rate, percentiles, heat, replies, routes, gates, the generator and its keys',
    (columns, rows) => {
      const text = shown({ columns, rows }).join('\n')
      for (const part of ['canary:8080', 'due ', 'sent ', 'p99.9', 'from 1.05ms', '200', '99%', 'timeout']) {
        expect(text).toContain(part)
      }
      for (const part of ['GET /report/:id', 'p99 < 250ms', 'GENERATOR', 'q stop', '4m0s left', '20%']) {
        expect(text).toContain(part)
      }
      expect(text).toMatch(/[▁▂▃▄▅▆▇█]{50}/)
    },
  )

  it('shows its first frame before anything has ended', () => {
    const total = { ...dashboardFacts().total, replies: 0, statuses: {}, errors: {}, mismatches: 0 }
    const text = shown({ seconds: [], routes: [], gates: [], state: 'waiting', total, elapsedNs: 0 }).join('\n')
    expect(text).toContain('WAITING')
    expect(text).not.toContain('NaN')
  })

  it('says what the response check finds, where there is one', () => {
    const check = '40 of 160 bodies differ, most GET /price body.item.price; 0 of 180 statuses differ'
    expect(shown({ check }).join('\n')).toContain('CHECK  40 of 160 bodies differ, most GET /')
    expect(shown({ check, columns: 200, rows: 50 }).join('\n')).toContain('CHECK  40 of 160')
    expect(shown({ check, view: 'errors' }).join('\n')).toContain('CHECK  40 of 160')
    expect(shown().join('\n')).not.toContain('CHECK')
  })

  it('says that the run is paused, or has another rate, by whom', () => {
    expect(shown({ speed: 0, leftNs: null }).join('\n')).toContain('PAUSED by you')
    expect(shown({ speed: 1.2 }).join('\n')).toContain('1.2x the planned rate, by you')
    expect(shown().join('\n')).not.toContain('by you')
  })

  it('says what comes close to making the run invalid, and what would', () => {
    const health = { reasons: ['we sent late: lag p99 is 1.90ms'], waitShare: 0.2, loopDelayP99Ns: 3e6 }
    expect(shown({ health: { ...health, level: 'near' } }).join('\n')).toMatch(
      /close to making the run INVALID[^]*lag p99/,
    )
    expect(shown({ health: { ...health, level: 'bad' } }).join('\n')).toMatch(/the run would be INVALID[^]*lag p99/)
  })

  it('keeps a gate that cannot be judged yet apart from its mark', () => {
    const [held] = dashboardFacts().gates
    const early = { ...held, gate: 'p50 < 250ms', outcome: 'no_data', what: 'there was no reply in this run' }
    expect(shown({ gates: [early] as DashboardFacts['gates'] }).join('\n')).toContain('too early p50 < 250ms')
  })

  it('shows a failing gate before those that hold', () => {
    const [held] = dashboardFacts().gates
    const gates = [1, 2, 3, 4, 5, 6, 7, 8].map((index) => ({ ...held, gate: `p50 < ${index}s` }))
    const failing = { ...held, gate: 'error_rate < 1%', outcome: 'failed', what: 'error_rate is 2 %' }
    const lines = shown({ gates: [...gates, failing] as DashboardFacts['gates'] })
    expect(lines.find((line) => line.includes('error_rate < 1%'))).toContain('FAILS')
  })

  it.each([
    [80, 24],
    [200, 50],
  ])('draws a line of wide names in its place at %i by %i', (columns, rows) => {
    const plain = { name: 'GET /tokyo/:id', replies: 7, failures: 0, p50Ns: 1e6, p99Ns: 1e6 }
    const lines = shown({ columns, rows, routes: [plain, { ...plain, name: 'GET /東京/:id' }] })
    const [first = '', second = ''] = ['/tokyo/', '/東京/'].map((name) => lines.find((each) => each.includes(name)))
    // What stands left of the route, if anything, is where it was.
    expect(second.indexOf('GET /')).toBe(first.indexOf('GET /'))
    expect(second).toMatch(/GET \/東京\/:id +7 +0 +1\.00ms/)
    // Each of the two takes two columns.
    expect(second.replaceAll(/[東京]/g, '--').indexOf(' 7 ')).toBe(first.indexOf(' 7 '))
  })

  it('stands as it did when its sections have grown', () => {
    const before = shown({ columns: 200, rows: 50, gates: [], routes: [] })
    const grown = shown({ columns: 200, rows: 50 })
    expect(grown.join('\n')).toMatch(/GATES[^]*GET \/report\/:id/)
    expect(shown({ columns: 200, rows: 50, gates: [], routes: [] })).toEqual(before)
    expect(grown.map((each) => each.indexOf('GATES')).find((at) => at >= 0)).toBe(89)
  })

  it('cuts no line of its help at 80 columns', () => {
    const lines = shown({ columns: 80, rows: 24, view: 'help' }).slice(3, -1)
    expect(lines.join('\n')).toMatch(/Ctrl-C does the same[^]*GATES/)
    expect(lines.filter((each) => each.includes('…'))).toEqual([])
  })

  it('shows names out of recordings without what a terminal would obey', () => {
    const route = { name: 'GET /\u001B[2J\u202Eevil', replies: 1, failures: 0, p50Ns: 1e6, p99Ns: 1e6 }
    const raw = frameLines(dashboardFacts({ routes: [route], notes: ['\u001B]0;title\u0007'] })).join('\n')
    expect(raw).not.toContain('\u001B[2J')
    expect(raw).not.toContain('\u202E')
    expect(raw).not.toContain('\u001B]0')
    expect(raw).toContain(String.raw`GET /\x1b[2J\u202eevil`)
  })
})
