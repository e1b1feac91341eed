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
    series.add(secondOf(new JsonFields(value, `${file}: `)))
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError) && !(thrown instanceof MeshError)) throw thrown
    series.unread += 1
  }
}

function secondOf(fields: JsonFields): SecondOfRun {
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
    routes: fields.list('routes', (value, where) => {
      const route = new JsonFields(value, where)
      return {
        route: route.number('route'),
        p99Ns: route.object('responseTime').numberOrNull('p99Ns'),
      }
    }),
  }
}

function histogramOf(fields: JsonFields): Histogram {
  if (fields.number('count') === 0) return new Histogram()
  return decodeHdr(fields.text('hdrNs'), INTERVALS_FILE, {
    sumNs: fields.number('sumNs'),
    minNs: fields.number('minNs'),
    maxNs: fields.number('maxNs'),
  })
}
