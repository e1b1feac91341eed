import { htmlReporter } from '../../src/report/html.ts'
import type { Run } from '../../src/report/run.ts'
import { RunSeries } from '../../src/report/series.ts'
import { histogramOf } from '../measure/histograms.ts'
import { MS } from '../measure/outcomes.ts'

/** The report of a run as a page. */
export function pageOf(run: Run, series?: RunSeries): string {
  let page = ''
  const out = { write: (text: string) => (page += text) }
  htmlReporter.write(run, out, { columns: 80, colour: false }, series)
  return page
}

/** A course of so many seconds, with times that come and go. */
export function seriesOf(seconds: number, routes: number): RunSeries {
  const series = new RunSeries()
  for (let second = 0; second < seconds; second++) {
    const times = histogramOf(Array.from({ length: 40 }, (_, index) => (5 + (index % 7) * (1 + (second % 60))) * MS))
    series.add({
      second,
      shots: 42,
      sent: 41,
      replies: 40,
      statuses: { 200: 38, 404: 2 },
      errors: second % 9 === 0 ? { timeout: 1, shed: 1 } : {},
      responseTime: times,
      serviceTime: times,
      lagP99Ns: 20_000 + second,
      routes: Array.from({ length: routes }, (_, route) => ({ route, p99Ns: (5 + (second % 40)) * MS })),
    })
  }
  return series
}
