import type { Run } from './run.ts'

/** How a report is to look. */
export interface ReportStyle {
  /** Width in characters; text reports use 80 to 200 of them. */
  readonly columns: number
  readonly colour: boolean
}

/** Turns a run into text. Adding one: a file in this folder, and a line in `index.ts`. */
export interface Reporter {
  write(run: Run, out: { write(text: string): void }, style: ReportStyle): void
}
