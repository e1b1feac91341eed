import { rmSync } from 'node:fs'
import type { RecordingEvent } from '../archive/writer.ts'
import { tapMetrics } from '../capture/tap/metrics.ts'
import type { RecorderThread } from '../capture/tap/recorder-thread.ts'
import { startRecorderThread } from '../capture/tap/recorder-thread.ts'
import type { Tap, TapOptions } from '../capture/tap/tap.ts'
import { startTap } from '../capture/tap/tap.ts'
import { monotonicNs, unixNs } from '../core/clock.ts'
import { MeshError } from '../core/errors.ts'
import type { Endpoint } from '../core/segment.ts'
import { formatEndpoint } from '../core/segment.ts'
import { meshError } from '../core/plain-error.ts'
import { formatBytes, formatCount, formatDurationNs } from '../core/units.ts'
import type { MetricsServer } from '../net/metrics-server.ts'
import { startMetricsServer } from '../net/metrics-server.ts'
import { allocateRing } from '../net/ring.ts'
import { durationCell } from '../report/cells.ts'
import type { ExitCode } from './exit-codes.ts'
import { EXIT } from './exit-codes.ts'
import { ledgerSummary, ledgerTable } from './ledger-text.ts'
import { showProgress } from './progress.ts'
import type { RecordMessage } from './record-worker.ts'
import { sayRecordingEvent } from './recording-events.ts'
import type { RecordSettings } from './record-settings.ts'
import { listenForStop } from './signals.ts'
import type { Terminal } from './terminal.ts'
import { after } from './timer.ts'

export interface TapRun {
  readonly options: TapOptions
  readonly settings: RecordSettings
  readonly ringBytes: number
  readonly metrics: Endpoint | undefined
  readonly durationNs: number | undefined
}

/** What the recording thread said last. */
interface RecorderState {
  exchanges: number
  done: Extract<RecordMessage, { kind: 'done' }> | undefined
  failed: boolean
  lostExchanges: number
  warnedOfUpstream: boolean
}

const WATCH_MS = 1000

/** How long the recorder may take to write what is left: a full ring is some seconds of its work. */
const MAX_FINISH_NS = 30e9

/** Fewer than these are worth a word at the start. */
const LEAST_USUAL_CONNECTIONS = 400

const WORKER = new URL('record-worker.js', import.meta.url)

/**
 * Runs a tap until INT, TERM, `--duration` or `--limit`. The recorder is ready before the first connection is taken; whatever
 * becomes of it later, traffic flows on.
 */
export async function runTap(run: TapRun, terminal: Terminal): Promise<ExitCode> {
  refuseLoop(run.options)
  const graceMs = run.options.graceMs ?? 0
  const stop = listenForStop((name) => {
    const grace = formatDurationNs(graceMs * 1e6)
    terminal.say(`${name}: no new connections; open ones have ${grace} to end, once more ends them now`)
  })
  const ring = allocateRing(run.ringBytes)
  const origin = { monotonicNs: monotonicNs(), unixNs: unixNs() }
  const state: RecorderState = {
    exchanges: 0,
    done: undefined,
    failed: false,
    lostExchanges: 0,
    warnedOfUpstream: false,
  }
  const settings = { ...run.settings, originUnixNs: origin.unixNs }
  const thread = await startRecorder(settings, ring, state, terminal, () => stop.stop())
  const tap = await startTap({ ...run.options, origin }, ring, stop.drain).catch(async (error: unknown) => {
    await thread.terminate()
    // Nothing was recorded, and what was made would stand in the way of the next try.
    if (settings.output !== '-') rmSync(settings.output, { force: true })
    throw error
  })
  const metrics = await startMetrics(run.metrics, tap, state)
  terminal.say(`listening on ${formatEndpoint(tap.address)}, relaying to ${formatEndpoint(run.options.upstream)}`)
  if (tap.maxConnections < (run.options.maxConnections ?? LEAST_USUAL_CONNECTIONS)) {
    terminal.warn(`mesh: ulimit -n allows ${formatCount(tap.maxConnections)} connections at a time; raise it`)
  }
  terminal.say(`recording to ${settings.output === '-' ? 'stdout' : settings.output}; INT or TERM ends it in order`)
  const death = thread.ended.then((error) => {
    // Also after an orderly end (`--limit`): nobody reads the ring any more, and the relay must not fill it.
    tap.detach()
    if (error === undefined || state.done !== undefined) return
    state.failed = true
    terminal.warn(`mesh: ${error.message} [${error.code}]`)
  })
  const stopTimer = run.durationNs === undefined ? undefined : after(run.durationNs, () => stop.stop())
  const onNow = (): void => tap.cutOff()
  stop.now.addEventListener('abort', onNow)
  const stopProgress = showProgress(terminal, () => progressLine(tap, state))
  const watch = setInterval(() => warnOfUpstream(tap, state, run.options.upstream, terminal), WATCH_MS)
  await tap.closed
  await finished(thread, death, stop.now, state, terminal)
  stopProgress()
  clearInterval(watch)
  stopTimer?.()
  await metrics?.close()
  stop.release()
  return conclude(tap, state, settings, terminal)
}

