import { anotherLoadReason, type Verdict } from '../../measure/validity.ts'
import type { Measurement } from '../../measure/measurement.ts'
import { REPORTERS } from '../../report/index.ts'
import type { RunDirectory } from '../../report/run-directory.ts'
import type { Run } from '../../report/run.ts'
import { writeReports } from '../../report/write-reports.ts'
import type { AfterRun } from './after-run.ts'
import { summariseForCi } from './ci-summary.ts'
import type { PlannedReplay } from './planned-replay.ts'
import { pushOtlp } from './push-otlp.ts'
import type { Terminal } from '../terminal.ts'

/** Beyond it the eye does not find the way from a route to its figures. */
const MAX_REPORT_COLUMNS = 120

/** Writes a finished run to wherever it is to be read: to each of these places, whatever becomes of the others. */
export async function publishRun(
  run: Run,
  { total }: Measurement,
  directory: RunDirectory | undefined,
  { json, pushOtlp: collector }: Pick<PlannedReplay['flags'], 'json' | 'pushOtlp'>,
  afterRun: AfterRun,
  terminal: Terminal,
): Promise<void> {
  if (directory !== undefined) await afterRun.attempt(() => directory.close(run, total.total().responseTime))
  await afterRun.attempt(() => report(run, json, terminal))
  if (directory !== undefined) {
    await afterRun.attempt(() => writeReports(directory.path, run))
    terminal.say(`the run is in ${directory.path}/, report.html in it`)
  }
  await summariseForCi(run, process.env, terminal)
  if (collector !== undefined) await pushOtlp(run, collector, terminal)
  if (!json) terminal.say(verdictLine(run.verdict))
}

/** The last word on the console: where the load was not the recorded one, a bare VALID would mislead. */
function verdictLine(verdict: Verdict): string {
  const another = anotherLoadReason(verdict)
  return `verdict: ${verdict.name}${another === undefined ? '' : `; ${another.what}`}`
}

function report(run: Run, json: boolean, terminal: Terminal): void {
  const style = { columns: Math.max(80, Math.min(MAX_REPORT_COLUMNS, terminal.columns)), colour: terminal.colour }
  const reporter = json ? REPORTERS.json : REPORTERS.text
  reporter.write(run, { write: (text) => terminal.out(text) }, style)
}
