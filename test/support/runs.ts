import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RunningMesh } from './mesh.ts'
import { startMesh } from './mesh.ts'

/** Starts `mesh replay` of these recordings. */
export function startReplay(files: readonly string[], url: string, ...flags: readonly string[]): RunningMesh {
  return startMesh(['replay', ...files, '--to', url, ...flags])
}

/** What of a row of `intervals.ndjson` adds up to the run. */
export interface IntervalLine {
  readonly kind: string
  readonly shots: number
  readonly sent: number
  readonly replies: number
  readonly mismatches: number
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly warmup: number
  readonly responseTime: { readonly count: number; readonly sumNs: number }
  readonly serviceTime: { readonly count: number; readonly sumNs: number }
}

/** The rows of a run's directory. */
export function readIntervals(directory: string): readonly IntervalLine[] {
  const lines = readFileSync(join(directory, 'intervals.ndjson'), 'utf8').trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line) as IntervalLine)
}
