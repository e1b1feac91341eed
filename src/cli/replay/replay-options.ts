import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { MeshError } from '../../core/errors.ts'
import type { HeaderField } from '../../core/head.ts'
import type { RecordingReader } from '../../core/recording.ts'
import { RouteTable } from '../../measure/routes.ts'
import type { AuthorizationSource } from '../../replay/authorization.ts'
import { DEFAULT_BREAKER_LIMITS } from '../../replay/error-breaker.ts'
import { readJwtKey } from '../../replay/jwt-key.ts'
import type { ScheduleOptions } from '../../replay/options.ts'
import type { ReplayOptions } from '../../replay/replay.ts'
import { DEFAULT_REPLAY_LIMITS } from '../../replay/replay.ts'
import type { TargetOptions } from '../../replay/senders/resolve-target.ts'
import type { Target } from '../../replay/senders/target.ts'
import { parseResolveRule } from '../../replay/senders/target.ts'
import { parseBetween } from '../between.ts'
import type { Config } from '../config.ts'
import { correlateOptionsOf } from './correlate-options.ts'
import type { FlagValues } from '../flags.ts'
import type { ReplayFlags } from './replay-flags.ts'
import { headerOf, paceOf } from './replay-flags.ts'
import { MAX_TEXT_BYTES, readBytes, readText } from '../read-text.ts'

type Flags = FlagValues<ReplayFlags>

/** Connections of the closed loop where none were asked for: what peers use. */
const CLOSED_LOOP_CONNECTIONS = 50

/** What is to be sent and when, by the flags. The run's id is made here. */
export function scheduleOptionsOf(
  flags: Flags,
  url: string,
  readers: readonly RecordingReader[],
  config: Config | undefined,
  authorization?: AuthorizationSource,
): ScheduleOptions {
  const [first] = readers
  if (flags.loop && flags.ragged) {
    throw new MeshError('MESH_ERR_USAGE', {
      what: '--loop and --ragged exclude each other',
      remedy: 'give one of them',
    })
  }
  const target = URL.canParse(url) ? new URL(url) : undefined
  const pace = paceOf(flags.speed, flags.rate)
  checkStages(flags)
  return {
    align: flags.align,
    amplify: flags.amplify,
    jitterNs: flags.jitter,
    seed: flags.seed,
    pace,
    stages: flags.stages,
    ending: flags.loop ? 'loop' : flags.ragged ? 'ragged' : 'shortest',
    between: flags.between === undefined ? undefined : parseBetween(flags.between, first?.info.originUnixNs ?? 0n),
    durationNs: flags.duration,
    shards: flags.workers,
    permissions: { allowWrites: flags.allowWrites, keepReplayed: flags.keepReplayed },
    rewrite: {
      authority: target?.host ?? '',
      pathPrefix: (target?.pathname ?? '').replace(/\/$/, ''),
      keepHost: flags.keepHost,
      headers: headersOf(flags, authorization !== undefined),
      runId: randomBytes(6).toString('hex'),
      close: pace.kind === 'max' || flags.closed !== undefined ? 'drop' : 'keep',
    },
    correlate: flags.correlate === 'off' ? undefined : correlateOptionsOf(config),
    routes: new RouteTable({ patterns: config?.routes ?? [] }),
    ...(authorization === undefined ? {} : { authorization }),
    ...renewalOf(flags, config),
  }
}

/** With a place for what the command of the user's will print. */
function headersOf(flags: Flags, hasCommand: boolean): readonly HeaderField[] {
  const headers = flags.header.map(headerOf)
  if (!hasCommand) return headers
  if (headers.some(({ name }) => name.toLowerCase() === 'authorization')) {
    const what = "--auth-command and -H 'Authorization: ...' exclude each other"
    throw new MeshError('MESH_ERR_USAGE', { what, remedy: 'give one of them' })
  }
  return [...headers, { name: 'Authorization', value: 'Bearer' }]
}

function renewalOf({ jwtKey }: Flags, config: Config | undefined): Pick<ScheduleOptions, 'renewal'> {
  const times = config?.correlate.times ?? []
  if (jwtKey === undefined && times.length === 0) return {}
  const key = jwtKey === undefined ? undefined : readJwtKey(readBytes(jwtKey, MAX_TEXT_BYTES), jwtKey)
  return { renewal: { jwtKey: key, times: times.map(lowerHeader) } }
}

/** Names of headers are compared in lower case. */
function lowerHeader(place: string): string {
  return place.startsWith('header ') ? place.toLowerCase() : place
}

/** Stages say how much, and for how long: what says it too must not stand beside them. */
function checkStages(flags: Flags): void {
  const { stages } = flags
  if (stages === undefined) return
  const isRate = stages.kind === 'rate'
  const others: readonly (readonly [flag: string, given: boolean])[] = [
    ['--amplify', !isRate && flags.amplify !== 1],
    ['--rate', flags.rate !== undefined],
    ['--speed', flags.speed !== undefined && (isRate || flags.speed === 'max')],
    ['--duration', flags.duration !== undefined],
    ['--closed', flags.closed !== undefined],
  ]
  const other = others.find(([, given]) => given)?.[0]
  if (other === undefined) return
  const what = `--stages${isRate ? ' of rates' : ''} and ${other}${other === '--speed' && !isRate ? ' max' : ''} exclude each other`
  throw new MeshError('MESH_ERR_USAGE', { what, remedy: 'give one of them' })
}

/** Where it is sent, by the flags. */
export function targetOptionsOf(flags: Flags, url: string): TargetOptions {
  return {
    url,
    resolve: flags.resolve.map((text) => parseResolveRule(text, '--resolve')),
    sourceAddresses: flags.sourceAddress.flatMap((text) => text.split(',')),
    insecure: flags.insecure,
    ...(flags.sni === undefined ? {} : { serverName: flags.sni }),
    ...(flags.cacert === undefined ? {} : { ca: readText(flags.cacert) }),
    ...(flags.cert === undefined ? {} : { cert: readText(flags.cert) }),
    ...(flags.key === undefined ? {} : { key: readText(flags.key) }),
  }
}

/** How it is sent, by the flags. */
export function senderOptionsOf(flags: Flags, target: Target): Omit<ReplayOptions, 'originNs'> {
  const closed = flags.speed === 'max'
  const breaker = {
    ...DEFAULT_BREAKER_LIMITS,
    maxErrorShare: flags.maxErrorRate ?? DEFAULT_BREAKER_LIMITS.maxErrorShare,
  }
  return {
    target,
    order: flags.order,
    loop: closed ? 'closed' : 'open',
    pacing: flags.pacing ?? (availableParallelism() >= 2 ? 'precise' : 'eco'),
    maxConnections: flags.connections ?? (closed ? CLOSED_LOOP_CONNECTIONS : DEFAULT_REPLAY_LIMITS.maxConnections),
    maxInFlight: flags.maxInFlight ?? DEFAULT_REPLAY_LIMITS.maxInFlight,
    maxHeldBytes: DEFAULT_REPLAY_LIMITS.maxHeldBytes,
    timeoutNs: flags.timeout,
    breaker: flags.noBreaker ? undefined : breaker,
    durationNs: flags.duration,
  }
}
