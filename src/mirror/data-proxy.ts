/** What a data proxy did between staging and production's data, by what it counts: `statements passed`, `diverted`, `refused`. */
export type DataProxyCounts = Readonly<Record<string, number>>

/** What a data proxy can show at the end of a run. */
export interface DataProxyProof {
  readonly counts: DataProxyCounts
  /** Statements that production reported as anything but a read, of all that the proxy sent there; anything but 0 fails the run. */
  readonly productionWrites: number
  /** Why it went before the end, and staging's data with it; undefined where it served to the end. Its going fails the run. */
  readonly lost?: string | undefined
  /** Further lines for people: where the audit log is, what was compared with it. */
  readonly notes: readonly string[]
}

/** A data proxy that stands between a staging service and production's data. */
export interface DataProxy {
  /** `postgres shop`: how messages and the proof call it. */
  readonly name: string
  /** Ends it in order, and says what it did. Called once, after the last copy was answered. */
  close(): Promise<DataProxyProof>
}

/** Starts the data proxies that an environment lists, before the first request is copied. Throws a `MeshError` where one cannot start. */
export interface DataProxyStarter {
  start(signal: AbortSignal): Promise<readonly DataProxy[]>
}

/** An environment without data proxies. */
export const NO_DATA_PROXIES: DataProxyStarter = { start: () => Promise.resolve([]) }
