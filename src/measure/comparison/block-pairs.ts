import { seededRandom } from '../../core/random.ts'
import type { Gate } from '../gates/gate.ts'
import { histogramOfGate, readMetric } from '../gates/reading.ts'
import { adjustedPValues } from '../statistics/false-discovery.ts'
import { middleValue, type PairedRatio, pairedRatio } from '../statistics/paired-ratio.ts'
import type { SpanTally, Tally } from '../tally.ts'
import { FALSE_DISCOVERY_RATE, type Finding, type FindingAnswer, LEAST_CHANGE } from './finding.ts'

/** Metrics of every route, and how many durations a block needs of it. */
const QUANTILES = [
  { metric: 'p50', quantile: 0.5, samples: 10 },
  { metric: 'p95', quantile: 0.95, samples: 60 },
] as const

/** More routes are not judged, the busiest first: each question more makes every answer harder. */
const MOST_ROUTES = 50

/** With fewer no pattern of signs is seldom enough to be significant beside others: 2 in 256 at 8. */
export const LEAST_PAIRS = 8
/** And most that can be asked for: days of blocks. */
export const MOST_PAIRS = 1000

export type Side = 'baseline' | 'candidate'

/** Which side of each pair comes first: each as often as the other, in an order by the seed. */
export function blockOrder(pairs: number, seed: number): readonly Side[] {
  const random = seededRandom(seed)
  const order = Array.from({ length: pairs }, (_, index): Side => (index % 2 === 0 ? 'baseline' : 'candidate'))
  for (let index = order.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1))
    const [here, there] = [order[index], order[other]]
    if (here === undefined || there === undefined) continue
    order[index] = there
    order[other] = here
  }
  return order
}

/** What is kept of a block. */
interface BlockFigures {
  /** By route; -1 is all of them. */
  readonly routes: ReadonlyMap<number, RouteFigures>
  /** Values of the gates that compare, in their order; undefined where there was nothing to read. */
  readonly gates: readonly (number | undefined)[]
}

interface RouteFigures {
  readonly quantiles: readonly (number | undefined)[]
  readonly requests: number
  readonly errorShare: number
}

const ALL_ROUTES = -1

/** Blocks of the same requests at two targets, pair by pair: a few numbers each. */
export class BlockPairs {
  readonly #gates: readonly Gate[]
  readonly #routeNames: readonly string[]
  readonly #baseline: BlockFigures[] = []
  readonly #candidate: BlockFigures[] = []

  /** `gates`: those whose limit is of the baseline. */
  constructor(gates: readonly Gate[], routeNames: readonly string[]) {
    this.#gates = gates
    this.#routeNames = routeNames
  }

  get count(): number {
    return this.#baseline.length
  }

  add(baseline: SpanTally, candidate: SpanTally): void {
    this.#baseline.push(this.#figuresOf(baseline))
    this.#candidate.push(this.#figuresOf(candidate))
  }

  /** Every route and metric, with p-values adjusted for all of them; what is worse first, then the busiest routes. */
  findings(): readonly Finding[] {
    const routes = this.#routesByRequests()
    const judged = routes.flatMap((route) => this.#judgedOf(route))
    // Where nothing failed on either side there is no question, and none to pay for.
    const tested = judged.filter(
      ({ ratio, baseline, candidate, unit }) =>
        ratio !== undefined && !(unit === 'ratio' && baseline === 1 && candidate === 1),
    )
    const adjusted = adjustedPValues(tested.map(({ ratio }) => ratio?.pValue ?? 1))
    const pValues = new Map(tested.map((one, index) => [one, adjusted[index] ?? 1]))
    return judged.map((one) => findingOf(one, pValues.get(one) ?? 1))
  }

  /** The ratio of a gate's metric, candidate over baseline, and the metric on either side; undefined where a block had none of it. */
  gateRatio(
    gate: Gate,
  ): { readonly ratio: PairedRatio; readonly baseline: number; readonly candidate: number } | undefined {
    const place = this.#gates.indexOf(gate)
    return ratioOf(
      this.#baseline.map(({ gates }) => gates[place]),
      this.#candidate.map(({ gates }) => gates[place]),
    )
  }

  #figuresOf(tally: SpanTally): BlockFigures {
    const total = tally.total()
    const routes = new Map([[ALL_ROUTES, routeFigures(total)]])
    for (const [route, own] of tally.routes) routes.set(route, routeFigures(own))
    const span = { tally, total, spanNs: 0 }
    const gates = this.#gates.map((gate) => {
      const { value } = readMetric(gate, span, this.#routeNames)
      return histogramOfGate(gate, span, this.#routeNames).count > 0 ? value : undefined
    })
    return { routes, gates }
  }

