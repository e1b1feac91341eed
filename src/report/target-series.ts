import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { MeshError, systemCode, toMeshError } from '../core/errors.ts'
import { JsonFields, numberAt } from './json-fields.ts'
import { MAX_SPANS, type TargetLine } from './series.ts'
import { TARGET_FILE } from './target-file.ts'

/** Series that are kept, at most: each may be a chart. */
const MAX_LINES = 200

interface Span {
  sum: number
  count: number
}

interface ReadSample {
  readonly atNs: number
  readonly source: number
  readonly values: Readonly<Record<string, number>>
}

/**
 * What the target told of itself over a run, in spans of `spanSeconds`. Lines that are damaged are left out; a file that is not there is
 * no series.
 *
 * @throws MeshError of what the system refuses.
 */
export async function readTargetSeries(directory: string, spanSeconds: number): Promise<readonly TargetLine[]> {
  const file = join(directory, TARGET_FILE)
  const lines = new Map<string, { readonly source: number; readonly name: string; readonly spans: Span[] }>()
  try {
    for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      const sample = sampleOf(text, file)
      const place = Math.max(0, Math.floor((sample?.atNs ?? 0) / 1e9 / spanSeconds))
      if (sample === undefined || place >= 2 * MAX_SPANS) continue
      for (const [name, value] of Object.entries(sample.values)) {
        const key = `${sample.source} ${name}`
        const line = lines.get(key) ?? { source: sample.source, name, spans: [] }
        if (!lines.has(key) && lines.size >= MAX_LINES) continue
        lines.set(key, line)
        while (line.spans.length <= place) line.spans.push({ sum: 0, count: 0 })
        const span = line.spans[place]
        if (span === undefined) continue
        span.sum += value
        span.count += 1
      }
    }
  } catch (thrown) {
    if (!['ENOENT', 'ENOTDIR'].includes(systemCode(thrown) ?? '')) throw toMeshError(thrown, file)
  }
  return [...lines.values()].map(({ source, name, spans }) => ({ source, name, spanSeconds, values: meansOf(spans) }))
}

/** Readings drift against spans: one span without any between two that have some is between them in value too. */
function meansOf(spans: readonly Span[]): (number | null)[] {
  const means = spans.map(({ sum, count }) => (count === 0 ? null : sum / count))
  return means.map((mean, place) => {
    const [before, after] = [means[place - 1] ?? null, means[place + 1] ?? null]
    return mean === null && before !== null && after !== null ? (before + after) / 2 : mean
  })
}

function sampleOf(text: string, file: string): ReadSample | undefined {
  try {
    const fields = new JsonFields(JSON.parse(text), `${file}: `)
    if (!fields.has('values')) return undefined
    return { atNs: fields.number('atNs'), source: fields.number('source'), values: fields.record('values', numberAt) }
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError) && !(thrown instanceof MeshError)) throw thrown
    return undefined
  }
}
