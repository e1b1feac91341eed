import { monotonicNs } from '../../../src/core/clock.ts'
import type { Outcome, OutcomeRecorder } from '../../../src/core/outcome.ts'
import type { Shot } from '../../../src/core/shot.ts'
import {
  DEFAULT_REPLAY_LIMITS,
  type ReplayHooks,
  type ReplayOptions,
  type ReplaySummary,
  runReplay,
} from '../../../src/replay/replay.ts'
import type { Target } from '../../../src/replay/senders/target.ts'
import { packShots, type ShotBatch } from '../../../src/replay/shot-batch.ts'

/** A GET of `/<path>`: due at once, alone on its connection, 200 recorded. */
export function shot(path: string | number, with_: Partial<Shot> = {}): Shot {
  return {
    dueNs: 0,
    connection: 0,
    session: 0,
    clone: 0,
    route: 0,
    bytes: Buffer.from(`${with_.headRequest === true ? 'HEAD' : 'GET'} /${path} HTTP/1.1\r\nHost: x\r\n\r\n`, 'latin1'),
    headRequest: false,
    lastOnConnection: false,
    recordedStatus: 200,
    recording: 0,
    exchange: 0,
    recordedAtNs: 0,
    ...with_,
  }
}

/** Keeps a copy of every outcome; `route` tells which shot it was, where shots have routes of their own. */
export class OutcomeList implements OutcomeRecorder {
  readonly outcomes: Outcome[] = []
  readonly #onOutcome: () => void

  constructor(onOutcome: () => void = () => undefined) {
    this.#onOutcome = onOutcome
  }

  record(outcome: Outcome): void {
    this.outcomes.push({ ...outcome })
    this.#onOutcome()
  }

  /** Errors in order of the shots' routes, or of the statuses of those that had a reply. */
  get results(): (string | number)[] {
    const byRoute = this.outcomes.toSorted((a, b) => a.route - b.route)
    return byRoute.map(({ error, status }) => (error === 'none' ? status : error))
  }
}

/** Shots with routes 0, 1, 2, ..., so that outcomes tell them apart. */
export function numbered(shots: readonly Shot[]): Shot[] {
  return shots.map((shot, route) => ({ ...shot, route }))
}

export async function* inBatches(shots: readonly Shot[], size = 100): AsyncGenerator<ShotBatch> {
  for (let from = 0; from < shots.length; from += size) yield packShots(shots.slice(from, from + size))
}

/** Resolves when the condition holds: for what a test can only watch. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
}

/** One shot a batch, each handed over when `ready` says so of it. */
export async function* inSteps(shots: readonly Shot[], ready: (index: number) => boolean): AsyncGenerator<ShotBatch> {
  for (const [index, shot] of shots.entries()) {
    await until(() => ready(index))
    yield packShots([shot])
  }
}

export interface ShotsRun {
  readonly summary: ReplaySummary
  readonly list: OutcomeList
  /** Of the shots, by their place in what was given. */
  readonly outcomes: readonly Outcome[]
}

export function replayOptions(target: Target, options: Partial<ReplayOptions> = {}): ReplayOptions {
  return {
    ...DEFAULT_REPLAY_LIMITS,
    target,
    order: 'connection',
    loop: 'open',
    pacing: 'eco',
    breaker: undefined,
    durationNs: undefined,
    originNs: monotonicNs(),
    ...options,
  }
}

/** Replays the shots, numbered by route, and gives back their outcomes in the shots' order; with `ready`, each when that says so. */
export async function sendShots(
  shots: readonly Shot[],
  target: Target,
  options: Partial<ReplayOptions> = {},
  hooks: ReplayHooks & { readonly signal?: AbortSignal; readonly ready?: (index: number) => boolean } = {},
): Promise<ShotsRun> {
  const list = new OutcomeList()
  const signal = hooks.signal ?? new AbortController().signal
  const { ready } = hooks
  const batches = ready === undefined ? inBatches(numbered(shots)) : inSteps(numbered(shots), ready)
  const summary = await runReplay(batches, replayOptions(target, options), list, signal, hooks)
  return { summary, list, outcomes: list.outcomes.toSorted((a, b) => a.route - b.route) }
}