  #routesByRequests(): readonly number[] {
    const requests = new Map<number, number>()
    for (const { routes } of this.#candidate) {
      for (const [route, figures] of routes) requests.set(route, (requests.get(route) ?? 0) + figures.requests)
    }
    // One route alone is all routes.
    const isAlone = requests.size === 2
    return [...requests]
      .filter(([route]) => !isAlone || route === ALL_ROUTES)
      .toSorted(([a, of], [b, than]) => Number(b === ALL_ROUTES) - Number(a === ALL_ROUTES) || than - of)
      .slice(0, MOST_ROUTES + 1)
      .map(([route]) => route)
  }

  #judgedOf(route: number): readonly Judged[] {
    const name = route === ALL_ROUTES ? null : (this.#routeNames[route] ?? `route ${route}`)
    const of = (
      blocks: readonly BlockFigures[],
      read: (figures: RouteFigures) => number | undefined,
    ): (number | undefined)[] =>
      blocks.map(({ routes }) => {
        const figures = routes.get(route)
        return figures === undefined ? undefined : read(figures)
      })
    const quantiles = QUANTILES.map(({ metric }, place): Judged => {
      const [before, now] = [this.#baseline, this.#candidate].map((blocks) =>
        of(blocks, ({ quantiles }) => quantiles[place]),
      )
      return { route: name, metric, unit: 'ns', ...ratioOf(before ?? [], now ?? []) }
    })
    // A share may be 0, which has no ratio: 1 more than it has one, and its logarithm is the share itself, nearly.
    const [before, now] = [this.#baseline, this.#candidate].map((blocks) =>
      of(blocks, ({ errorShare }) => 1 + errorShare),
    )
    return [...quantiles, { route: name, metric: 'error_rate', unit: 'ratio', ...ratioOf(before ?? [], now ?? []) }]
  }
}

interface Judged {
  readonly route: string | null
  readonly metric: string
  readonly unit: Finding['unit']
  readonly ratio?: PairedRatio
  readonly baseline?: number
  readonly candidate?: number
}

function findingOf({ route, metric, unit, ratio, baseline, candidate }: Judged, pValue: number): Finding {
  const offset = unit === 'ratio' ? 1 : 0
  const before = baseline === undefined ? null : baseline - offset
  const now = candidate === undefined ? null : candidate - offset
  if (ratio === undefined) {
    return { route, metric, unit, before, now, change: null, low: null, high: null, pValue: null, answer: 'too_few' }
  }
  const change = ratio.ratio - 1
  const { low, high } = ratio.interval
  // Half as fast is as much as twice as slow.
  const size = unit === 'ns' ? Math.max(ratio.ratio, 1 / ratio.ratio) - 1 : Math.abs(change)
  const isFound = pValue <= FALSE_DISCOVERY_RATE && size >= LEAST_CHANGE[unit]
  const answer: FindingAnswer = !isFound ? 'same' : change > 0 ? 'worse' : 'better'
  const ends = { low: low - 1, high: high === Infinity ? null : high - 1 }
  return { route, metric, unit, before, now, change, ...ends, pValue, answer }
}

function routeFigures(tally: Tally): RouteFigures {
  const { responseTime, shots, failures, statuses } = tally
  let errors = failures
  for (const [status, count] of statuses) if (status >= 500) errors += count
  return {
    quantiles: QUANTILES.map(({ quantile, samples }) =>
      responseTime.count >= samples ? responseTime.quantileNs(quantile) : undefined,
    ),
    requests: shots,
    errorShare: shots === 0 ? 0 : errors / shots,
  }
}

/** Undefined where a block lacks a value: pairs cannot be left out by what was measured in them. */
function ratioOf(
  before: readonly (number | undefined)[],
  now: readonly (number | undefined)[],
): { readonly ratio: PairedRatio; readonly baseline: number; readonly candidate: number } | undefined {
  const isValue = (value: number | undefined): value is number => value !== undefined && value > 0
  const [baseline, candidate] = [before.filter(isValue), now.filter(isValue)]
  if (baseline.length < Math.max(LEAST_PAIRS, before.length) || candidate.length < now.length) return undefined
  return {
    ratio: pairedRatio(baseline, candidate),
    baseline: middleValue(baseline),
    candidate: middleValue(candidate),
  }
}
