import { createCurlExporter } from './curl.ts'
import type { Exporter } from './exporter.ts'
import { createGorExporter } from './gor.ts'
import { createHarExporter } from './har.ts'
import { createNdjsonExporter } from './ndjson.ts'

/** The formats that recordings are exported to. */
export const EXPORT_FORMATS = ['gor', 'har', 'ndjson', 'curl'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

/** Makes an exporter for one file; `version` is that of `mesh`. */
export const EXPORTERS: Readonly<Record<ExportFormat, (version: string) => Exporter>> = {
  gor: createGorExporter,
  har: createHarExporter,
  ndjson: createNdjsonExporter,
  curl: createCurlExporter,
}
