import { hgrmReporter } from './hgrm.ts'
import { htmlReporter } from './html.ts'
import { jsonReporter } from './json.ts'
import { junitReporter } from './junit.ts'
import { markdownReporter } from './markdown.ts'
import { prometheusReporter } from './prometheus.ts'
import type { Reporter } from './reporter.ts'
import { textReporter } from './text.ts'

/** Every format that `mesh report` prints. */
export const REPORT_FORMATS = ['text', 'html', 'md', 'junit', 'json', 'hgrm', 'prom'] as const
export type ReportFormat = (typeof REPORT_FORMATS)[number]

export const REPORTERS: Readonly<Record<ReportFormat, Reporter>> = {
  text: textReporter,
  html: htmlReporter,
  md: markdownReporter,
  junit: junitReporter,
  json: jsonReporter,
  hgrm: hgrmReporter,
  prom: prometheusReporter,
}
