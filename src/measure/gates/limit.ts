import { MeshError } from '../../core/errors.ts'
import { parseCount, parseDurationNs, parseRatePerSecond } from '../../core/units.ts'
import { visible } from '../../core/visible.ts'
import type { Comparison, GateLimit } from './gate.ts'
import { formatGateValue, type GateUnit } from './gate-result.ts'
import type { GateMetric } from './metric.ts'

/** How a limit of each unit is written. */
const EXAMPLES: Readonly<Record<GateUnit, string>> = {
  ns: 'a duration such as 250ms or 1.5s',
  ratio: 'a percentage such as 1% or 0.05%',
  per_second: 'a rate such as 500/s or a share such as 98% of target',
  count: 'a whole number such as 0 or 100',
}

const NUMBER = String.raw`\d+(?:\.\d+)?`
const PERCENT = new RegExp(`^(${NUMBER}) ?%$`)
const OF_TARGET = new RegExp(`^(${NUMBER}) ?% of target$`)
const OF_BASELINE = new RegExp(`^(${NUMBER}) ?% of baseline$`)
const OF_HISTORY = new RegExp(`^(${NUMBER}) ?\\* ?history$`)

/**
 * Reads what a metric is compared with, in the metric's own unit. `text` has single spaces.
 *
 * @throws MeshError MESH_ERR_UNIT where it is of another unit or of none.
 */
export function parseLimit(text: string, metric: GateMetric, where: string): GateLimit {
  const target = OF_TARGET.exec(text)?.[1]
  if (target !== undefined) return targetLimit(Number(target) / 100, metric, where)
  const factor = text === 'history' ? '1' : OF_HISTORY.exec(text)?.[1]
  if (factor !== undefined) return historyLimit(Number(factor), text, where)
  const percent = OF_BASELINE.exec(text)?.[1]
  if (percent !== undefined) return baselineLimit(Number(percent) / 100, metric, where)
  const value = VALUES[metric.unit](text, where)
  if (value !== undefined) return { kind: 'value', value }
  throw new MeshError('MESH_ERR_UNIT', {
    what: `expected ${EXAMPLES[metric.unit]} for ${metric.name}, found "${visible(text)}"`,
    where,
    ...unitRemedy(text, metric.unit),
  })
}

/** By unit; undefined where it is not written as a value of it. */
const VALUES: Readonly<Record<GateUnit, (text: string, where: string) => number | undefined>> = {
  // A bare number is refused: elsewhere it is seconds, and whoever writes `p99 < 250` means milliseconds.
  ns: (text, where) => (/^[\d.]+$/.test(text) ? undefined : attempt(() => parseDurationNs(text, where))),
  ratio: (text) => {
    const percent = PERCENT.exec(text)?.[1]
    return percent === undefined || Number(percent) > 100 ? undefined : Number(percent) / 100
  },
  per_second: (text, where) => attempt(() => parseRatePerSecond(text, where)),
  count: (text, where) => attempt(() => parseCount(text, where, 0)),
}

/** The words of a unit are the same everywhere; what is wrong with them here is said here. */
function attempt(parse: () => number): number | undefined {
  try {
    return parse()
  } catch (thrown) {
    if (thrown instanceof MeshError) return undefined
    throw thrown
  }
}

function unitRemedy(text: string, unit: GateUnit): { readonly remedy?: string } {
  if (!/^\d+(\.\d+)?$/.test(text)) return {}
  if (unit === 'ns') return { remedy: `say which unit: ${text}ms or ${text}s?` }
  return unit === 'ratio' ? { remedy: `say which: ${text}% or ${Number((Number(text) * 100).toPrecision(12))}%?` } : {}
}

function targetLimit(share: number, metric: GateMetric, where: string): GateLimit {
  if (metric.unit !== 'per_second') {
    throw new MeshError('MESH_ERR_UNIT', {
      what: `"of target" is a share of the offered rate, and ${metric.name} needs ${EXAMPLES[metric.unit]}`,
      where,
      remedy: 'achieved_rate and rps can be compared with it',
    })
  }
  if (share > 0 && share <= 1) return { kind: 'target', share }
  throw new MeshError('MESH_ERR_UNIT', { what: 'expected more than 0% and up to 100% of target', where })
}

function historyLimit(factor: number, text: string, where: string): GateLimit {
  if (factor > 0) return { kind: 'history', factor }
  throw new MeshError('MESH_ERR_UNIT', { what: `expected a factor above zero, found "${text}"`, where })
}

function baselineLimit(factor: number, metric: GateMetric, where: string): GateLimit {
  const { unit, quantity, scope } = metric
  if (unit !== 'ns' || quantity.kind === 'max' || scope === 'run') {
    throw new MeshError('MESH_ERR_UNIT', {
      what: `${metric.name} has no ratio to a baseline`,
      where,
      remedy: 'quantiles and means of response and service time have: p95 < 110% of baseline',
    })
  }
  if (factor > 0) return { kind: 'baseline', factor }
  throw new MeshError('MESH_ERR_UNIT', { what: 'expected more than 0% of baseline', where })
}

/** Why a gate with this limit would be the same for every run; undefined where it can both pass and fail. */
export function vacuity(metric: GateMetric, comparison: Comparison, limit: GateLimit): string | undefined {
  if (limit.kind === 'target' && limit.share === 1 && comparison === '>') {
    return `can never hold: ${metric.name} is at most what was offered`
  }
  if (limit.kind !== 'value') return undefined
  const [least, most] = [0, metric.unit === 'ratio' ? 1 : Infinity]
  const { value } = limit
  const always = comparison === '>=' ? value <= least : comparison === '<=' ? value >= most : false
  const never = comparison === '<' ? value <= least : comparison === '>' ? value >= most : false
  if (!always && !never) return undefined
  const bound = formatGateValue(value <= least ? least : most, metric.unit)
  const every = `every ${metric.name} is at ${value <= least ? 'least' : 'most'} ${bound}`
  return `${always ? 'always holds' : 'can never hold'}: ${every}`
}
