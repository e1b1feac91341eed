import { type FileHandle, open, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { MeshError, systemCode, toMeshError } from '../core/errors.ts'
import { percentileDistribution } from '../measure/hdr.ts'
import type { Histogram } from '../measure/histogram.ts'
import type { IntervalRow } from '../measure/measurement.ts'
import { intervalLine } from './interval-row.ts'
import { makeDirectory } from './make-directory.ts'
import type { Run } from './run.ts'
import { TARGET_FILE } from './target-file.ts'

export const RUN_FILE = 'run.json'
export const INTERVALS_FILE = 'intervals.ndjson'
export const HGRM_FILE = 'latency.hgrm'

/** Recorded traffic and its figures are nobody else's business. */
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

/**
 * Rows that wait for a slow disk, some twenty seconds' worth: with 1,000 busy routes a row is 6 MB. Later ones are dropped and counted: a
 * run does not wait for its report.
 */
const MAX_WAITING_ROWS = 24

/**
 * The directory of one run, while it is written:
 *
 * ```
 * run.json          what was asked, planned and achieved; verdict; figures and histograms of all routes
 * intervals.ndjson  one line a second (totals with histograms, figures by route), one every ten (histograms by route)
 * latency.hgrm      response time, for HdrHistogram's plotters
 * report.html, junit.xml, summary.md, metrics.prom: see write-reports.ts
 * target.ndjson     what the target told of itself, where it was asked: see target-file.ts
 * ```
 * `run.json` is there, complete and readable, from the first moment on, as `interrupted`; each write replaces it whole.
 */
export class RunDirectory {
  readonly path: string
  readonly #isNew: boolean
  readonly #routeNames: readonly string[]
  readonly #intervals: FileHandle
  #waiting = 0
  #lostRows = 0
  #written: Promise<void> = Promise.resolve()
  #failure: unknown

  private constructor(path: string, isNew: boolean, routeNames: readonly string[], intervals: FileHandle) {
    this.path = path
    this.#isNew = isNew
    this.#routeNames = routeNames
    this.#intervals = intervals
  }

  /**
   * Makes the directory. `first` describes the run before its first shot. `routeNames` may grow.
   *
   * @throws MeshError MESH_ERR_FILE_EXISTS where it is there and not empty, and what the system refuses.
   */
  static async create(path: string, first: Run, routeNames: readonly string[]): Promise<RunDirectory> {
    try {
      const isNew = await makeDirectory(path, DIRECTORY_MODE)
      const found = await readdir(path)
      if (found.length > 0) {
        const what = `expected a new or empty directory for the run, found ${found.length} files in it`
        throw new MeshError('MESH_ERR_FILE_EXISTS', { what, where: path, remedy: 'choose another with -o' })
      }
      const intervals = await open(join(path, INTERVALS_FILE), 'wx', FILE_MODE)
      const directory = new RunDirectory(path, isNew, routeNames, intervals)
      try {
        await directory.write({ ...first, interrupted: true, finishedAt: null })
      } catch (thrown) {
        await directory.discard()
        throw thrown
      }
      return directory
    } catch (thrown) {
      throw failureAt(thrown, path)
    }
  }

  /** Rows that did not fit the backlog: then `intervals.ndjson` does not sum up to the run. */
  get lostRows(): number {
    return this.#lostRows
  }

  /** Takes a row; it reaches the disk behind the caller's back, and a failure comes out of `close`. */
  addRow(row: IntervalRow): void {
    if (this.#waiting >= MAX_WAITING_ROWS || this.#failure !== undefined) {
      this.#lostRows += 1
      return
    }
    this.#waiting += 1
    this.#written = this.#written.then(() => this.#writeRow(row))
  }

  /** Replaces `run.json`. */
  async write(run: Run): Promise<void> {
    await this.#replace(RUN_FILE, `${JSON.stringify(run, undefined, 1)}\n`)
  }

  /**
   * Writes what is left, the final `run.json` and `latency.hgrm`: each of them, whatever became of the others.
   *
   * @throws MeshError of the first that could not be written.
   */
  async close(run: Run, responseTime: Histogram): Promise<void> {
    await this.#written
    const whole = this.#lostRows === 0 ? run : { ...run, counters: { ...run.counters, lostRows: this.#lostRows } }
    const failures: unknown[] = this.#failure === undefined ? [] : [this.#failure]
    const writings = [
      () => this.#intervals.close(),
      () => this.write(whole),
      () => this.#replace(HGRM_FILE, percentileDistribution(responseTime)),
    ]
    for (const write of writings) await write().catch((thrown: unknown) => failures.push(thrown))
    if (failures.length > 0) throw failureAt(failures[0], join(this.path, INTERVALS_FILE))
  }

  /** Gives up: what is written stays, `run.json` says `interrupted`. */
  async destroy(): Promise<void> {
    this.#failure ??= 'destroyed'
    await this.#written
    await this.#intervals.close()
  }

  /** A run that never began leaves nothing: takes away what was made here. */
  async discard(): Promise<void> {
    await this.destroy()
    for (const name of [RUN_FILE, `${RUN_FILE}.new`, INTERVALS_FILE, TARGET_FILE]) {
      await rm(join(this.path, name), { force: true })
    }
    if (this.#isNew) await rmdir(this.path)
  }

  async #writeRow(row: IntervalRow): Promise<void> {
    try {
      await this.#intervals.appendFile(await intervalLine(row, this.#routeNames))
    } catch (thrown) {
      this.#failure ??= thrown
      this.#lostRows += 1
    } finally {
      this.#waiting -= 1
    }
  }

  /** A reader sees the old file or the new one, never half of one. */
  async #replace(name: string, text: string): Promise<void> {
    const path = join(this.path, name)
    try {
      const file = await open(`${path}.new`, 'w', FILE_MODE)
      try {
        await file.writeFile(text)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(`${path}.new`, path)
    } catch (thrown) {
      await rm(`${path}.new`, { force: true })
      throw failureAt(thrown, path)
    }
  }
}

function failureAt(thrown: unknown, path: string): MeshError {
  if (systemCode(thrown) === 'EEXIST' || systemCode(thrown) === 'ENOTDIR') {
    const what = 'expected a directory for the run, found a file'
    return new MeshError('MESH_ERR_FILE_EXISTS', { what, where: path, remedy: 'choose another with -o', cause: thrown })
  }
  return toMeshError(thrown, path)
}