/** The recorder writes what it has; one that does not come to an end, or is not wanted to, is ended. */
async function finished(
  thread: RecorderThread,
  death: Promise<void>,
  now: AbortSignal,
  state: RecorderState,
  terminal: Terminal,
): Promise<void> {
  const giveUp = new Promise<'late'>((resolve) => {
    const stopWaiting = after(MAX_FINISH_NS, () => resolve('late'))
    const onNow = (): void => resolve('late')
    now.addEventListener('abort', onNow, { once: true })
    if (now.aborted) onNow()
    void death.then(() => {
      stopWaiting()
      now.removeEventListener('abort', onNow)
    })
  })
  if ((await Promise.race([death, giveUp])) !== 'late') return
  state.failed = true
  await thread.terminate()
  terminal.warn(
    'mesh: the recorder was ended before it had written everything; the recording ends with its last whole chunk',
  )
}

async function startRecorder(
  settings: RecordSettings,
  ring: SharedArrayBuffer,
  state: RecorderState,
  terminal: Terminal,
  onLimit: () => void,
): Promise<RecorderThread> {
  let start: (refusal: MeshError | undefined) => void = () => undefined
  const started = new Promise<MeshError | undefined>((resolve) => {
    start = resolve
  })
  const thread = startRecorderThread(WORKER, { ring, config: settings }, (value) => {
    if (!isRecordMessage(value)) return
    if (value.kind === 'ready') start(undefined)
    else if (value.kind === 'refused') start(meshError(value.error))
    else if (value.kind === 'limit') onLimit()
    else if (value.kind === 'done') state.done = value
    else if (value.kind === 'progress') state.exchanges = value.exchanges
    else noteEvent(value.event, state, terminal)
  })
  const error = await Promise.race([started, thread.ended])
  if (error !== undefined) throw error
  return thread
}

function noteEvent(event: RecordingEvent, state: RecorderState, terminal: Terminal): void {
  if (event.kind === 'failed') state.failed = true
  if (event.kind === 'lost') state.lostExchanges += event.exchanges
  sayRecordingEvent(event, terminal)
}

function isRecordMessage(value: unknown): value is RecordMessage {
  return typeof value === 'object' && value !== null && 'kind' in value
}

async function startMetrics(
  address: Endpoint | undefined,
  tap: Tap,
  state: RecorderState,
): Promise<MetricsServer | undefined> {
  if (address === undefined) return undefined
  return startMetricsServer(address, {
    ready: () => tap.accepting && !state.failed,
    metrics: () => [
      ...tapMetrics(tap.counters()),
      { name: 'mesh_recorded_exchanges_total', help: 'Exchanges written.', type: 'counter', value: state.exchanges },
      {
        name: 'mesh_lost_exchanges_total',
        help: 'Exchanges lost on the way to the disk.',
        type: 'counter',
        value: state.lostExchanges,
      },
    ],
  })
}

