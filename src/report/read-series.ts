import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { MeshError, systemCode, toMeshError } from '../core/errors.ts'
import { decodeHdr } from '../measure/hdr.ts'
import { Histogram } from '../measure/histogram.ts'
import { JsonFields, numberAt } from './json-fields.ts'
import { INTERVALS_FILE } from './run-directory.ts'
import { RunSeries, type SecondOfRun } from './series.ts'
import { readTargetSeries } from './target-series.ts'

/**
 * Reads a run over time from its directory. Lines that are damaged (the last one of a run that died) are counted in `unread`; a file
 * that is not there is a series without spans.
 *
 * @throws MeshError of what the system refuses.
 */
export async function readSeries(directory: string, targetIntervalNs = 1e9): Promise<RunSeries> {
  const series = new RunSeries()
  const file = join(directory, INTERVALS_FILE)
  try {
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      // Blocks of ten seconds have the routes' histograms, which no chart over time needs.
      if (!line.startsWith('{"kind":"second"')) continue
      addLine(series, line, file)
    }
  } catch (thrown) {
    if (!['ENOENT', 'ENOTDIR'].includes(systemCode(thrown) ?? '')) throw toMeshError(thrown, file)
  }
  series.target = await readTargetSeries(directory, Math.max(series.spanSeconds, Math.ceil(targetIntervalNs / 1e9)))
  return series
}

function addLine(series: RunSeries, line: string, file: string): void {
  try {
    const value: unknown = JSON.parse(line)
    series.add(secondOf(value, new JsonFields(value, `${file}: `)))
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError) && !(thrown instanceof MeshError)) throw thrown
    series.unread += 1
  }
}

function secondOf(value: unknown, fields: JsonFields): SecondOfRun {
  return {
    second: fields.number('second'),
    shots: fields.number('shots'),
    sent: fields.number('sent'),
    replies: fields.number('replies'),
    statuses: fields.record('statuses', numberAt),
    errors: fields.record('errors', numberAt),
    responseTime: histogramOf(fields.object('responseTime')),
    serviceTime: histogramOf(fields.object('serviceTime')),
    lagP99Ns: fields.object('lag').numberOrNull('p99Ns'),
    routes: routesOf(value) ?? fields.list('routes', readRoute),
  }
}

/**
 * The routes of a second where they are as they should be, else undefined: an hour of a hundred routes has 360,000 of them, and
 * reading each with the place where it stands takes longer than all the rest.
 */
function routesOf(second: unknown): SecondOfRun['routes'] | undefined {
  const found: unknown = isObject(second) ? second['routes'] : undefined
  if (!Array.isArray(found)) return undefined
  const rows: readonly unknown[] = found
  const routes: { readonly route: number; readonly p99Ns: number | null }[] = []
  for (const row of rows) {
    const times = isObject(row) ? row['responseTime'] : undefined
    const [route, p99Ns] = [isObject(row) ? row['route'] : undefined, isObject(times) ? times['p99Ns'] : undefined]
    if (typeof route !== 'number' || (typeof p99Ns !== 'number' && p99Ns !== null)) return undefined
    routes.push({ route, p99Ns })
  }
  return routes
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function readRoute(value: unknown, where: string): SecondOfRun['routes'][number] {
  const route = new JsonFields(value, where)
  return { route: route.number('route'), p99Ns: route.object('responseTime').numberOrNull('p99Ns') }
}

function histogramOf(fields: JsonFields): Histogram {
  if (fields.number('count') === 0) return new Histogram()
  return decodeHdr(fields.text('hdrNs'), INTERVALS_FILE, {
    sumNs: fields.number('sumNs'),
    minNs: fields.number('minNs'),
    maxNs: fields.number('maxNs'),
  })
}
