import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { MeshError, systemCode, toMeshError } from '../core/errors.ts'
import { GATE_OUTCOMES, GATE_UNITS, type GateResult, SEVERITIES } from '../measure/gates/gate-result.ts'
import { REASON_CODES, VERDICTS } from '../measure/validity.ts'
import type { MetricSummary } from '../observe/target-watch.ts'
import { JsonFields, numberAt, scalarAt, textAt } from './json-fields.ts'
import { readComparison } from './read-comparison.ts'
import { readCapacity } from './read-capacity.ts'
import { readFigures } from './read-figures.ts'
import type { OperatorChange } from './operator.ts'
import { readCheck } from './read-check.ts'
import { readSlowExchange } from './read-slowest.ts'
import { RUN_FILE } from './run-directory.ts'
import type {
  HistogramDocument,
  RecordedDocument,
  RouteDocument,
  Run,
  RunPlan,
  RunRequest,
  RunStage,
  TallyDocument,
  TotalsDocument,
} from './run.ts'
import { RUN_SCHEMA } from './run.ts'
import type { StageResult } from './stage-result.ts'

/** A larger `run.json` is refused: 65,535 routes at 5 kB are 330 MB, and nobody reads that. */
const MAX_RUN_BYTES = 512 * 1024 * 1024

/**
 * Reads a run back from its directory (or from its `run.json`).
 *
 * @throws MeshError with file and place: MESH_ERR_FILE_NOT_FOUND, MESH_ERR_FILE_KIND for anything that is not a run of this
 * schema, MESH_ERR_FILE_CORRUPT for one that is damaged.
 */
export async function readRunDirectory(path: string): Promise<Run> {
  const file = await runFileOf(path)
  let text: string
  try {
    const { size } = await stat(file)
    if (size > MAX_RUN_BYTES) throw notARun(file, `${size} bytes`)
    text = await readFile(file, 'utf8')
  } catch (thrown) {
    if (systemCode(thrown) === 'ENOENT') throw notARun(path, `no ${RUN_FILE} in it`)
    throw toMeshError(thrown, file)
  }
  return parseRun(text, file)
}

async function runFileOf(path: string): Promise<string> {
  try {
    return (await stat(path)).isDirectory() ? join(path, RUN_FILE) : path
  } catch (thrown) {
    throw toMeshError(thrown, path)
  }
}

/** Reads the text of a `run.json`; `file` is for messages. */
export function parseRun(text: string, file: string): Run {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    const what = text.startsWith('{') ? 'expected JSON, found a file that ends early or is damaged' : undefined
    if (what === undefined) throw notARun(file, 'something else')
    throw new MeshError('MESH_ERR_FILE_CORRUPT', { what, where: file, cause })
  }
  checkSchema(value, file)
  return readRun(new JsonFields(value, `${file}: `))
}

function checkSchema(value: unknown, file: string): void {
  const schema = typeof value === 'object' && value !== null && 'schema' in value ? value.schema : undefined
  if (schema === RUN_SCHEMA) return
  const version = typeof schema === 'string' ? /^mesh\.run\/v(\d+)$/.exec(schema)?.[1] : undefined
  if (version === undefined) throw notARun(file, 'JSON of another kind')
  throw new MeshError('MESH_ERR_FILE_KIND', {
    what: `expected a run of schema ${RUN_SCHEMA}, found mesh.run/v${version}`,
    where: file,
    remedy: Number(version) > 1 ? 'read it with a newer mesh' : 'read it with the mesh that wrote it',
  })
}

function notARun(where: string, found: string): MeshError {
  const what = `expected the directory of a run (with a ${RUN_FILE}), found ${found}`
  return new MeshError('MESH_ERR_FILE_KIND', { what, where, remedy: 'name a directory that mesh replay -o wrote' })
}

