import { MeshError } from '../../core/errors.ts'
import { nearestName } from '../../core/nearest.ts'
import { parseDurationNs } from '../../core/units.ts'
import { visible } from '../../core/visible.ts'
import { COMPARISONS, type Comparison, type Gate } from './gate.ts'
import { SEVERITIES, type Severity } from './gate-result.ts'
import { parseLimit, vacuity } from './limit.ts'
import { type GateMetric, metricOf, metricRemedy } from './metric.ts'

/** A longer gate is refused: names of routes have at most 160 characters. */
const MAX_GATE_CHARS = 500

/** Intervals are seconds. An hour in a row is longer than runs are. */
const MAX_ABORT_SECONDS = 3600

const SHAPE = `p99 < 250ms, p99{route="GET /cart"} < 400ms, achieved_rate > 98% of target, p99 > 1s for 10s => abort, warn: p50 < 40ms`

/**
 * Reads a gate:
 *
 * ```
 * [warn:|fail:] METRIC [{route="NAME"}] (< | <= | > | >= | ==) LIMIT [for DURATION => abort]
 * LIMIT = 250ms | 1% | 500/s | 100 | 98% of target | 110% of baseline | 1.10 * history
 * ```
 * `origin` is for errors: the flag, variable or file that it comes from.
 *
 * @throws MeshError MESH_ERR_USAGE for what is no gate, MESH_ERR_UNIT for a limit of the wrong unit.
 */
export function parseGate(text: string, origin: string): Gate {
  if (text.length > MAX_GATE_CHARS) {
    const what = `expected a gate of at most ${MAX_GATE_CHARS} characters, found ${text.length}`
    throw new MeshError('MESH_ERR_USAGE', { what, where: origin })
  }
  return new GateParser(text, `${origin} "${visible(text.trim())}"`).parse()
}

class GateParser {
  readonly #text: string
  readonly #where: string
  #at = 0

  constructor(text: string, where: string) {
    this.#text = text
    this.#where = where
  }

  parse(): Gate {
    const severity = this.#severity()
    const metric = this.#metric()
    const route = this.#route(metric)
    const comparison = this.#comparison(metric)
    const [limitText, abortAfterSeconds] = this.#rest()
    const limit = parseLimit(limitText, metric, this.#where)
    const vacuous = vacuity(metric, comparison, limit)
    if (vacuous !== undefined) this.#refuse(`the gate ${vacuous}`)
    if (comparison === '==' && metric.unit !== 'count') {
      this.#refuse(`== is for counts, and ${metric.name} is measured`, 'compare with < or >')
    }
    const gate = { text: this.#text.trim(), severity, metric, route, comparison, limit, abortAfterSeconds }
    if (abortAfterSeconds !== undefined) this.#checkAbort(gate)
    return gate
  }

  /** The next text that matches, without the spaces before it; undefined where the next is something else. */
  #take(pattern: RegExp): RegExpExecArray | undefined {
    const sticky = new RegExp(String.raw`\s*(?:${pattern.source})`, 'y')
    sticky.lastIndex = this.#at
    const match = sticky.exec(this.#text)
    if (match === null) return undefined
    this.#at = sticky.lastIndex
    return match
  }

  #severity(): Severity {
    const word = this.#take(/([^\s:{}<>="]+)\s*:(?!:)/)?.[1]
    if (word === undefined) return 'fail'
    const severity = SEVERITIES.find((known) => known === word)
    return severity ?? this.#refuse(`expected "warn:" or "fail:" before the metric, found "${visible(word)}:"`)
  }

  #metric(): GateMetric {
    const name = this.#take(/[^\s{}<>=!]+/)?.[0].trim()
    if (name === undefined) return this.#refuse('expected a gate, found no metric', `write it as ${SHAPE}`)
    const metric = metricOf(name)
    if (metric !== undefined) return metric
    if (/^p\d+(\.\d+)?$/.test(name)) {
      return this.#refuse(`expected a quantile from p50 to p99.99, found "${name}"`, 'p95 is one; max is the slowest')
    }
    return this.#refuse(`unknown metric "${visible(name)}"`, metricRemedy(name))
  }

