import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { toMeshError } from '../core/errors.ts'
import type { TargetSample } from '../observe/target-watch.ts'

export const TARGET_FILE = 'target.ndjson'

/** Recorded traffic and its figures are nobody else's business. */
const FILE_MODE = 0o600

/** Samples of a file: some 100 MB of it, more than two days at one every two seconds of two sources. Later ones are left out. */
const MAX_SAMPLES = 200_000
/** Samples that wait for a slow disk; later ones are left out. */
const MAX_WAITING = 100

/** What a run's target told of itself, a line a sample: `{"atNs":2000000000,"source":0,"values":{"heap":7}}`, or `failure` in the place of values. */
export class TargetFile {
  readonly #path: string
  readonly #file: FileHandle
  #written: Promise<void> = Promise.resolve()
  #waiting = 0
  #samples = 0
  #failure: unknown

  private constructor(path: string, file: FileHandle) {
    this.#path = path
    this.#file = file
  }

  /** Makes the file in the directory of a run. @throws MeshError of what the system refuses. */
  static async create(directory: string): Promise<TargetFile> {
    const path = join(directory, TARGET_FILE)
    try {
      return new TargetFile(path, await open(path, 'wx', FILE_MODE))
    } catch (thrown) {
      throw toMeshError(thrown, path)
    }
  }

  /** Takes a sample; it reaches the disk behind the caller's back, and a failure comes out of `close`. */
  add({ atNs, source, values, failure }: TargetSample): void {
    if (this.#samples >= MAX_SAMPLES || this.#waiting >= MAX_WAITING || this.#failure !== undefined) return
    this.#samples += 1
    this.#waiting += 1
    const found = failure === '' ? { values: Object.fromEntries(values) } : { failure }
    const line = `${JSON.stringify({ atNs: Math.round(atNs), source, ...found })}\n`
    this.#written = this.#written.then(() => this.#write(line))
  }

  /** @throws MeshError of the first sample that could not be written. */
  async close(): Promise<void> {
    await this.#written
    await this.#file.close()
    if (this.#failure !== undefined) throw toMeshError(this.#failure, this.#path)
  }

  async #write(line: string): Promise<void> {
    try {
      await this.#file.appendFile(line)
    } catch (thrown) {
      this.#failure ??= thrown
    } finally {
      this.#waiting -= 1
    }
  }
}