function readRun(fields: JsonFields): Run {
  const timeline = fields.object('timeline')
  const verdict = fields.object('verdict')
  return {
    schema: RUN_SCHEMA,
    version: fields.text('version'),
    runId: fields.text('runId'),
    interrupted: fields.flag('interrupted'),
    startedAt: fields.text('startedAt'),
    finishedAt: fields.textOrNull('finishedAt'),
    asked: readRequest(fields.object('asked')),
    plan: readPlan(fields.object('plan')),
    achieved: readPace(fields.object('achieved')),
    verdict: { name: verdict.oneOf('name', VERDICTS), reasons: verdict.list('reasons', readReason) },
    // Runs of before there were gates have no such list.
    gates: fields.optionalList('gates', readGate),
    ...(fields.has('check') ? { check: readCheck(fields.object('check')) } : {}),
    ...(fields.has('stages') ? { stages: fields.list('stages', readStageResult) } : {}),
    ...(fields.has('capacity') ? { capacity: readCapacity(fields.object('capacity')) } : {}),
    ...(fields.has('comparison') ? { comparison: readComparison(fields.object('comparison')) } : {}),
    ...(fields.has('operator') ? { operator: fields.list('operator', readOperatorChange) } : {}),
    ...readTarget(fields),
    ...(fields.has('slowest') ? { slowest: fields.list('slowest', readSlowExchange) } : {}),
    totals: readTotals(fields.object('totals')),
    recorded: readRecorded(fields.object('recorded')),
    routes: fields.list('routes', readRoute),
    timeline: { due: timeline.list('due', numberAt), sent: timeline.list('sent', numberAt) },
    health: readHealth(fields.objectOrNull('health')),
    counters: fields.record('counters', numberAt),
    environment: readEnvironment(fields.object('environment')),
    fingerprint: fields.text('fingerprint'),
  }
}

function readRequest(fields: JsonFields): RunRequest {
  return {
    command: fields.list('command', textAt),
    target: fields.text('target'),
    recordings: fields.list('recordings', (value, where) => {
      const recording = new JsonFields(value, where)
      return {
        ...recording.texts('recordingId', 'host', 'service'),
        ...recording.numbers('requests', 'spanNs'),
      }
    }),
    options: fields.record('options', scalarAt),
    ...(fields.has('sending') ? { sending: fields.record('sending', textAt) } : {}),
  }
}

function readPlan(fields: JsonFields): RunPlan {
  return {
    loop: fields.oneOf('loop', ['open', 'closed']),
    amplify: fields.number('amplify'),
    ...readStages(fields.optionalObject('stages')),
    speed: fields.numberOr('speed', 'max'),
    shots: fields.numberOrNull('shots'),
    durationNs: fields.numberOrNull('durationNs'),
    meanPerSecond: fields.numberOrNull('meanPerSecond'),
    peakPerSecond: fields.numberOrNull('peakPerSecond'),
    recordedSpanNs: fields.number('recordedSpanNs'),
    heldBack: fields.record('heldBack', numberAt),
    notReplayable: fields.record('notReplayable', numberAt),
    maskedShare: fields.number('maskedShare'),
    ...readMasked(fields.optionalObject('masked')),
    warnings: fields.list('warnings', textAt),
  }
}

function readMasked(fields: JsonFields | undefined): Pick<RunPlan, 'masked'> {
  if (fields === undefined) return {}
  return { masked: { logins: fields.number('logins'), strangerShare: fields.number('strangerShare') } }
}

function readStages(fields: JsonFields | undefined): Pick<RunPlan, 'stages'> {
  if (fields === undefined) return {}
  const stages = {
    kind: fields.oneOf('kind', ['multiplier', 'rate']),
    basePerSecond: fields.number('basePerSecond'),
    list: fields.list('list', readStage),
  }
  return { stages }
}

function readStage(value: unknown, where: string): RunStage {
  const fields = new JsonFields(value, where)
  return {
    name: fields.text('name'),
    ...fields.numbers('fromNs', 'durationNs', 'playedNs', 'from', 'to', 'shots', 'meanPerSecond', 'peakPerSecond'),
  }
}

function readStageResult(value: unknown, where: string): StageResult {
  const fields = new JsonFields(value, where)
  return {
    ...fields.numbers('offered', 'windowNs', 'sent', 'replies', 'errors'),
    responseTime: readFigures(fields.object('responseTime')),
  }
}

function readOperatorChange(value: unknown, where: string): OperatorChange {
  return new JsonFields(value, where).numbers('atNs', 'speed')
}

