import type { RecorderThread } from '../../capture/tap/recorder-thread.ts'
import { startRecorderThread } from '../../capture/tap/recorder-thread.ts'
import type { Tap, TapOptions } from '../../capture/tap/tap.ts'
import { startTap } from '../../capture/tap/tap.ts'
import { monotonicNs, unixNs } from '../../core/clock.ts'
import { MeshError } from '../../core/errors.ts'
import type { Endpoint } from '../../core/segment.ts'
import { formatEndpoint } from '../../core/segment.ts'
import { formatCount, formatDurationNs } from '../../core/units.ts'
import type { Metric, MetricsServer } from '../../net/metrics-server.ts'
import { startMetricsServer } from '../../net/metrics-server.ts'
import { tapMetrics } from '../../capture/tap/metrics.ts'
import { allocateRing } from '../../net/ring.ts'
import { durationCell } from '../../report/cells.ts'
import { showProgress } from '../progress.ts'
import { listenForStop } from '../signals.ts'
import type { Terminal } from '../terminal.ts'
import { after } from '../timer.ts'

/** What runs an inline tap, whoever reads it. */
export interface InlineTapRun {
  readonly options: TapOptions
  readonly ringBytes: number
  readonly metrics: Endpoint | undefined
  readonly durationNs: number | undefined
}

/** What a message of the reading thread means to the tap: it reads, it will not (and why), it has read enough. */
export type ReaderSignal = 'ready' | MeshError | 'enough' | undefined

/** Who reads a tap's ring in a thread of its own: a recorder, a mirror. Called on the tap's thread. */
export interface TapReader {
  /** The thread's module. */
  readonly worker: URL
  /** What the thread is started with. `originUnixNs`: time 0 of the segments. */
  config(originUnixNs: bigint): unknown
  hear(message: unknown): ReaderSignal
  /** It has said its last word: what comes after is an orderly end. */
  readonly done: boolean
  readonly failed: boolean
  /** The tap could not listen: whatever the reader had made goes. */
  abandon(): void
  /** Lines that follow the one that says where the tap listens. */
  readonly greeting: readonly string[]
  /** The thread died. */
  died(error: MeshError): void
  /** The second signal came, or its time is over: what may still be had within `LAST_WORD_NS` is taken. */
  hurry(thread: RecorderThread): boolean
  /** It was ended before it had come to an end. */
  cutShort(): void
  /** How long it may take to finish, once the ring has ended. */
  readonly maxFinishNs: number
  metrics(): readonly Metric[]
  progress(tap: Tap): string
}

const WATCH_MS = 1000

/** Fewer than these are worth a word at the start. */
const LEAST_USUAL_CONNECTIONS = 400

/** A reader that is told to hurry has this long for its account. */
const LAST_WORD_NS = 2e9

/**
 * Runs a tap until INT, TERM, `--duration` or enough was read; resolves when the reader has finished. It is ready before the first
 * connection is taken; whatever becomes of it later, traffic flows on.
 */
export async function runInlineTap(run: InlineTapRun, reader: TapReader, terminal: Terminal): Promise<Tap> {
  refuseLoop(run.options)
  const graceMs = run.options.graceMs ?? 0
  const stop = listenForStop((name) => {
    const grace = formatDurationNs(graceMs * 1e6)
    terminal.say(`${name}: no new connections; open ones have ${grace} to end, once more ends them now`)
  })
  const ring = allocateRing(run.ringBytes)
  const origin = { monotonicNs: monotonicNs(), unixNs: unixNs() }
  const thread = await startReader(reader, origin.unixNs, ring, () => stop.stop())
  const tap = await startTap({ ...run.options, origin }, ring, stop.drain).catch(async (error: unknown) => {
    await thread.terminate()
    reader.abandon()
    throw error
  })
  const metrics = await startMetrics(run.metrics, tap, reader)
  greet(tap, run.options, reader, terminal)
  const death = thread.ended.then((error) => {
    // Also after an orderly end (`--limit`): nobody reads the ring any more, and the relay must not fill it.
    tap.detach()
    if (error !== undefined && !reader.done) reader.died(error)
  })
  const stopTimer = run.durationNs === undefined ? undefined : after(run.durationNs, () => stop.stop())
  const onNow = (): void => tap.cutOff()
  stop.now.addEventListener('abort', onNow)
  const stopProgress = showProgress(terminal, () => reader.progress(tap))
  const watch = watchUpstream(tap, run.options.upstream, terminal)
  await tap.closed
  await finished(thread, death, stop.now, reader)
  stopProgress()
  clearInterval(watch)
  stopTimer?.()
  await metrics?.close()
  stop.release()
  return tap
}

