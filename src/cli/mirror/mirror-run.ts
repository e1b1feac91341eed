import type { Tap } from '../../capture/tap/tap.ts'
import type { MeshError } from '../../core/errors.ts'
import type { Ledger } from '../../core/ledger.ts'
import { meshError } from '../../core/plain-error.ts'
import { formatBytes } from '../../core/units.ts'
import type { RecorderThread } from '../../capture/tap/recorder-thread.ts'
import type { Tally } from '../../mirror/counts.ts'
import type { MirrorReport } from '../../mirror/mirror.ts'
import type { Metric } from '../../net/metrics-server.ts'
import type { ExitCode } from '../exit-codes.ts'
import { EXIT } from '../exit-codes.ts'
import type { InlineTapRun, ReaderSignal, TapReader } from '../capture/inline-tap.ts'
import { runInlineTap, sayRelayed } from '../capture/inline-tap.ts'
import { HURRY } from './mirror-settings.ts'
import type { MirrorSettings } from './mirror-settings.ts'
import { progressText } from './mirror-text.ts'
import type { MirrorMessage } from './mirror-worker.ts'
import type { Terminal } from '../terminal.ts'

export interface MirrorRun extends InlineTapRun {
  readonly settings: MirrorSettings
}

/** What a run of a mirror came to. */
export interface MirrorOutcome {
  readonly report: MirrorReport
  readonly ledger: Ledger
}

/** A full ring is some seconds of its work; copies have their time-out twice, to wait and to be answered. */
const MAX_FINISH_NS = 30e9

/** Runs a tap and its mirror until INT, TERM or `--duration`. The outcome is undefined where the mirroring thread was lost. */
export async function runMirror(
  run: MirrorRun,
  terminal: Terminal,
): Promise<{ readonly outcome: MirrorOutcome | undefined; readonly code: ExitCode }> {
  const mirror = new TapMirror(run.settings, terminal)
  const tap = await runInlineTap(run, mirror, terminal)
  sayRelayed(tap, mirror.failed, terminal, formatBytes)
  const { losses } = tap.counters()
  if (losses.ringFullBytes > 0)
    terminal.warn(`mesh: ${formatBytes(losses.ringFullBytes)} passed on that the mirror was too slow to copy`)
  return { outcome: mirror.outcome, code: mirror.failed ? EXIT.couldNotRun : EXIT.ok }
}

/** The mirroring thread, as the tap's thread knows it. */
class TapMirror implements TapReader {
  readonly worker: URL = new URL('mirror-worker.js', import.meta.url)
  readonly maxFinishNs: number
  failed = false
  #latest: MirrorOutcome | undefined
  #done = false
  readonly #settings: MirrorSettings
  readonly #terminal: Terminal

  constructor(settings: MirrorSettings, terminal: Terminal) {
    this.#settings = settings
    this.#terminal = terminal
    this.maxFinishNs = MAX_FINISH_NS + 2 * settings.timeoutNs
  }

  /** What it said last: complete where it is done. */
  get outcome(): MirrorOutcome | undefined {
    return this.#latest
  }

  get done(): boolean {
    return this.#done
  }

  get greeting(): readonly string[] {
    const { target, allowWrites, sample, twin } = this.#settings
    const share = sample < 1 ? `${Number((sample * 100).toPrecision(3))}% of sessions` : 'every session'
    const what = allowWrites ? 'reads and writes' : 'GET, HEAD, OPTIONS and TRACE only'
    const also = twin === undefined ? '' : ` and ${twin.url}`
    return [`mirroring to ${target.url}${also}: ${what}, ${share}; INT or TERM ends it with the proof`]
  }

  config(originUnixNs: bigint): MirrorSettings {
    return { ...this.#settings, originUnixNs }
  }

  hear(value: unknown): ReaderSignal {
    if (!isMirrorMessage(value)) return undefined
    if (value.kind === 'ready') return 'ready'
    if (value.kind === 'refused') return meshError(value.error)
    this.#latest = value
    this.#done = value.kind === 'done'
    return undefined
  }

  abandon(): void {
    return
  }

  died(error: MeshError): void {
    this.failed = true
    this.#terminal.warn(`mesh: the mirror died, traffic goes on without it: ${error.what} [${error.code}]`)
  }

  hurry(thread: RecorderThread): boolean {
    thread.post(HURRY)
    return true
  }

  cutShort(): void {
    this.failed = true
    this.#terminal.warn('mesh: the mirror was ended before its last word: the counts are those of a second before')
  }

  metrics(): readonly Metric[] {
    if (this.#latest === undefined) return []
    return mirrorMetrics(this.#latest)
  }

  progress(tap: Tap): string {
    const { relay, losses } = tap.counters()
    const parts = [`${relay.open} open`]
    if (this.#latest !== undefined) parts.push(progressText(this.#latest.report))
    if (losses.ringFullBytes > 0) parts.push(`${formatBytes(losses.ringFullBytes)} NOT COPIED`)
    return parts.join(', ')
  }
}

function isMirrorMessage(value: unknown): value is MirrorMessage {
  return typeof value === 'object' && value !== null && 'kind' in value
}

function mirrorMetrics({ report: { counts, comparison }, ledger }: MirrorOutcome): Metric[] {
  const total = (name: string, help: string, value: number, labels: Readonly<Record<string, string>> = {}): Metric => ({
    name: `mesh_mirror_${name}_total`,
    help,
    type: 'counter',
    value,
    labels,
  })
  const each = (name: string, help: string, tally: Tally, label = 'why'): Metric[] =>
    Object.entries(tally).map(([why, count]) => total(name, help, count, { [label]: why }))
  const gauge = (name: string, help: string, value: number): Metric => ({
    name: `mesh_mirror_${name}`,
    help,
    type: 'gauge',
    value,
  })
  return [
    total('requests_seen', 'Requests that passed the tap.', ledger.requests.seen),
    total('sent', 'Copies sent to staging.', counts.sent),
    total('answered', 'Copies that staging answered.', counts.answered),
    ...each('unanswered', 'Copies sent that staging did not answer.', counts.unanswered),
    ...each('dropped', 'Copies given up before they were sent.', counts.dropped),
    ...each('held_back', 'Requests held back because they would write.', counts.held, 'method'),
    ...each('unsendable', 'Requests that cannot be sent again.', counts.unsendable),
    gauge('waiting', 'Copies that wait.', counts.waiting),
    gauge('flying', 'Copies under way.', counts.flying),
    gauge('held_bytes', 'Bytes of copies that wait or are under way.', counts.heldBytes),
    ...(comparison === undefined
      ? []
      : [
          total('replies', 'Replies compared.', comparison.same, { verdict: 'same' }),
          total('replies', 'Replies compared.', comparison.diverging, { verdict: 'diverging' }),
          total('replies', 'Replies compared.', comparison.noisy, { verdict: 'noise' }),
          total('replies', 'Replies compared.', comparison.baseMoved, { verdict: 'base_moved' }),
          total('replies', 'Replies compared.', comparison.afterDrop, { verdict: 'after_drop' }),
          ...each('not_compared', 'Replies that were not compared.', comparison.notCompared),
        ]),
  ]
}