function readTarget(fields: JsonFields): Pick<Run, 'target' | 'targetIntervalNs'> {
  if (!fields.has('target')) return {}
  const target = fields.list('target', (value, where) => {
    const source = new JsonFields(value, where)
    return {
      kind: source.oneOf('kind', ['scrape', 'process']),
      name: source.text('name'),
      ...source.numbers('reads', 'failures'),
      ...source.texts('lastFailure', 'note'),
      metrics: source.list('metrics', readMetric),
    }
  })
  return { target, targetIntervalNs: fields.number('targetIntervalNs') }
}

function readMetric(value: unknown, where: string): MetricSummary {
  const fields = new JsonFields(value, where)
  return { name: fields.text('name'), ...fields.numbers('count', 'mean', 'most', 'last') }
}

function readPace(fields: JsonFields): Run['achieved'] {
  return fields.numbers(
    'firstSecond',
    'seconds',
    'due',
    'sent',
    'sentInWindow',
    'peakDuePerSecond',
    'peakSentPerSecond',
    'windowNs',
    'warmupNs',
  )
}

function readReason(value: unknown, where: string): Run['verdict']['reasons'][number] {
  const fields = new JsonFields(value, where)
  return {
    code: fields.oneOf('code', REASON_CODES),
    verdict: fields.oneOf('verdict', VERDICTS),
    ...fields.texts('what', 'remedy'),
  }
}

function readGate(value: unknown, where: string): GateResult {
  const fields = new JsonFields(value, where)
  return {
    gate: fields.text('gate'),
    severity: fields.oneOf('severity', SEVERITIES),
    outcome: fields.oneOf('outcome', GATE_OUTCOMES),
    actual: fields.numberOrNull('actual'),
    limit: fields.numberOrNull('limit'),
    unit: fields.oneOf('unit', GATE_UNITS),
    samples: fields.number('samples'),
    what: fields.text('what'),
  }
}

function readHistogram(fields: JsonFields): HistogramDocument {
  return { ...readFigures(fields), sumNs: fields.number('sumNs'), hdrNs: fields.text('hdrNs') }
}

function readTally(fields: JsonFields): TallyDocument {
  return {
    ...fields.numbers('shots', 'sent', 'replies'),
    statuses: fields.record('statuses', numberAt),
    mismatches: fields.number('mismatches'),
    errors: fields.record('errors', numberAt),
    ...fields.numbers('bytesSent', 'bytesReceived'),
    responseTime: readHistogram(fields.object('responseTime')),
    serviceTime: readHistogram(fields.object('serviceTime')),
  }
}

function readTotals(fields: JsonFields): TotalsDocument {
  return {
    ...readTally(fields),
    blocked: readHistogram(fields.object('blocked')),
    lag: readHistogram(fields.object('lag')),
    warmup: fields.number('warmup'),
  }
}

function readRecorded(fields: JsonFields): RecordedDocument {
  return {
    count: fields.number('count'),
    statuses: fields.record('statuses', numberAt),
    serviceTime: readHistogram(fields.object('serviceTime')),
  }
}

function readRoute(value: unknown, where: string): RouteDocument {
  const fields = new JsonFields(value, where)
  const recorded = fields.objectOrNull('recorded')
  const replayed = fields.objectOrNull('replayed')
  return {
    route: fields.number('route'),
    name: fields.text('name'),
    recorded: recorded === null ? null : readRecorded(recorded),
    replayed: replayed === null ? null : readTally(replayed),
  }
}

function readHealth(fields: JsonFields | null): Run['health'] {
  if (fields === null) return null
  return {
    stealShare: fields.optionalNumber('stealShare'),
    threads: fields.list('threads', (value, where) => {
      const thread = new JsonFields(value, where)
      return {
        name: thread.text('name'),
        cpuShare: thread.optionalNumber('cpuShare'),
        waitShare: thread.optionalNumber('waitShare'),
        loopDelayP99Ns: thread.optionalNumber('loopDelayP99Ns'),
      }
    }),
  }
}

function readEnvironment(fields: JsonFields): Run['environment'] {
  return {
    ...fields.texts('node', 'platform', 'arch', 'kernel', 'cpuModel'),
    ...fields.numbers('cpuCount', 'memoryBytes'),
  }
}
