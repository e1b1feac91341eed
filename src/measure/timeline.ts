/** How many shots were due, and how many were sent, in each second of a run. An hour is 58 kB. */
export class Timeline {
  readonly #due: number[] = []
  readonly #sent: number[] = []

  /** Triples of second, due, sent, as in `IntervalSnapshot.schedule`. */
  add(triples: Uint32Array): void {
    for (let place = 0; place + 2 < triples.length; place += 3) {
      const second = triples[place] ?? 0
      while (this.#due.length <= second) {
        this.#due.push(0)
        this.#sent.push(0)
      }
      this.#due[second] = (this.#due[second] ?? 0) + (triples[place + 1] ?? 0)
      this.#sent[second] = (this.#sent[second] ?? 0) + (triples[place + 2] ?? 0)
    }
  }

  get due(): readonly number[] {
    return this.#due
  }

  get sent(): readonly number[] {
    return this.#sent
  }

  /** What was asked of the generator and what it did. */
  pace(): Pace {
    const firstSecond = Math.max(
      0,
      this.#due.findIndex((count) => count > 0),
    )
    const lastSecond = this.#due.findLastIndex((count) => count > 0)
    const inWindow = (counts: readonly number[]): number => add(counts.slice(firstSecond, lastSecond + 1))
    return {
      firstSecond,
      seconds: lastSecond < 0 ? 0 : lastSecond + 1 - firstSecond,
      due: add(this.#due),
      sent: add(this.#sent),
      sentInWindow: inWindow(this.#sent),
      peakDuePerSecond: peak(this.#due),
      peakSentPerSecond: peak(this.#sent),
    }
  }
}

/** Offered against achieved. The window is from the first second in which a shot was due to the last, both included. */
export interface Pace {
  readonly firstSecond: number
  readonly seconds: number
  /** Shots that were due; without those of a warm-up, and those that an interrupted run never came to. */
  readonly due: number
  readonly sent: number
  /** Shots that were sent before the window was over: `due` less this is what fell behind. */
  readonly sentInWindow: number
  readonly peakDuePerSecond: number
  readonly peakSentPerSecond: number
}

function add(counts: readonly number[]): number {
  let total = 0
  for (const count of counts) total += count
  return total
}

function peak(counts: readonly number[]): number {
  let most = 0
  for (const count of counts) most = Math.max(most, count)
  return most
}
