import type { Run } from './run.ts'
import type { RunSeries } from './series.ts'

/** How a report is to look. */
export interface ReportStyle {
  /** Width in characters; text reports use 80 to 200 of them. */
  readonly columns: number
  readonly colour: boolean
}

/** Turns a run into text. Adding one: a file in this folder, and a line in `index.ts`. */
export interface Reporter {
  /** It shows the run over time: `series` has it then, and may be empty otherwise. */
  readonly readsSeries?: boolean
  write(run: Run, out: { write(text: string): void }, style: ReportStyle, series?: RunSeries): void
}
