import { Worker } from 'node:worker_threads'
import type { DashboardFacts } from '../../tui/facts.ts'
import type { Terminal } from '../terminal.ts'

/** What a dashboard tells whoever opened it. */
export interface DashboardEvents {
  /** A key was pressed: a character, `escape` or `interrupt` (Ctrl-C, which is no signal while keys are read one by one). */
  readonly onKey: (key: string) => void
  /** The terminal has another size. */
  readonly onResize: () => void
  /** The thread that draws has ended; the terminal is as it was. */
  readonly onLost: (why: string) => void
}

/** Other screen, no cursor, no wrapped lines; and back. */
const ENTER = '\u001B[?1049h\u001B[?25l\u001B[?7l'
const LEAVE = '\u001B[?7h\u001B[?25h\u001B[?1049l'

/** Ten frames a second at most, also while a key is held down. */
const LEAST_INTERVAL_MS = 100

/**
 * Has the terminal while a run goes on: draws on a thread of its own, reads keys, and gives the terminal back as it was, at the end, on
 * a crash, and when the process is told to exit.
 */
export class Dashboard {
  /** Resolves when the first frame is on the screen, or never will be: loading what draws it takes a second that a run's first would feel. */
  readonly ready: Promise<void>
  readonly #terminal: Terminal
  readonly #events: DashboardEvents
  readonly #worker: Worker
  /** 1 while the thread may write. */
  readonly #open = new Int32Array(new SharedArrayBuffer(4))
  readonly #onData = (bytes: Buffer): void => this.#take(bytes.toString('latin1'))
  readonly #onResize = (): void => this.#events.onResize()
  readonly #restore = (): void => this.#leave()
  #onReady: () => void = () => undefined
  #drawing = false
  #next: DashboardFacts | undefined
  #timer: NodeJS.Timeout | undefined

  /** Takes the terminal. Whoever opens it calls `close`. */
  constructor(terminal: Terminal, events: DashboardEvents) {
    this.#terminal = terminal
    this.#events = events
    // Colours are asked for: the thread has no terminal to ask. And a library is not to be told that it is developed.
    const env = { ...process.env, FORCE_COLOR: '1', NODE_ENV: 'production', DEV: 'false' }
    const entry = new URL('dashboard-thread.js', import.meta.url)
    this.#worker = new Worker(entry, { workerData: this.#open, env, stdout: true, stderr: true })
    this.ready = new Promise((resolve) => {
      this.#onReady = resolve
    })
    this.#worker.on('exit', this.#onReady)
    this.#worker.on('message', () => this.#drawn())
    this.#worker.on('error', (error: unknown) => this.#lost(error))
    process.on('exit', this.#restore)
    process.stderr.on('resize', this.#onResize)
    if (process.stdin.isTTY) {
      process.stdin.setRawMode(true)
      process.stdin.on('data', this.#onData)
    }
    this.#open[0] = 1
    terminal.draw(ENTER)
  }

  /** Columns and rows of the terminal; 80 by 24 where it does not know. */
  get size(): readonly [columns: number, rows: number] {
    const [columns, rows] = process.stderr.getWindowSize()
    return [columns || 80, rows || 24]
  }

  /** Draws what is the case, at once or as soon as what is being drawn is done: only the latest waits. */
  show(facts: DashboardFacts): void {
    this.#next = facts
    if (!this.#drawing && this.#timer === undefined) this.#post()
  }

  /** Gives the terminal back. */
  async close(): Promise<void> {
    this.#leave()
    await this.#worker.terminate()
  }

  #post(): void {
    const facts = this.#next
    this.#next = undefined
    if (facts === undefined || this.#open[0] === 0) return
    this.#drawing = true
    this.#worker.postMessage(facts)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (!this.#drawing) this.#post()
    }, LEAST_INTERVAL_MS)
  }

  #drawn(): void {
    this.#onReady()
    this.#drawing = false
    if (this.#timer === undefined) this.#post()
  }

  /** What a key sends comes in one piece; what begins with an escape and goes on is a key that has no meaning here. */
  #take(text: string): void {
    if (text === '\u001B') return this.#events.onKey('escape')
    if (text.startsWith('\u001B')) return
    for (const character of text) this.#events.onKey(character === '\u0003' ? 'interrupt' : character)
  }

  #lost(error: unknown): void {
    this.#leave()
    this.#events.onLost(error instanceof Error ? error.message : String(error))
  }

  #leave(): void {
    if (this.#open[0] === 0) return
    Atomics.store(this.#open, 0, 0)
    clearTimeout(this.#timer)
    process.off('exit', this.#restore)
    process.stderr.off('resize', this.#onResize)
    if (process.stdin.isTTY) {
      process.stdin.off('data', this.#onData)
      process.stdin.setRawMode(false)
      process.stdin.pause()
    }
    this.#terminal.draw(LEAVE)
  }
}
