/** The part of autocannon 9 that `autocannon.ts` uses; the package has no types of its own. */
declare module 'autocannon' {
  namespace autocannon {
    interface Request {
      readonly method: string
      readonly path: string
      readonly headers: Readonly<Record<string, string>>
      readonly body?: Buffer
    }

    interface Client {
      setRequests(requests: readonly Request[]): void
    }

    interface Options {
      readonly url: string
      readonly connections: number
      /** Seconds. */
      readonly duration: number
      /** Seconds. */
      readonly timeout: number
      readonly servername?: string
      readonly tlsOptions?: {
        readonly rejectUnauthorized: boolean
        readonly ca?: string
        readonly cert?: string
        readonly key?: string
      }
      readonly setupClient: (client: Client) => void
    }

    /** Milliseconds. */
    interface Latency {
      readonly average: number
      readonly p50: number
      readonly p90: number
      readonly p99: number
      readonly max: number
    }

    interface Result {
      /** Seconds. */
      readonly duration: number
      readonly latency: Latency
      readonly requests: { readonly average: number; readonly total: number; readonly sent: number }
      readonly throughput: { readonly total: number }
      readonly errors: number
      readonly timeouts: number
      readonly statusCodeStats: Readonly<Record<string, { readonly count: number }>>
    }

    interface Instance {
      stop(): void
    }
  }

  function autocannon(options: Options, done: (error: Error | null, result: Result) => void): Instance
  export = autocannon
}
