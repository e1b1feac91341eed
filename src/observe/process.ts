import { readdir, readFile } from 'node:fs/promises'
import { MeshError, systemCode } from '../core/errors.ts'
import type { Reading, Readings, TargetSource } from './source.ts'

/** Clock ticks of `/proc/PID/stat` a second: 100 on every Linux that Node runs on (USER_HZ, proc(5)). */
const TICKS_PER_SECOND = 100
const PAGE_BYTES = 4096

/** A process on this machine, by what Linux tells of it: CPU, memory, descriptors, threads. Its children are not in it. */
export class ProcessSource implements TargetSource {
  readonly kind = 'process'
  readonly name: string
  readonly #pid: number
  /** When the process began: a number that is given to another one later is not it. */
  #startTicks: string | undefined

  constructor(pid: number) {
    this.#pid = pid
    this.name = `pid ${pid}`
  }

  async read(): Promise<Readings> {
    const folder = `/proc/${this.#pid}`
    try {
      const stat = fieldsOf(await readFile(`${folder}/stat`, 'latin1'))
      const [started = ''] = stat.slice(19)
      this.#startTicks ??= started
      if (started !== this.#startTicks) throw this.#gone('its number is of another process by now')
      const gauge = (name: string, value: number): Reading => ({ name, kind: 'gauge', value })
      const readings = [
        {
          name: 'cpu_seconds',
          kind: 'counter',
          value: (Number(stat[11]) + Number(stat[12])) / TICKS_PER_SECOND,
        } as const,
        gauge('resident_memory_bytes', Number(stat[21]) * PAGE_BYTES),
        gauge('threads', Number(stat[17])),
      ]
      const descriptors = await this.#descriptors(folder)
      if (descriptors === undefined) return { readings, note: 'its descriptors are not ours to count' }
      return { readings: [...readings, gauge('open_descriptors', descriptors)], note: '' }
    } catch (thrown) {
      if (thrown instanceof MeshError) throw thrown
      throw this.#gone('there is no such process', thrown)
    }
  }

  /** Undefined where they belong to somebody else. */
  async #descriptors(folder: string): Promise<number | undefined> {
    try {
      return (await readdir(`${folder}/fd`)).length
    } catch (thrown) {
      if (systemCode(thrown) === 'EACCES' || systemCode(thrown) === 'EPERM') return undefined
      throw thrown
    }
  }

  #gone(what: string, cause?: unknown): MeshError {
    const facts = { what, where: this.name, remedy: 'name a process of this machine with --watch-pid' }
    return new MeshError('MESH_ERR_UNREACHABLE', cause === undefined ? facts : { ...facts, cause })
  }
}

/** Fields of `/proc/PID/stat` from the state on; the name before them may hold anything. */
function fieldsOf(stat: string): readonly string[] {
  return stat
    .replace(/^.*\) /s, '')
    .trimEnd()
    .split(' ')
}
