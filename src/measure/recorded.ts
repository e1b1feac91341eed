import { Histogram } from './histogram.ts'

/** What the recordings say of one route. */
export interface RecordedRoute {
  readonly count: number
  /** Requests by the status code of their recorded response; 0: none was recorded. */
  readonly statuses: ReadonlyMap<number, number>
  /** Service times as recorded, of the requests that had a response. */
  readonly serviceTime: Histogram
}

interface GrowingRoute {
  count: number
  readonly statuses: Map<number, number>
  readonly serviceTime: Histogram
}

/**
 * The recorded side of a run, route by route: what a report sets beside what was replayed. Observe each recorded exchange
 * of the window once, however often it is cloned. Bounded by the number of routes (`RouteTable`).
 */
export class RecordedStats {
  readonly #routes: (GrowingRoute | undefined)[] = []

  /** `route` as in `RouteTable`; `status` 0 and `serviceNs` -1 where no response was recorded. */
  observe(route: number, status: number, serviceNs: number): void {
    const stats = this.#at(route)
    stats.count += 1
    stats.statuses.set(status, (stats.statuses.get(status) ?? 0) + 1)
    if (serviceNs >= 0) stats.serviceTime.record(serviceNs)
  }

  /** Adds what another pass (another recording, another thread) observed with the same routes. */
  add(other: RecordedStats): void {
    for (const [route, from] of other.#routes.entries()) {
      if (from === undefined) continue
      const stats = this.#at(route)
      stats.count += from.count
      for (const [status, count] of from.statuses) stats.statuses.set(status, (stats.statuses.get(status) ?? 0) + count)
      stats.serviceTime.add(from.serviceTime)
    }
  }

  /** Undefined where the recordings have no request of that route. */
  route(route: number): RecordedRoute | undefined {
    return this.#routes[route]
  }

  /** All routes together. */
  total(): RecordedRoute {
    const sum: GrowingRoute = { count: 0, statuses: new Map(), serviceTime: new Histogram() }
    for (const stats of this.#routes) {
      if (stats === undefined) continue
      sum.count += stats.count
      for (const [status, count] of stats.statuses) sum.statuses.set(status, (sum.statuses.get(status) ?? 0) + count)
      sum.serviceTime.add(stats.serviceTime)
    }
    return sum
  }

  #at(route: number): GrowingRoute {
    const known = this.#routes[route]
    if (known !== undefined) return known
    const fresh: GrowingRoute = { count: 0, statuses: new Map(), serviceTime: new Histogram() }
    while (this.#routes.length < route) this.#routes.push(undefined)
    this.#routes[route] = fresh
    return fresh
  }
}
