import { MeshError } from '../../core/errors.ts'
import { formatBytes, formatCount, formatDurationNs, formatRate } from '../../core/units.ts'
import { schedule } from '../../replay/schedule.ts'
import type { SecondOpinion } from '../../replay/senders/autocannon.ts'
import { secondOpinion } from '../../replay/senders/autocannon.ts'
import type { Plan } from '../../replay/plan.ts'
import type { ExitCode } from '../exit-codes.ts'
import { EXIT } from '../exit-codes.ts'
import type { FlagValues } from '../flags.ts'
import type { PlannedReplay } from './planned-replay.ts'
import type { ReplayFlags } from './replay-flags.ts'
import type { StopSignals } from '../signals.ts'
import type { Terminal } from '../terminal.ts'

/** Requests that are sent in turns, and what they may weigh in memory. */
const MAX_REQUESTS = 10_000
const MAX_REQUEST_BYTES = 64 * 1024 * 1024

const DEFAULT_DURATION_NS = 10e9

/**
 * Warns of flags that do not change how another program sends: they may come from a settings file.
 *
 * @throws MeshError MESH_ERR_USAGE for a flag that asks for what a closed loop by another program has not: a run that can be kept, judged and
 * compared.
 */
export function checkClosed(flags: FlagValues<ReplayFlags>, terminal: Terminal): void {
  if (flags.closed === undefined) return
  const others: readonly (readonly [flag: string, given: boolean])[] = [
    ['-o', flags.output !== undefined],
    ['--gate', flags.gate.length > 0],
    ['--check', flags.check !== undefined],
    ['--against', flags.against !== undefined],
    ['--baseline', flags.baseline !== undefined],
    ['--find-capacity', flags.findCapacity],
    ['--push-otlp', flags.pushOtlp !== undefined],
    ['--scrape', flags.scrape.length > 0],
    ['--watch-pid', flags.watchPid !== undefined],
  ]
  const other = others.find(([, given]) => given)?.[0]
  if (other === undefined) return sayIdle(flags, terminal)
  throw new MeshError('MESH_ERR_USAGE', {
    what: `--closed and ${other} exclude each other: autocannon measures a ceiling, and its run is not kept, judged or compared`,
    remedy: `leave ${other} out, or measure the ceiling with --speed max`,
  })
}

/** The plan as a closed loop carries it out: at no rate of its own, which has to be confirmed as `--speed max` has. */
export function closedPlan(plan: Plan, { closed }: Pick<FlagValues<ReplayFlags>, 'closed'>): Plan {
  if (closed === undefined) return plan
  const confirmations = ['--closed sends as fast as the target replies']
  return { ...plan, meanPerSecond: undefined, peakPerSecond: undefined, confirmations }
}

function sayIdle(flags: FlagValues<ReplayFlags>, terminal: Terminal): void {
  const idle: readonly (readonly [flag: string, given: boolean])[] = [
    ['--rate', flags.rate !== undefined],
    ['--speed', flags.speed !== undefined],
    ['--warmup', flags.warmup > 0],
    ['--loop', flags.loop],
    ['--order', flags.order !== 'connection'],
    ['--connections', flags.connections !== undefined],
    ['--max-in-flight', flags.maxInFlight !== undefined],
    ['--max-error-rate', flags.maxErrorRate !== undefined],
    ['--workers', flags.workers > 1],
    ['--pacing', flags.pacing !== undefined],
  ]
  const given = idle.filter(([, isGiven]) => isGiven).map(([flag]) => flag)
  if (given.length === 0) return
  terminal.warn(`mesh: ${given.join(', ')}: --closed sends as fast as replies come all the same`)
}

/** `--closed N`: what another program makes of the same requests in a closed loop. No verdict: nothing was due. */
export async function runClosedLoop(
  replay: PlannedReplay,
  connections: number,
  stop: StopSignals,
  terminal: Terminal,
): Promise<ExitCode> {
  const requests = await firstRequests(replay)
  const durationNs = replay.flags.duration ?? DEFAULT_DURATION_NS
  terminal.say(`autocannon sends ${formatCount(requests.length)} requests in turns for ${formatDurationNs(durationNs)}`)
  const { target, flags } = replay
  const found = await secondOpinion({ target, requests, connections, durationNs, timeoutNs: flags.timeout }, stop.drain)
  if (flags.json) terminal.out(`${JSON.stringify({ ...found, statuses: Object.fromEntries(found.statuses) })}\n`)
  else terminal.out(closedText(found))
  if (stop.name() === undefined) return EXIT.ok
  return stop.name() === 'SIGTERM' ? EXIT.terminated : EXIT.interrupted
}

async function firstRequests({ survey, plan, options }: PlannedReplay): Promise<readonly Uint8Array[]> {
  const requests: Uint8Array[] = []
  let byteCount = 0
  const stop = new AbortController()
  for await (const batch of schedule(survey, plan, options, stop.signal)) {
    for (let index = 0; index < batch.count; index++) {
      const request = batch.bytes.slice(batch.offset[index], batch.offset[index + 1])
      byteCount += request.length
      if (requests.length >= MAX_REQUESTS || byteCount > MAX_REQUEST_BYTES) return requests
      requests.push(request)
    }
  }
  return requests
}

function closedText(found: SecondOpinion): string {
  const { serviceNs } = found
  const time = formatDurationNs
  const statuses = [...found.statuses].map(([status, count]) => `${status}: ${formatCount(count)}`).join(', ')
  const lines = [
    `closed loop by autocannon: ${found.connections} connections for ${time(found.durationNs)}`,
    `  ceiling   ${formatRate(found.repliesPerSecond)} (${formatCount(found.replies)} replies, ${formatBytes(found.bytesReceived)})`,
    `  service   p50 ${time(serviceNs.p50)}  p90 ${time(serviceNs.p90)}  p99 ${time(serviceNs.p99)}  max ${time(serviceNs.max)}`,
    `  status    ${statuses === '' ? 'none' : statuses}`,
    `  failed    ${formatCount(found.errors)} errors, ${formatCount(found.timeouts)} timeouts; ${formatCount(found.leftOut)} requests it cannot send`,
    '  A closed loop waits for each reply: this is what the target can do at most, not what users would feel at a rate.',
  ]
  return `${lines.join('\n')}\n`
}
