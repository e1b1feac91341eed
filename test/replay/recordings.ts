import { latin1 } from '../../src/core/bytes.ts'
import type { Exchange } from '../../src/core/exchange.ts'
import type { RecordingInfo } from '../../src/core/recording.ts'
import { RouteTable } from '../../src/measure/routes.ts'
import type { ReplayInput, ScheduleOptions } from '../../src/replay/options.ts'
import type { Plan } from '../../src/replay/plan.ts'
import { planReplay } from '../../src/replay/plan.ts'
import { scheduleShards } from '../../src/replay/schedule.ts'
import type { ShotBatch } from '../../src/replay/shot-batch.ts'
import { LAST_ON_CONNECTION } from '../../src/replay/shot-batch.ts'
import type { Survey } from '../../src/replay/survey.ts'
import { surveyRecordings } from '../../src/replay/survey.ts'
import { exchange, message, response } from '../support/exchanges.ts'

export const SECOND = 1e9

/** 2026-01-05 10:00:00 UTC. */
export const TEN_OCLOCK = 1_767_607_200_000_000_000n

/** A recording of host `a` that begins at ten. */
export function recordingInfo(changes: Partial<RecordingInfo> = {}): RecordingInfo {
  const host = changes.host ?? 'a'
  return {
    recordingId: `recording of ${host}`,
    part: 0,
    host,
    service: 'shop',
    source: `tap of ${host}`,
    originUnixNs: TEN_OCLOCK,
    match: '',
    sessionBy: '',
    sample: 1,
    secrets: 'masked',
    maskKeyId: '',
    maxBodyBytes: 1024 * 1024,
    version: '0.0.0',
    ...changes,
  }
}

/** A recording in memory, which knows ranges as those in files do. */
export function recording(info: RecordingInfo, exchanges: readonly Exchange[]): ReplayInput {
  return {
    info,
    async *exchanges(range) {
      for (const one of exchanges) {
        const atUnixNs = info.originUnixNs + BigInt(one.requestFirstNs)
        if (range !== undefined && (atUnixNs < range.fromUnixNs || atUnixNs >= range.toUnixNs)) continue
        yield one
      }
    },
  }
}

/** What tells a recorded request from others in these tests. */
export interface Asked {
  readonly atNs: number
  readonly connection?: number
  readonly session?: string
  readonly method?: string
  readonly path?: string
  readonly lines?: readonly string[]
  readonly body?: string
  readonly tookNs?: number
}

/** A whole exchange, by default a GET of `/` on connection 0 without a session, answered 200 after 1 ms. */
export function asked({ atNs, connection = 0, session = '', method = 'GET', path = '/', ...rest }: Asked): Exchange {
  const doneNs = atNs + (rest.tookNs ?? 1e6)
  const body = rest.body ?? ''
  return exchange({
    connection,
    session,
    request: message([`${method} ${path} HTTP/1.1`, 'Host: shop.example', ...(rest.lines ?? [])], body),
    requestFirstNs: atNs,
    requestLastNs: atNs,
    response: response(['HTTP/1.1 200 OK', 'Content-Length: 0'], '', { firstNs: doneNs, lastNs: doneNs }),
  })
}

/** As recorded, once, reads only, one shard. */
export function scheduleOptions(changes: Partial<ScheduleOptions> = {}): ScheduleOptions {
  return {
    align: 'auto',
    amplify: 1,
    jitterNs: undefined,
    seed: 1,
    stages: undefined,
    pace: { kind: 'speed', speed: 1 },
    ending: 'ragged',
    between: undefined,
    durationNs: undefined,
    shards: 1,
    permissions: { allowWrites: false, keepReplayed: false },
    rewrite: {
      authority: 'canary:8080',
      pathPrefix: '',
      keepHost: false,
      headers: [],
      runId: 'run-1',
      close: 'keep',
    },
    routes: new RouteTable(),
    correlate: undefined,
    ...changes,
  }
}

/** A shot, out of its batch. */
export interface ReadShot {
  readonly shard: number
  readonly dueNs: number
  readonly connection: number
  readonly session: number
  readonly clone: number
  readonly last: boolean
  readonly route: number
  readonly text: string
  readonly path: string
}

export function shotsOf(batch: ShotBatch, shard = 0): readonly ReadShot[] {
  return Array.from({ length: batch.count }, (_, index) => {
    const text = latin1(batch.bytes, batch.offset[index], batch.offset[index + 1])
    return {
      shard,
      dueNs: batch.dueNs[index] ?? Number.NaN,
      connection: batch.connection[index] ?? -1,
      session: batch.session[index] ?? -1,
      clone: batch.clone[index] ?? -1,
      last: ((batch.flags[index] ?? 0) & LAST_ON_CONNECTION) !== 0,
      route: batch.route[index] ?? -1,
      text,
      path: text.split(' ', 2)[1] ?? '',
    }
  })
}

export interface Run {
  readonly survey: Survey
  readonly plan: Plan
  readonly shots: readonly ReadShot[]
  readonly batches: readonly ShotBatch[]
}

/** Survey, plan and schedule; the shots are those of all shards, at most `limit` of them. */
export async function runOf(
  inputs: readonly ReplayInput[],
  changes: Partial<ScheduleOptions> = {},
  limit = 100_000,
): Promise<Run> {
  const options = scheduleOptions(changes)
  const { signal } = new AbortController()
  const survey = await surveyRecordings(inputs, options, (text) => text.includes('mesh-0123456789abcdef'), signal)
  const plan = planReplay(survey, options)
  const shots: ReadShot[] = []
  const batches: ShotBatch[] = []
  for await (const { shard, batch } of scheduleShards(survey, plan, options, signal)) {
    batches.push(batch)
    shots.push(...shotsOf(batch, shard))
    if (shots.length >= limit) break
  }
  return { survey, plan, shots, batches }
}