/** Says once, when it happens first, that clients do not get through. */
function warnOfUpstream(tap: Tap, state: RecorderState, upstream: Endpoint, terminal: Terminal): void {
  const [failure] = tap.counters().relay.upstreamFailures
  if (failure === undefined || state.warnedOfUpstream) return
  state.warnedOfUpstream = true
  terminal.warn(`mesh: ${formatEndpoint(upstream)} does not answer (${failure[0]}); clients are cut off until it does`)
}

const ANY_ADDRESS = new Set(['0.0.0.0', '::', ''])
const THIS_MACHINE = new Set(['127.0.0.1', '::1', 'localhost', ...ANY_ADDRESS])

/** A tap whose upstream is itself would connect to itself without end. */
function refuseLoop({ listen, upstream }: TapOptions): void {
  const same = listen.address === upstream.address
  const local = ANY_ADDRESS.has(listen.address) && THIS_MACHINE.has(upstream.address)
  if (listen.port === 0 || listen.port !== upstream.port || !(same || local)) return
  throw new MeshError('MESH_ERR_USAGE', {
    what: `expected an upstream other than the tap itself, found ${formatEndpoint(upstream)}`,
    where: '--upstream',
    remedy: 'name the port of the service',
  })
}

function progressLine(tap: Tap, state: RecorderState): string {
  const { relay, losses, backlogBytes } = tap.counters()
  const parts = [
    `${formatCount(relay.open)} open`,
    `${formatCount(relay.accepted)} connections`,
    `${formatCount(state.exchanges)} exchanges recorded`,
    `${formatBytes(relay.requestBytes)} in, ${formatBytes(relay.responseBytes)} out`,
  ]
  if (relay.refused > 0) parts.push(`${formatCount(relay.refused)} REFUSED`)
  if (backlogBytes > 1024 * 1024) parts.push(`${formatBytes(backlogBytes)} waiting`)
  const lost = losses.ringFullBytes + losses.unheardBytes
  if (lost > 0) parts.push(`${formatBytes(lost)} NOT RECORDED`)
  return parts.join(', ')
}

function conclude(tap: Tap, state: RecorderState, settings: RecordSettings, terminal: Terminal): ExitCode {
  const { relay, losses, costP50Ns, costP99Ns } = tap.counters()
  const failures = [...relay.upstreamFailures].map(([code, count]) => `${formatCount(count)} ${code}`)
  terminal.say(
    `relayed ${formatCount(relay.accepted)} connections, ${formatBytes(relay.requestBytes + relay.responseBytes)}; ` +
      `the relay held a chunk for p50 ${durationCell(costP50Ns)}, p99 ${durationCell(costP99Ns)}`,
  )
  if (relay.refused > 0) {
    terminal.warn(
      `mesh: ${formatCount(relay.refused)} connections were reset: more than ${formatCount(tap.maxConnections)} at a time; see --max-connections and ulimit -n`,
    )
  }
  if (failures.length > 0) terminal.warn(`mesh: connections that never reached the upstream: ${failures.join(', ')}`)
  if (losses.unheardBytes > 0 && state.failed)
    terminal.warn(`mesh: ${formatBytes(losses.unheardBytes)} passed on with no recorder to hear them`)
  const { done } = state
  if (done === undefined) return EXIT.couldNotRun
  terminal.say(`recorded ${settings.output}: ${ledgerSummary(done.ledger)}`)
  if (done.ledger.requests.seen === 0) terminal.warn('mesh: no request was seen')
  if (!state.failed) return EXIT.ok
  terminal.warn(ledgerTable(done.ledger))
  return EXIT.couldNotRun
}
