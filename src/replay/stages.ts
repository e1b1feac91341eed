/** One stage: a value that holds, or a line from one value to another. Values are multipliers or shots a second. */
export interface Stage {
  /** Of the run. Above 0. */
  readonly durationNs: number
  readonly from: number
  readonly to: number
}

/** A load that changes over the time of a run. */
export interface Stages {
  /** `multiplier`: how often sessions are sent. `rate`: the mean rate, the recording's shape kept; shots a second. */
  readonly kind: 'multiplier' | 'rate'
  /** In order; at least one, and not all of them zero. */
  readonly list: readonly Stage[]
}

/** Stages as a function of the run's time. Pure arithmetic; times are nanoseconds of the run, areas values times seconds. */
export class StageCurve {
  readonly #list: readonly Stage[]
  /** When each begins, and when the last ends. */
  readonly #startNs: number[] = [0]
  /** Area before each, and of all. */
  readonly #areaBefore: number[] = [0]
  /** Where the last question fell: the next one is near. */
  #place = 0

  constructor({ list }: Stages) {
    this.#list = list
    let [startNs, area] = [0, 0]
    for (const { durationNs, from, to } of list) {
      startNs += durationNs
      area += ((from + to) / 2) * (durationNs / 1e9)
      this.#startNs.push(startNs)
      this.#areaBefore.push(area)
    }
  }

  get totalNs(): number {
    return this.#startNs.at(-1) ?? 0
  }

  /** The value at a moment. At a border it is the next stage's; after the end, the last one's. */
  valueAt(ns: number): number {
    const place = this.#placeOf(this.#startNs, ns)
    const stage = this.#list[place]
    if (stage === undefined) return 0
    const share = Math.min(1, (ns - (this.#startNs[place] ?? 0)) / stage.durationNs)
    return stage.from + (stage.to - stage.from) * share
  }

  /** Area from the beginning to a moment; after the end, the last value goes on. */
  areaUntil(ns: number): number {
    const place = this.#placeOf(this.#startNs, ns)
    const stage = this.#list[place]
    if (stage === undefined) return 0
    const intoS = (ns - (this.#startNs[place] ?? 0)) / 1e9
    const durationS = stage.durationNs / 1e9
    const lineS = Math.min(intoS, durationS)
    const slope = (stage.to - stage.from) / durationS
    const beyond = stage.to === 0 ? 0 : Math.max(0, intoS - durationS) * stage.to
    return (this.#areaBefore[place] ?? 0) + stage.from * lineS + (slope * lineS * lineS) / 2 + beyond
  }

  /** The moment at which the area is reached, behind any pause that begins there; Infinity where it is not before the end. */
  momentOf(area: number): number {
    if (area >= (this.#areaBefore.at(-1) ?? 0)) return Infinity
    const place = this.#placeOf(this.#areaBefore, area)
    const stage = this.#list[place]
    const rest = area - (this.#areaBefore[place] ?? 0)
    const startNs = this.#startNs[place] ?? 0
    if (stage === undefined || rest <= 0) return startNs
    const slope = (stage.to - stage.from) / (stage.durationNs / 1e9)
    // Of from * x + slope * x^2 / 2 = rest, in the form that loses no figures where the slope is small.
    const root = Math.sqrt(Math.max(0, stage.from * stage.from + 2 * slope * rest))
    const divisor = stage.from + root
    const intoNs = divisor > 0 ? ((2 * rest) / divisor) * 1e9 : 0
    return startNs + Math.min(intoNs, stage.durationNs)
  }

  /** The last place whose bound is not above the value. */
  #placeOf(bounds: readonly number[], value: number): number {
    const last = this.#list.length - 1
    let place = value >= (bounds[this.#place] ?? 0) ? this.#place : 0
    while (place < last && value >= (bounds[place + 1] ?? Infinity)) place += 1
    this.#place = place
    return place
  }
}

/** The greatest value of any stage. */
export function mostOf({ list }: Stages): number {
  return Math.max(...list.map(({ from, to }) => Math.max(from, to)))
}

/** The greatest multiplier that a run comes to. */
export function mostAmplified(options: { readonly amplify: number; readonly stages: Stages | undefined }): number {
  return options.stages?.kind === 'multiplier' ? mostOf(options.stages) : options.amplify
}

/** No shot is due at this moment of the run or later: by the duration that was asked for, and by the end of the stages. */
export function dueUntilNs(options: {
  readonly durationNs: number | undefined
  readonly stages: Stages | undefined
}): number {
  const stagesNs = options.stages?.list.reduce((sum, { durationNs }) => sum + durationNs, 0) ?? Infinity
  return Math.min(options.durationNs ?? Infinity, stagesNs)
}
