import { reportPage } from './html/page.ts'
import type { Reporter } from './reporter.ts'
import { RunSeries } from './series.ts'

/** One page that opens anywhere without network: verdict, facts, tables and charts. */
export const htmlReporter: Reporter = {
  readsSeries: true,
  write(run, out, _style, series = new RunSeries()) {
    out.write(reportPage(run, series))
  },
}
