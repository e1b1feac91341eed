/** Sessions of a pool with lanes of their own: some 20 MB at most. Those beyond share lanes. */
const MAX_POOL_SESSIONS = 100_000

/** As many connections as browsers open to one host. */
const LANES_PER_SESSION = 6

/** One more than the greatest lane. */
export const POOL_LANE_SPAN: number = MAX_POOL_SESSIONS * LANES_PER_SESSION

/**
 * Connections for the sessions behind a proxy's pool. The recorded connections say nothing there: the proxy put each request onto
 * whichever was free. So every session gets lanes of its own. Requests that followed each other share a lane and keep their order;
 * requests that overlapped when they were recorded go to different ones, so that none waits for another that it did not wait for.
 */
export class PoolLanes {
  readonly #sessions = new Map<number, { readonly first: number; readonly freeNs: number[] }>()

  /** The lane of a request of `session` that was recorded from `fromNs` until its reply was whole at `untilNs`. In order of `fromNs`. */
  laneOf(session: number, fromNs: number, untilNs: number): number {
    const known = this.#sessions.get(session)
    if (known === undefined) return this.#newSession(session, untilNs)
    const { first, freeNs } = known
    let lane = 0
    for (let index = 0; index < freeNs.length; index++) {
      const free = freeNs[index] ?? 0
      if (free <= fromNs) {
        lane = index
        break
      }
      if (free < (freeNs[lane] ?? 0)) lane = index
    }
    if ((freeNs[lane] ?? 0) > fromNs && freeNs.length < LANES_PER_SESSION) lane = freeNs.length
    freeNs[lane] = Math.max(freeNs[lane] ?? 0, untilNs)
    return first + lane
  }

  #newSession(session: number, untilNs: number): number {
    if (this.#sessions.size >= MAX_POOL_SESSIONS) return (session % MAX_POOL_SESSIONS) * LANES_PER_SESSION
    const first = this.#sessions.size * LANES_PER_SESSION
    this.#sessions.set(session, { first, freeNs: [untilNs] })
    return first
  }
}