/** What a tap relayed, and what clients met: the last lines of a run, before the reader's own. */
export function sayRelayed(
  tap: Tap,
  readerFailed: boolean,
  terminal: Terminal,
  bytes: (count: number) => string,
): void {
  const { relay, losses, costP50Ns, costP99Ns } = tap.counters()
  const failures = [...relay.upstreamFailures].map(([code, count]) => `${formatCount(count)} ${code}`)
  terminal.say(
    `relayed ${formatCount(relay.accepted)} connections, ${bytes(relay.requestBytes + relay.responseBytes)}; ` +
      `the relay held a chunk for p50 ${durationCell(costP50Ns)}, p99 ${durationCell(costP99Ns)}`,
  )
  if (relay.refused > 0) {
    terminal.warn(
      `mesh: ${formatCount(relay.refused)} connections were reset: more than ${formatCount(tap.maxConnections)} at a time; see --max-connections and ulimit -n`,
    )
  }
  if (failures.length > 0) terminal.warn(`mesh: connections that never reached the upstream: ${failures.join(', ')}`)
  if (losses.unheardBytes > 0 && readerFailed)
    terminal.warn(`mesh: ${bytes(losses.unheardBytes)} passed on with no recorder to hear them`)
}

function greet(tap: Tap, options: TapOptions, reader: TapReader, terminal: Terminal): void {
  terminal.say(`listening on ${formatEndpoint(tap.address)}, relaying to ${formatEndpoint(options.upstream)}`)
  if (tap.maxConnections < (options.maxConnections ?? LEAST_USUAL_CONNECTIONS)) {
    terminal.warn(`mesh: ulimit -n allows ${formatCount(tap.maxConnections)} connections at a time; raise it`)
  }
  for (const line of reader.greeting) terminal.say(line)
}

/** The reader takes what it still has; one that does not come to an end, or is not wanted to, is ended. */
async function finished(
  thread: RecorderThread,
  death: Promise<void>,
  now: AbortSignal,
  reader: TapReader,
): Promise<void> {
  const giveUp = new Promise<'late'>((resolve) => {
    const stopWaiting = after(reader.maxFinishNs, () => resolve('late'))
    const onNow = (): void => resolve('late')
    now.addEventListener('abort', onNow, { once: true })
    if (now.aborted) onNow()
    void death.then(() => {
      stopWaiting()
      now.removeEventListener('abort', onNow)
    })
  })
  if ((await Promise.race([death, giveUp])) !== 'late') return
  if (reader.hurry(thread)) {
    const lastWord = new Promise<'late'>((resolve) => {
      const stopWaiting = after(LAST_WORD_NS, () => resolve('late'))
      void death.then(stopWaiting)
    })
    if ((await Promise.race([death, lastWord])) !== 'late') return
  }
  reader.cutShort()
  await thread.terminate()
}

async function startReader(
  reader: TapReader,
  originUnixNs: bigint,
  ring: SharedArrayBuffer,
  onEnough: () => void,
): Promise<RecorderThread> {
  let start: (refusal: MeshError | undefined) => void = () => undefined
  const started = new Promise<MeshError | undefined>((resolve) => {
    start = resolve
  })
  const thread = startRecorderThread(reader.worker, { ring, config: reader.config(originUnixNs) }, (value) => {
    const signal = reader.hear(value)
    if (signal === 'ready') start(undefined)
    else if (signal instanceof MeshError) start(signal)
    else if (signal === 'enough') onEnough()
  })
  const error = await Promise.race([started, thread.ended])
  if (error !== undefined) throw error
  return thread
}

async function startMetrics(
  address: Endpoint | undefined,
  tap: Tap,
  reader: TapReader,
): Promise<MetricsServer | undefined> {
  if (address === undefined) return undefined
  return startMetricsServer(address, {
    ready: () => tap.accepting && !reader.failed,
    metrics: () => [...tapMetrics(tap.counters()), ...reader.metrics()],
  })
}

/** Says once, when it happens first, that clients do not get through. */
function watchUpstream(tap: Tap, upstream: Endpoint, terminal: Terminal): NodeJS.Timeout {
  let warned = false
  return setInterval(() => {
    const [failure] = tap.counters().relay.upstreamFailures
    if (failure === undefined || warned) return
    warned = true
    terminal.warn(
      `mesh: ${formatEndpoint(upstream)} does not answer (${failure[0]}); clients are cut off until it does`,
    )
  }, WATCH_MS)
}

const ANY_ADDRESS = new Set(['0.0.0.0', '::', ''])
const THIS_MACHINE = new Set(['127.0.0.1', '::1', 'localhost', ...ANY_ADDRESS])

/** A tap whose upstream is itself would connect to itself without end. */
function refuseLoop({ listen, upstream }: TapOptions): void {
  if (!isSamePlace(listen, upstream)) return
  throw new MeshError('MESH_ERR_USAGE', {
    what: `expected an upstream other than the tap itself, found ${formatEndpoint(upstream)}`,
    where: '--upstream',
    remedy: 'name the port of the service',
  })
}

/** Would a connection to `other` come out at who listens on `listen`? As far as addresses tell. */
export function isSamePlace(listen: Endpoint, other: Endpoint): boolean {
  const same = listen.address === other.address
  const local = ANY_ADDRESS.has(listen.address) && THIS_MACHINE.has(other.address)
  return listen.port !== 0 && listen.port === other.port && (same || local)
}
