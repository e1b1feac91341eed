import { appendFile } from 'node:fs/promises'
import { anotherLoadReason } from '../../measure/validity.ts'
import { visible } from '../../core/visible.ts'
import { isExcused } from '../../report/excused.ts'
import { failsRun } from '../../report/gate-words.ts'
import type { Run } from '../../report/run.ts'
import { reportText } from '../../report/write-reports.ts'
import type { Terminal } from '../terminal.ts'

/** What a CI system tells the jobs that it runs; GitHub Actions does, and its relatives. */
export interface CiEnvironment {
  readonly GITHUB_ACTIONS?: string | undefined
  readonly GITHUB_STEP_SUMMARY?: string | undefined
}

/**
 * Tells a CI system what became of a run where one is there: the summary on the job's page, and an annotation for each gate
 * that failed, for a measurement that is not valid, and for one of another load; for one that `--on-invalid warn`
 * excuses it is a warning. A summary that cannot be written is a warning: the run is what it is.
 */
export async function summariseForCi(run: Run, environment: CiEnvironment, terminal: Terminal): Promise<void> {
  const { GITHUB_ACTIONS: inActions, GITHUB_STEP_SUMMARY: file } = environment
  if (file !== undefined && file !== '') {
    try {
      await appendFile(file, reportText(run, 'md'))
    } catch (thrown) {
      terminal.warn(`mesh: the job's summary could not be written (GITHUB_STEP_SUMMARY): ${String(thrown)}`)
    }
  }
  if (inActions !== 'true') return
  if (run.verdict.name === 'INVALID') {
    const level = isExcused(run) ? 'warning' : 'error'
    terminal.say(annotation(level, 'the measurement is not valid', run.verdict.reasons[0]?.what ?? ''))
  }
  const another = anotherLoadReason(run.verdict)
  if (another !== undefined) terminal.say(annotation('warning', 'the load was not the recorded one', another.what))
  for (const gate of run.gates) {
    if (gate.outcome === 'passed') continue
    terminal.say(annotation(failsRun(gate) ? 'error' : 'warning', gate.gate, gate.what))
  }
}

/** A workflow command of GitHub Actions; it ends with its line, and marks its own separators by percent signs. */
function annotation(level: 'error' | 'warning', title: string, message: string): string {
  const escape = (text: string): string =>
    visible(text).replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
  const property = escape(`mesh: ${title}`).replaceAll(':', '%3A').replaceAll(',', '%2C')
  return `::${level} title=${property}::${escape(message)}`
}
