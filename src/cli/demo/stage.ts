import { setTimeout as pause } from 'node:timers/promises'
import type { Terminal } from '../terminal.ts'
import { type MeshProcessOptions, MeshProcesses } from './mesh-processes.ts'

const PROGRESS_MS = 500
const PROGRESS_WIDTH = 40

/** What the demo's acts share: where they write, what they started, who looks on. What was put on stage leaves it in `close`. */
export class Stage {
  /** Where recordings and the run go. */
  readonly folder: string
  readonly terminal: Terminal
  /** Aborts when nobody wants to see more. */
  readonly signal: AbortSignal
  readonly processes: MeshProcesses = new MeshProcesses()
  readonly #leaving: (() => Promise<void>)[] = []

  constructor(folder: string, terminal: Terminal, signal: AbortSignal) {
    this.folder = folder
    this.terminal = terminal
    this.signal = signal
    // Whoever waits for a process then learns that it ended.
    signal.addEventListener('abort', () => void this.processes.close())
  }

  say(line: string): void {
    this.terminal.say(line)
  }

  /** Shows a command as a person would type it. */
  sayCommand(words: readonly string[]): void {
    this.say(`   $ ${words.join(' ')}`)
  }

  /** Shows a `mesh` command and runs it to its end. Resolves to its exit code. */
  async mesh(words: readonly string[], options: MeshProcessOptions): Promise<number> {
    this.signal.throwIfAborted()
    this.sayCommand(['mesh', ...words])
    return this.processes.run(words, options)
  }

  /** Calls this at the end, in the reverse order. */
  atEnd(leave: () => Promise<void>): void {
    this.#leaving.push(leave)
  }

  /** Lets some time pass, with a bar on a terminal. Throws where it is cut short. */
  async showTime(durationNs: number): Promise<void> {
    const steps = Math.ceil(durationNs / 1e6 / PROGRESS_MS)
    for (let step = 1; step <= steps; step++) {
      await pause(PROGRESS_MS, undefined, { signal: this.signal })
      const done = Math.round((step / steps) * PROGRESS_WIDTH)
      if (!this.terminal.interactive) continue
      this.terminal.progress(`   [${'#'.repeat(done)}${'.'.repeat(PROGRESS_WIDTH - done)}]`)
    }
  }

  /** Ends every process and whatever else was started. */
  async close(): Promise<void> {
    await this.processes.close()
    for (const leave of this.#leaving.splice(0).toReversed()) await leave()
  }
}
