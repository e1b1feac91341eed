import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { MeshError } from '../../core/errors.ts'
import { packageFile } from '../package-file.ts'

const MESH = fileURLToPath(packageFile('bin/mesh.js'))

/** Whether what a `mesh` prints is ours: its results, or its talk too. */
export type Shown = 'results' | 'all' | 'nothing'

/** A `mesh` of its own, as a person would start it. */
export interface MeshProcess {
  /** Resolves with the first line of talk that matches; rejects where the process ends first. */
  line(pattern: RegExp): Promise<RegExpExecArray>
  /** Asks it to end in order; asked again, at once. */
  stop(): void
  /** Its exit code; rejects with MESH_ERR_INTERNAL where that is not among those expected. */
  readonly ended: Promise<number>
  /** Everything it said on stderr, for when it fails. */
  said(): string
}

/** What a `mesh` is run with, beside its words. */
export interface MeshProcessOptions {
  /** Default `nothing`. */
  readonly show?: Shown
  /** Variables beside our own. */
  readonly environment?: Readonly<Record<string, string>>
  /** Exit codes that are no failure. Default 0 alone. */
  readonly expected?: readonly number[]
}

/** Talk of a process that is kept, in lines: enough to say why it failed. */
const MAX_KEPT_LINES = 200

/** What a process may take to end in order, then at once; after both it is killed. */
const ORDERLY_MS = 3_000
const AT_ONCE_MS = 15_000

/** The processes of one performance: none outlives it. */
export class MeshProcesses {
  readonly #running = new Map<ChildProcess, Promise<number>>()

  /** Starts `mesh` with these words and listens to what it says. */
  start(words: readonly string[], options: MeshProcessOptions = {}): MeshProcess {
    const { show = 'nothing', environment, expected = [0] } = options
    const child = spawn(process.execPath, [MESH, ...words], {
      stdio: ['ignore', show === 'nothing' ? 'ignore' : 'inherit', show === 'all' ? 'inherit' : 'pipe'],
      env: { ...process.env, ...environment },
      // Ctrl-C is for us: a terminal would send it to all of us, and our own word after it would be the second one.
      detached: true,
    })
    const ended = exitOf(child)
    this.#running.set(child, ended)
    void ended.then(() => this.#running.delete(child))
    const talk = new Talk(child)
    const judged = ended.then((code) => {
      if (!expected.includes(code)) throw failed(words, code, talk.lines)
      return code
    })
    // Where another process failed first, nobody asks for this one's end any more.
    judged.catch(() => undefined)
    return {
      ended: judged,
      stop: () => void child.kill('SIGTERM'),
      said: () => talk.lines.join('\n'),
      line: (pattern) =>
        new Promise((resolve, reject) => {
          talk.find(pattern, resolve)
          void ended.then((code) => reject(failed(words, code, talk.lines)))
        }),
    }
  }

  /** Runs `mesh` to its end. @throws MeshError MESH_ERR_INTERNAL where its exit code is not among those expected. */
  run(words: readonly string[], options: MeshProcessOptions): Promise<number> {
    return this.start(words, options).ended
  }

  /** Ends whatever still runs. */
  async close(): Promise<void> {
    await Promise.all([...this.#running].map(([child, ended]) => endProcess(child, ended)))
  }
}

async function endProcess(child: ChildProcess, ended: Promise<number>): Promise<void> {
  for (const [signal, ms] of [
    ['SIGTERM', ORDERLY_MS],
    ['SIGTERM', AT_ONCE_MS],
  ] as const) {
    child.kill(signal)
    const waiting = new AbortController()
    const late = pause(ms, 'late' as const, { signal: waiting.signal }).catch(() => 'over' as const)
    const end = await Promise.race([ended, late])
    waiting.abort()
    if (end !== 'late') return
  }
  child.kill('SIGKILL')
  await ended
}

/** The lines that a process says on stderr, the last of them. */
class Talk {
  readonly lines: string[] = []
  readonly #waiting = new Set<{ pattern: RegExp; found: (match: RegExpExecArray) => void }>()

  constructor({ stderr }: ChildProcess) {
    if (stderr === null) return
    createInterface({ input: stderr }).on('line', (line) => {
      this.lines.push(line)
      if (this.lines.length > MAX_KEPT_LINES) this.lines.shift()
      for (const waiter of this.#waiting) {
        const match = waiter.pattern.exec(line)
        if (match === null) continue
        this.#waiting.delete(waiter)
        waiter.found(match)
      }
    })
  }

  /** Tells of the first line that matches, said or still to be said. */
  find(pattern: RegExp, found: (match: RegExpExecArray) => void): void {
    for (const line of this.lines) {
      const match = pattern.exec(line)
      if (match !== null) return found(match)
    }
    this.#waiting.add({ pattern, found })
  }
}

async function exitOf(child: ChildProcess): Promise<number> {
  const [code]: unknown[] = await once(child, 'close')
  return typeof code === 'number' ? code : 1
}

function failed(words: readonly string[], code: number, lines: readonly string[]): MeshError {
  const last = lines.findLast((line) => line.trim() !== '') ?? 'it said nothing'
  return new MeshError('MESH_ERR_INTERNAL', {
    what: `mesh ${words.slice(0, 2).join(' ')} ended with exit code ${code}: ${last}`,
  })
}
