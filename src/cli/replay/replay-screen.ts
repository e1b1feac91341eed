import { setTimeout as pause } from 'node:timers/promises'
import { monotonicNs } from '../../core/clock.ts'
import type { View } from '../../tui/facts.ts'
import { Dashboard } from './dashboard.ts'
import { DashboardFactory } from './dashboard-facts.ts'
import type { LiveRun } from './live-run.ts'
import { progressLine } from './replay-progress.ts'
import type { PlannedReplay } from './planned-replay.ts'
import type { Terminal } from '../terminal.ts'

/** Shows a run while it goes on. */
export interface ReplayScreen {
  /** Resolves when it disturbs nobody any more: the run may begin. */
  readonly ready: Promise<void>
  /** Ends it; what was said meanwhile is printed. */
  close(): Promise<void>
}

/** Figures change once a second; a key's frame is drawn at once. */
const SHOW_MS = 1000

const MAX_READY_MS = 10_000

/** Lines of talk that are kept for the end of a dashboard. */
const MAX_NOTES = 200

/** A dashboard where the terminal can have one and `--no-dashboard` does not forbid it, else a line a second. */
export function showReplay(replay: PlannedReplay, live: LiveRun, terminal: Terminal): ReplayScreen {
  if (!replay.flags.noDashboard && terminal.drawable) return new DashboardScreen(replay, live, terminal)
  return showLines(replay, live, terminal)
}

/** Figures of a second are complete a moment after it: a line that does not wait for them shows those of the second before. */
const LOOK_MS = 100
const MAX_UNSHOWN_MS = 1400

/** Whether a line is to be shown: there are figures of another second than in the last one, or that was long ago. */
export function isWorthALine(second: number | undefined, shown: number | undefined, waitedMs: number): boolean {
  return second !== shown || waitedMs >= MAX_UNSHOWN_MS
}

function showLines({ plan, flags }: PlannedReplay, live: LiveRun, terminal: Terminal): ReplayScreen {
  let shown: number | undefined
  let waitedMs = 0
  const timer = setInterval(() => {
    waitedMs += LOOK_MS
    const second = live.measurement.recent.at(-1)?.second
    if (!isWorthALine(second, shown, waitedMs)) return
    shown = second
    waitedMs = 0
    const elapsedNs = live.begun.atNs === 0 ? 0 : monotonicNs() - live.begun.atNs
    terminal.progress(progressLine(live.measurement, live.counters, plan, elapsedNs, flags.warmup))
  }, LOOK_MS)
  return {
    ready: Promise.resolve(),
    close() {
      clearInterval(timer)
      return Promise.resolve()
    },
  }
}

const VIEW_KEYS: Readonly<Record<string, View>> = { r: 'routes', e: 'errors', '?': 'help', h: 'help' }

class DashboardScreen implements ReplayScreen {
  readonly ready: Promise<void>
  readonly #replay: PlannedReplay
  readonly #live: LiveRun
  readonly #terminal: Terminal
  readonly #factory: DashboardFactory
  readonly #dashboard: Dashboard
  readonly #notes: string[] = []
  readonly #timer: NodeJS.Timeout
  #view: View = 'all'
  /** What took its place when the thread that draws was lost. */
  #instead: ReplayScreen | undefined

  constructor(replay: PlannedReplay, live: LiveRun, terminal: Terminal) {
    this.#replay = replay
    this.#live = live
    this.#terminal = terminal
    this.#factory = new DashboardFactory(replay, live)
    terminal.divert((line) => this.#note(line))
    this.#dashboard = new Dashboard(terminal, {
      onKey: (key) => this.#key(key),
      onResize: () => this.#draw(),
      onLost: (why) => this.#lost(why),
    })
    // A terminal that reads nothing holds up no run.
    this.ready = Promise.race([this.#dashboard.ready, pause(MAX_READY_MS, undefined, { ref: false })])
    this.#timer = setInterval(() => this.#draw(), SHOW_MS)
    this.#draw()
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#dashboard.close()
    this.#printNotes()
    await this.#instead?.close()
  }

  #draw(): void {
    const [columns, rows] = this.#dashboard.size
    const keys = process.stdin.isTTY
    this.#dashboard.show(this.#factory.facts({ view: this.#view, columns, rows, notes: this.#notes.slice(-4), keys }))
  }

  #note(line: string): void {
    this.#notes.push(line)
    if (this.#notes.length > MAX_NOTES) this.#notes.shift()
  }

  #key(key: string): void {
    const { control } = this.#live
    if (key === 'q' || key === 'interrupt') process.kill(process.pid, 'SIGINT')
    else if (key === 'p') this.#note(control.pauseOrResume())
    else if (key === '+' || key === '=') this.#note(control.step(1))
    else if (key === '-' || key === '_') this.#note(control.step(-1))
    else if (key === 'escape') this.#view = 'all'
    else {
      const view = VIEW_KEYS[key]
      if (view === undefined) return
      this.#view = this.#view === view ? 'all' : view
    }
    this.#draw()
  }

  #lost(why: string): void {
    clearInterval(this.#timer)
    this.#printNotes()
    this.#terminal.warn(`mesh: the dashboard was lost (${why}); the run goes on`)
    this.#instead = showLines(this.#replay, this.#live, this.#terminal)
  }

  #printNotes(): void {
    this.#terminal.divert(undefined)
    for (const note of this.#notes.splice(0)) this.#terminal.warn(note)
  }
}
