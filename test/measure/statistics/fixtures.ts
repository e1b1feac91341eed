import { readFileSync } from 'node:fs'

/** What established packages say: `fixtures/statistics/make.py`. */
export interface StatisticsFixtures {
  readonly incompleteBeta: readonly (readonly [x: number, a: number, b: number, value: number])[]
  readonly student: {
    readonly cdf: readonly (readonly [t: number, degrees: number, value: number])[]
    readonly quantile: readonly (readonly [probability: number, degrees: number, value: number])[]
  }
  readonly normal: readonly (readonly [probability: number, value: number])[]
  readonly binomial: readonly (readonly [successes: number, trials: number, probability: number, value: number])[]
  readonly ranks: readonly (readonly [
    count: number,
    quantile: number,
    confidence: number,
    lower: number | null,
    upper: number | null,
  ])[]
  readonly wilson: readonly (readonly [
    successes: number,
    trials: number,
    confidence: number,
    low: number,
    high: number,
  ])[]
  readonly signedRanks: readonly {
    readonly baseline: readonly number[]
    readonly candidate: readonly number[]
    readonly ratio: number
    readonly p: number
  }[]
  readonly prediction: readonly {
    readonly history: readonly number[]
    readonly current: number
    readonly expected: number
    readonly bound: number
    readonly p: number
  }[]
  readonly outliers: readonly { readonly values: readonly number[]; readonly kept: readonly number[] }[]
  readonly falseDiscovery: readonly { readonly p: readonly number[]; readonly adjusted: readonly number[] }[]
  readonly knees: readonly {
    readonly x: readonly number[]
    readonly y: readonly number[]
    readonly knee: number | null
  }[]
}

const FILE = new URL('../../../fixtures/statistics/statistics.json', import.meta.url)

export const FIXTURES: StatisticsFixtures = JSON.parse(readFileSync(FILE, 'utf8')) as StatisticsFixtures

/** How far `found` is from `expected`, as a part of it; of what is nearly nothing, as it is. */
export function errorOf(found: number, expected: number): number {
  return Math.abs(found - expected) / Math.max(1e-12, Math.abs(expected))
}
