import { rmSync } from 'node:fs'
import type { RecordingEvent } from '../../archive/writer.ts'
import type { Tap } from '../../capture/tap/tap.ts'
import type { MeshError } from '../../core/errors.ts'
import { meshError } from '../../core/plain-error.ts'
import { formatBytes, formatCount } from '../../core/units.ts'
import type { Metric } from '../../net/metrics-server.ts'
import type { ExitCode } from '../exit-codes.ts'
import { EXIT } from '../exit-codes.ts'
import type { InlineTapRun, ReaderSignal, TapReader } from './inline-tap.ts'
import { runInlineTap, sayRelayed } from './inline-tap.ts'
import { ledgerSummary, ledgerTable } from '../ledger-text.ts'
import type { RecordMessage } from './record-worker.ts'
import { sayRecordingEvent } from './recording-events.ts'
import type { RecordSettings } from './record-settings.ts'
import type { Terminal } from '../terminal.ts'

export interface TapRun extends InlineTapRun {
  readonly settings: RecordSettings
}

/** How long the recorder may take to write what is left: a full ring is some seconds of its work. */
const MAX_FINISH_NS = 30e9

/** Runs a tap and its recorder until INT, TERM, `--duration` or `--limit`. */
export async function runTap(run: TapRun, terminal: Terminal): Promise<ExitCode> {
  const recorder = new TapRecorder(run.settings, terminal)
  const tap = await runInlineTap(run, recorder, terminal)
  sayRelayed(tap, recorder.failed, terminal, formatBytes)
  return recorder.conclude()
}

/** The recording thread, as the tap's thread knows it. */
class TapRecorder implements TapReader {
  readonly worker: URL = new URL('record-worker.js', import.meta.url)
  readonly maxFinishNs: number = MAX_FINISH_NS
  failed = false
  readonly #settings: RecordSettings
  readonly #terminal: Terminal
  #exchanges = 0
  #lostExchanges = 0
  #done: Extract<RecordMessage, { kind: 'done' }> | undefined

  constructor(settings: RecordSettings, terminal: Terminal) {
    this.#settings = settings
    this.#terminal = terminal
  }

  get done(): boolean {
    return this.#done !== undefined
  }

  get greeting(): readonly string[] {
    const { output } = this.#settings
    return [`recording to ${output === '-' ? 'stdout' : output}; INT or TERM ends it in order`]
  }

  config(originUnixNs: bigint): RecordSettings {
    return { ...this.#settings, originUnixNs }
  }

  hear(value: unknown): ReaderSignal {
    if (!isRecordMessage(value)) return undefined
    if (value.kind === 'ready') return 'ready'
    if (value.kind === 'refused') return meshError(value.error)
    if (value.kind === 'limit') return 'enough'
    if (value.kind === 'done') this.#done = value
    else if (value.kind === 'progress') this.#exchanges = value.exchanges
    else this.#note(value.event)
    return undefined
  }

  /** Nothing was recorded, and what was made would stand in the way of the next try. */
  abandon(): void {
    const { output } = this.#settings
    if (output !== '-') rmSync(output, { force: true })
  }

  died(error: MeshError): void {
    this.failed = true
    this.#terminal.warn(`mesh: ${error.message} [${error.code}]`)
  }

  /** A recording ends with its last whole chunk anyway. */
  hurry(): boolean {
    return false
  }

  cutShort(): void {
    this.failed = true
    this.#terminal.warn(
      'mesh: the recorder was ended before it had written everything; the recording ends with its last whole chunk',
    )
  }

  metrics(): readonly Metric[] {
    return [
      { name: 'mesh_recorded_exchanges_total', help: 'Exchanges written.', type: 'counter', value: this.#exchanges },
      {
        name: 'mesh_lost_exchanges_total',
        help: 'Exchanges lost on the way to the disk.',
        type: 'counter',
        value: this.#lostExchanges,
      },
    ]
  }

  progress(tap: Tap): string {
    const { relay, losses, backlogBytes } = tap.counters()
    const parts = [
      `${formatCount(relay.open)} open`,
      `${formatCount(relay.accepted)} connections`,
      `${formatCount(this.#exchanges)} exchanges recorded`,
      `${formatBytes(relay.requestBytes)} in, ${formatBytes(relay.responseBytes)} out`,
    ]
    if (relay.refused > 0) parts.push(`${formatCount(relay.refused)} REFUSED`)
    if (backlogBytes > 1024 * 1024) parts.push(`${formatBytes(backlogBytes)} waiting`)
    const lost = losses.ringFullBytes + losses.unheardBytes
    if (lost > 0) parts.push(`${formatBytes(lost)} NOT RECORDED`)
    return parts.join(', ')
  }

  conclude(): ExitCode {
    if (this.#done === undefined) return EXIT.couldNotRun
    const { ledger } = this.#done
    this.#terminal.say(`recorded ${this.#settings.output}: ${ledgerSummary(ledger)}`)
    if (ledger.requests.seen === 0) this.#terminal.warn('mesh: no request was seen')
    if (!this.failed) return EXIT.ok
    this.#terminal.warn(ledgerTable(ledger))
    return EXIT.couldNotRun
  }

  #note(event: RecordingEvent): void {
    if (event.kind === 'failed') this.failed = true
    if (event.kind === 'lost') this.#lostExchanges += event.exchanges
    sayRecordingEvent(event, this.#terminal)
  }
}

function isRecordMessage(value: unknown): value is RecordMessage {
  return typeof value === 'object' && value !== null && 'kind' in value
}
