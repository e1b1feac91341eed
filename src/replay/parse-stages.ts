import { MeshError } from '../core/errors.ts'
import { formatDurationNs, formatRate, parseDurationNs, parseMultiplier, parseRatePerSecond } from '../core/units.ts'
import { MAX_AMPLIFY } from './options.ts'
import type { Stage, Stages } from './stages.ts'

/** More than a person writes down, and few enough for one row each. */
const MAX_STAGES = 100

/** A stage of a year is a mistyped unit. */
const MAX_STAGE_NS = 366 * 86_400e9

const FORMS = '5m:3x, 30s:100/s, or a line 1x..3x@5m'

/**
 * `2m:1x,5m:3x,2m:1x` or `30s:100/s,5m:1k/s`; a line is `1x..3x@5m`. All multipliers or all rates; `0` is a pause in either.
 *
 * @throws MeshError MESH_ERR_UNIT or MESH_ERR_USAGE, naming the stage.
 */
export function parseStages(text: string, where: string): Stages {
  const texts = text.split(',').map((stage) => stage.trim())
  if (texts.length > MAX_STAGES) throw usage(`expected at most ${MAX_STAGES} stages, found ${texts.length}`, where)
  const read = texts.map((stage, index) =>
    readStage(stage, texts.length === 1 ? where : `${where}, stage ${index + 1}`),
  )
  const kinds = new Set(read.flatMap((stage) => stage.kinds))
  if (kinds.size > 1) {
    const remedy = 'write 3x everywhere, or 100/s everywhere'
    throw new MeshError('MESH_ERR_USAGE', { what: 'expected stages all of one kind, found both', where, remedy })
  }
  const [kind] = kinds
  if (kind === undefined) throw usage('expected a stage that sends anything, found pauses only', where)
  const list = read.map(({ stage }) => stage)
  if (list.every(({ from, to }) => from === 0 && to === 0)) {
    throw usage('expected a stage that sends anything, found pauses only', where)
  }
  return { kind, list }
}

interface ReadStage {
  readonly stage: Stage
  /** What its values say of their kind: a bare 0 says nothing. */
  readonly kinds: readonly Stages['kind'][]
}

function readStage(text: string, where: string): ReadStage {
  if (text === '') {
    throw new MeshError('MESH_ERR_UNIT', { what: `expected a stage such as ${FORMS}, found nothing`, where })
  }
  const line = /^(.*?)\.\.(.*)@(.*)$/.exec(text)
  if (line !== null) {
    const [from, to] = [readValue(line[1] ?? '', where), readValue(line[2] ?? '', where)]
    const stage = { durationNs: readDuration(line[3] ?? '', where), from: from.value, to: to.value }
    return { stage, kinds: [...from.kinds, ...to.kinds] }
  }
  const level = /^([^:@]*):(.*)$/.exec(text)
  if (level === null) {
    throw new MeshError('MESH_ERR_UNIT', { what: `expected a stage such as ${FORMS}, found "${text}"`, where })
  }
  const durationNs = readDuration(level[1] ?? '', where)
  const { value, kinds } = readValue(level[2] ?? '', where)
  return { stage: { durationNs, from: value, to: value }, kinds }
}

function readDuration(text: string, where: string): number {
  const durationNs = parseDurationNs(text, where)
  if (durationNs > 0 && durationNs <= MAX_STAGE_NS) return durationNs
  const what = `expected a stage that lasts more than zero and at most a year, found "${text}"`
  throw new MeshError('MESH_ERR_UNIT', { what, where })
}

function readValue(text: string, where: string): { value: number; kinds: readonly Stages['kind'][] } {
  if (/^0+(?:\.0+)?$/.test(text)) return { value: 0, kinds: [] }
  if (/^0+(?:\.0+)?[x%]$/.test(text)) return { value: 0, kinds: ['multiplier'] }
  if (text.includes('/')) return { value: parseRatePerSecond(text, where), kinds: ['rate'] }
  if (/^\d+(?:\.\d+)?[kM]?$/.test(text)) {
    const what = `expected a multiplier such as 3x or a rate such as 100/s, found "${text}"`
    throw new MeshError('MESH_ERR_UNIT', { what, where, remedy: `write ${text}/s for a rate` })
  }
  const value = parseMultiplier(text, where)
  if (value <= MAX_AMPLIFY) return { value, kinds: ['multiplier'] }
  throw usage(`expected a multiplier of at most ${MAX_AMPLIFY}, found ${text}`, where)
}

/** The stages as they are written, for people. */
export function stagesText({ kind, list }: Stages): string {
  return list.map((stage) => stageText(kind, stage)).join(', ')
}

/** One stage as it is written. */
export function stageText(kind: Stages['kind'], { durationNs, from, to }: Stage): string {
  const value = (number: number): string => (kind === 'rate' ? formatRate(number) : `${Number(number.toPrecision(4))}x`)
  const duration = formatDurationNs(durationNs)
  return from === to ? `${duration}:${value(from)}` : `${value(from)}..${value(to)}@${duration}`
}

function usage(what: string, where: string): MeshError {
  return new MeshError('MESH_ERR_USAGE', { what, where })
}
