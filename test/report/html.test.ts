import { describe, expect, it } from 'vitest'
import type { Run } from '../../src/report/run.ts'
import { RunSeries } from '../../src/report/series.ts'
import { pageOf, seriesOf } from './pages.ts'
import { shopRun, SLOWEST } from './runs.ts'

/** Elements that are open at the end, or end in the wrong order. */
function unbalanced(page: string): readonly string[] {
  const open: string[] = []
  const wrong: string[] = []
  for (const [, slash = '', name = ''] of page.matchAll(/<(\/?)([a-z][\w-]*)[^>]*>/g)) {
    if (name === 'meta') continue
    if (slash === '') open.push(name)
    else if (open.pop() !== name) wrong.push(name)
  }
  return [...wrong, ...open]
}

const CHARTS = ['Offered and achieved', 'Response time', 'Service time', 'Response times, all of them', 'By percentile']

describe('the page', () => {
  it('has the slowest exchanges one by one, and where they stand in the recordings', () => {
    const page = pageOf(shopRun({ slowest: SLOWEST }))
    expect(unbalanced(page)).toEqual([])
    expect(page).toContain('<h3>The slowest 20</h3>')
    expect(page).toContain('GET /products/0?q=&lt;b&gt;')
    expect(page).toContain('sid=mesh-0123456789abcdef')
    expect(page).toContain('web-a #100 of 2026-08-21T09:00:00.000Z, request id req-17')
    expect(page).toContain('connection 7, clone 1')
    expect(page).toContain('>timeout<')
    expect(page).toContain('the recording could not be read again')
  })

  it('has verdict, command, figures, charts and routes, each element closed', () => {
    const page = pageOf(shopRun(), seriesOf(10, 3))
    expect(unbalanced(page)).toEqual([])
    for (const heading of [...CHARTS, 'Replies by status', 'Errors', 'Our own lag', 'Routes', 'Where and how']) {
      expect(page).toContain(`<h3>${heading}</h3>`)
    }
    expect(page.replaceAll(/<\/?nobr>/g, '')).toContain(
      'mesh replay a.mcap b.mcap --to http://127.0.0.1:8080 --amplify 4',
    )
    expect(page).toContain('GET /products/:id')
    expect(page.match(/<svg /g)?.length).toBe(1 + 8 + 3)
  })

  it('has the command as it can be typed again, its words in one piece where they fit into a line', () => {
    const run = shopRun()
    const long = `/${'recordings-'.repeat(8)}a.mcap`
    const command = ['replay', 'a b.mcap', long, '--find-capacity', '--match', `request.path < '/'`]
    const text = pageOf({ ...run, asked: { ...run.asked, command } })
    const shown = /<code>(.*?)<\/code>/.exec(text)?.[1]?.replaceAll('&#39;', "'").replaceAll('&lt;', '<')
    const typed = ['replay', "'a b.mcap'", long, '--find-capacity', '--match', String.raw`'request.path < '\''/'\'''`]
    const words = typed.map((word) => (word === long ? word : `<nobr>${word}</nobr>`))
    expect(shown).toBe(['mesh', ...words].join(' '))
  })

  it('asks for nothing: no script, no style, nothing to load', () => {
    const page = pageOf(shopRun(), seriesOf(10, 3))
    expect(page).not.toMatch(/<(script|style|link|img|iframe|use|image)\b|\bstyle=|\bon\w+=|\b(src|href)=|url\(/)
  })

  it.each([
    ['without a second', new RunSeries()],
    ['of one second', seriesOf(1, 1)],
    ['of two hours', seriesOf(7_200, 2)],
  ])('draws a run %s with numbers alone', (_, series) => {
    const page = pageOf(shopRun(), series)
    expect(page).not.toMatch(/NaN|Infinity|undefined|null/)
    expect(unbalanced(page)).toEqual([])
  })

  it('stays below 500 kB for an hour and a hundred routes', () => {
    const run = shopRun()
    const routes = Array.from({ length: 34 }, (_, third) =>
      run.routes.map((route) => ({ ...route, route: 3 * third + route.route })),
    )
    const wide: Run = { ...run, routes: routes.flat() }
    expect(pageOf(wide, seriesOf(3_600, 100)).length).toBeLessThan(500_000)
  })

  it('shows names out of recordings, and obeys none of them', () => {
    const run = shopRun()
    const evil = `</title></svg><script>alert("x")</script>\u001B[31m'&`
    const named: Run = {
      ...run,
      asked: { ...run.asked, target: `http://h/${evil}`, command: ['replay', evil] },
      routes: run.routes.map((route) => ({ ...route, name: evil })),
      plan: { ...run.plan, warnings: [evil] },
    }
    const page = pageOf(named, seriesOf(3, 3))
    expect(page).not.toContain('<script')
    expect(page).not.toContain('\u001B')
    expect(unbalanced(page)).toEqual([])
    expect(page).toContain('&lt;script&gt;alert(&quot;x&quot;)')
  })

  it('says how many lines its charts lack', () => {
    const series = seriesOf(3, 1)
    series.unread = 2
    expect(pageOf(shopRun(), series)).toContain('2 lines of intervals.ndjson could not be read')
  })
})
