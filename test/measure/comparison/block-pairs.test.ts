import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../../src/core/random.ts'
import { blockOrder, BlockPairs } from '../../../src/measure/comparison/block-pairs.ts'
import type { Finding } from '../../../src/measure/comparison/finding.ts'
import { parseGate } from '../../../src/measure/gates/parse-gate.ts'
import { SpanTally, Tally } from '../../../src/measure/tally.ts'
import { MS } from '../outcomes.ts'

const ROUTES = ['GET /cart', 'POST /orders', 'GET /seldom']

interface BlockShape {
  readonly random: () => number
  /** Times what the machine makes of everything in this block. */
  readonly factor: number
  readonly requests: number
  /** Replies of 503 in a hundred. */
  readonly failing?: number
}

/** A block of two routes, 20 ms and 80 ms with a tail, and of a third that comes twice. */
function block({ random, factor, requests, failing = 0 }: BlockShape): SpanTally {
  const span = new SpanTally()
  for (const [route, serviceMs] of [20, 80, 5].entries()) {
    const tally = new Tally()
    const count = route === 2 ? 2 : requests
    for (let index = 0; index < count; index++) {
      const tail = random() < 0.05 ? 3 : 1
      tally.responseTime.record(serviceMs * MS * factor * (0.6 + 0.8 * random()) * tail)
    }
    tally.statuses.set(200, count)
    if (route === 0 && failing > 0) tally.statuses.set(503, failing)
    span.routes.set(route, tally)
  }
  return span
}

/** Twelve pairs on a machine whose speed changes by a tenth from pair to pair, and by 3 % from block to block. */
function pairs(seed: number, slower: number, failing = 0): BlockPairs {
  const random = seededRandom(seed)
  const noise = (size: number): number => 1 + size * (random() + random() - 1)
  const compared = new BlockPairs([], ROUTES)
  for (let pair = 0; pair < 12; pair++) {
    const machine = noise(0.2)
    const requests = 150
    compared.add(
      block({ random, factor: machine * noise(0.06), requests }),
      block({ random, factor: machine * noise(0.06) * slower, requests, failing }),
    )
  }
  return compared
}

const isWorse = ({ answer }: Finding): boolean => answer === 'worse'

/** In how many of twenty comparisons something is worse. */
function flagged(slower: number): number {
  return Array.from({ length: 20 }, (_, run) => pairs(100 + run, slower).findings()).filter((findings) =>
    findings.some(isWorse),
  ).length
}

describe('BlockPairs', () => {
  it('flags at most one of twenty comparisons of equals, and nearly all of what is 10 and 15 % slower', () => {
    expect(flagged(1)).toBeLessThanOrEqual(1)
    expect(flagged(1.1)).toBeGreaterThanOrEqual(15)
    expect(flagged(1.15)).toBeGreaterThanOrEqual(18)
  })

  it('tells the change with its interval, route by route, and what is too seldom to be judged', () => {
    const findings = pairs(1, 1.2).findings()
    expect(findings.map(({ route, metric }) => `${route ?? 'all'} ${metric}`)).toEqual([
      ...['p50', 'p95', 'error_rate'].map((metric) => `all ${metric}`),
      ...['p50', 'p95', 'error_rate'].map((metric) => `GET /cart ${metric}`),
      ...['p50', 'p95', 'error_rate'].map((metric) => `POST /orders ${metric}`),
      ...['p50', 'p95', 'error_rate'].map((metric) => `GET /seldom ${metric}`),
    ])
    const cart = findings[3]
    expect(cart).toMatchObject({ answer: 'worse', unit: 'ns' })
    expect(cart?.low).toBeGreaterThan(0.1)
    expect(cart?.low).toBeLessThan(0.2)
    expect(cart?.high).toBeGreaterThan(0.2)
    expect(cart?.high).toBeLessThan(0.3)
    expect(findings.find(({ route, metric }) => route === 'GET /seldom' && metric === 'p50')).toMatchObject({
      answer: 'too_few',
      change: null,
      pValue: null,
    })
  })

  it('finds more errors, in points, and what is better without holding it against anybody', () => {
    const errors = pairs(1, 1, 5).findings().find(isWorse)
    expect(errors).toMatchObject({ metric: 'error_rate', unit: 'ratio', before: 0, answer: 'worse' })
    expect(errors?.change).toBeGreaterThan(0.01)
    const better = pairs(1, 0.8).findings()
    expect(better.some(isWorse)).toBe(false)
    expect(better.filter(({ answer }) => answer === 'better').length).toBeGreaterThanOrEqual(4)
  })

  it('has the ratio of a gate by its own route and metric, and none where a block has nothing of it', () => {
    const gates = ['p90{route="GET /cart"} < 110% of baseline', 'p90{route="GET /never"} < 110% of baseline'].map(
      (text) => parseGate(text, '--gate'),
    )
    const compared = new BlockPairs(gates, [...ROUTES, 'GET /never'])
    const random = seededRandom(7)
    for (let pair = 0; pair < 8; pair++) {
      compared.add(block({ random, factor: 1, requests: 200 }), block({ random, factor: 2, requests: 200 }))
    }
    const [cart, never] = gates.map((gate) => compared.gateRatio(gate))
    expect(cart?.ratio.ratio).toBeGreaterThan(1.9)
    expect(cart?.ratio.ratio).toBeLessThan(2.1)
    expect(never).toBeUndefined()
  })

  it('judges nothing by fewer than eight pairs', () => {
    const random = seededRandom(1)
    const compared = new BlockPairs([], ROUTES)
    for (let pair = 0; pair < 7; pair++) {
      compared.add(block({ random, factor: 1, requests: 100 }), block({ random, factor: 3, requests: 100 }))
    }
    expect(new Set(compared.findings().map(({ answer }) => answer))).toEqual(new Set(['too_few']))
  })
})

describe('the order of blocks', () => {
  it("has each side first equally often, and is the seed's", () => {
    const order = blockOrder(12, 5)
    expect(order.filter((side) => side === 'baseline')).toHaveLength(6)
    expect(blockOrder(12, 5)).toEqual(order)
    expect(new Set([1, 2, 3, 4, 5].map((seed) => blockOrder(12, seed).join(' '))).size).toBeGreaterThan(1)
  })
})