  #route(metric: GateMetric): string | undefined {
    if (this.#take(/\{/) === undefined) return undefined
    const [, label, quoted] = this.#take(/([^\s{}<>="]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*\}/) ?? []
    if (label === undefined || quoted === undefined) {
      return this.#refuse('expected a label such as {route="GET /cart"} after the metric')
    }
    if (label !== 'route') {
      const near = nearestName(label, ['route'])
      const remedy = near === undefined ? 'the only label is route' : `did you mean ${near}?`
      return this.#refuse(`unknown label "${visible(label)}"`, remedy)
    }
    if (metric.scope === 'run') {
      return this.#refuse(`${metric.name} is known for the whole run, not by route`, 'leave the label out')
    }
    return quoted.replaceAll(/\\(.)/g, '$1')
  }

  #comparison(metric: GateMetric): Comparison {
    const found = this.#take(/[<>=!]+/)?.[0].trim()
    const comparison = COMPARISONS.find((known) => known === found)
    if (comparison !== undefined) return comparison
    const next = this.#text.slice(this.#at).trim()
    const shown = found ?? (next === '' ? 'nothing' : next)
    return this.#refuse(
      `expected <, <=, > or >= after ${metric.name}, found ${shown === 'nothing' ? shown : `"${visible(shown)}"`}`,
    )
  }

  /** The limit's text with single spaces, and how long the gate has to hold to abort. */
  #rest(): readonly [limit: string, abortAfterSeconds: number | undefined] {
    const rest = this.#text.slice(this.#at).trim().replaceAll(/\s+/g, ' ')
    const [condition = '', action, ...more] = rest.split(/ ?=> ?/)
    if (more.length > 0) this.#refuse('expected one "=>"')
    const [, limit = condition, held] = /^(.*?)(?:^| )for(?: (.*))?$/.exec(condition) ?? []
    if (limit === '') this.#refuse('expected something to compare with, found nothing', `write it as ${SHAPE}`)
    if (action !== undefined && action !== 'abort') {
      this.#refuse(`expected "=> abort", found "=> ${visible(action)}"`)
    }
    const sustained = limit !== condition
    if (!sustained && action === undefined) return [limit, undefined]
    if (!sustained) this.#refuse('=> abort needs to know for how long', 'for example: for 10s => abort')
    if (action === undefined) {
      this.#refuse(
        '"for" belongs to a gate that stops the run',
        'add => abort, or leave "for" out to judge the whole run',
      )
    }
    return [limit, this.#seconds(held ?? '')]
  }

  #seconds(text: string): number {
    const seconds = /^\d.*[a-z]$/.test(text) ? parseDurationNs(text, this.#where) / 1e9 : Number.NaN
    if (Number.isInteger(seconds) && seconds >= 1 && seconds <= MAX_ABORT_SECONDS) return seconds
    const what = `expected whole seconds from 1s to 1h after "for", found "${visible(text)}"`
    throw new MeshError('MESH_ERR_UNIT', { what, where: this.#where })
  }

  /** What stops a run has to be known while it goes on. */
  #checkAbort({ severity, metric, limit }: Gate): void {
    if (severity === 'warn') this.#refuse('a warning cannot stop the run', 'leave "warn:" out')
    if (metric.name === 'achieved_rate' || limit.kind === 'target') {
      this.#refuse(
        'what was achieved of the target is known at the end: it cannot stop the run',
        'blocked_p99 > 1s for 10s => abort stops a run whose target does not keep up',
      )
    }
    if (metric.name === 'body_mismatch_rate') {
      this.#refuse('what bodies differ in is known at the end: it cannot stop the run', 'mismatch_rate can')
    }
    if (limit.kind === 'history' || limit.kind === 'baseline')
      this.#refuse(`a comparison with ${limit.kind} is made at the end: it cannot stop the run`)
  }

  #refuse(what: string, remedy?: string): never {
    throw new MeshError('MESH_ERR_USAGE', { what, where: this.#where, ...(remedy === undefined ? {} : { remedy }) })
  }
}
