import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type MeshError, toMeshError } from '../core/errors.ts'
import { REPORTERS, type ReportFormat } from './index.ts'
import { readSeries } from './read-series.ts'
import type { Run } from './run.ts'
import type { RunSeries } from './series.ts'

/** What is written beside `run.json` when a run has ended. */
const REPORT_FILES: Readonly<Record<string, ReportFormat>> = {
  'report.html': 'html',
  'junit.xml': 'junit',
  'summary.md': 'md',
  'metrics.prom': 'prom',
}

/** Files are for their owner only, as the run is. */
const FILE_MODE = 0o600

/**
 * Writes a run's reports into its directory, from what it has there. Takes seconds for an hour's run: not while anything is sent.
 *
 * @throws MeshError of the first that the system refuses, after the others were written.
 */
export async function writeReports(directory: string, run: Run): Promise<void> {
  const series = await readSeries(directory, run.targetIntervalNs)
  let failure: MeshError | undefined
  for (const [name, format] of Object.entries(REPORT_FILES)) {
    const file = join(directory, name)
    try {
      await writeFile(file, reportText(run, format, series), { mode: FILE_MODE })
    } catch (thrown) {
      failure ??= toMeshError(thrown, file)
    }
  }
  if (failure !== undefined) throw failure
}

/** A run in one of the formats, whole. Texts for people are 80 characters wide, without colours. */
export function reportText(run: Run, format: ReportFormat, series?: RunSeries): string {
  const parts: string[] = []
  const out = { write: (text: string): void => void parts.push(text) }
  REPORTERS[format].write(run, out, { columns: 80, colour: false }, series)
  return parts.join('')
}
