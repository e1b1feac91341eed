import { METHODS } from 'node:http'

import type autocannon from 'autocannon'

import { toMeshError } from '../../core/errors.ts'
import { parseHead, requestLine } from '../../core/head.ts'
import type { Target } from './target.ts'

/**
 * `--closed N`: a second opinion on the ceiling, by another program with connections, parser and clock of its own. It is a closed
 * loop: each connection sends its next request when the last was answered, so its latencies are service times, and nothing in
 * them is comparable with a response time at a rate.
 */
export interface SecondOpinionOptions {
  readonly target: Target
  /** Prepared requests, as they would go on the wire; the first 10,000 are used. */
  readonly requests: readonly Uint8Array[]
  readonly connections: number
  readonly durationNs: number
  readonly timeoutNs: number
}

/** What autocannon says, in our units: plain data. */
export interface SecondOpinion {
  readonly tool: 'autocannon'
  readonly connections: number
  /** Distinct requests that were sent in turns, and requests that it cannot send: chunked, or of a method it does not know. */
  readonly requests: number
  readonly leftOut: number
  readonly durationNs: number
  readonly replies: number
  readonly repliesPerSecond: number
  readonly bytesReceived: number
  /** Of replies; whole milliseconds, as it measures no finer. */
  readonly serviceNs: {
    readonly mean: number
    readonly p50: number
    readonly p90: number
    readonly p99: number
    readonly max: number
  }
  readonly statuses: ReadonlyMap<number, number>
  readonly errors: number
  readonly timeouts: number
}

/** It builds each connection's requests before it starts, and keeps them. */
const MAX_REQUESTS = 10_000

/**
 * Runs autocannon over the requests, dealt to its connections. Stops early, with what there is, when the signal aborts. Throws
 * MESH_ERR_INTERNAL with what autocannon says where it refuses to run.
 */
export async function secondOpinion(options: SecondOpinionOptions, signal: AbortSignal): Promise<SecondOpinion> {
  const given = options.requests.slice(0, MAX_REQUESTS)
  const requests = given.map(readRequest).filter((request) => request !== undefined)
  const hands = deal(requests, options.connections)
  let next = 0
  const result = await run(options, signal, (client) => client.setRequests(hands[next++ % hands.length] ?? []))
  return {
    ...opinion(result),
    connections: options.connections,
    requests: requests.length,
    leftOut: given.length - requests.length,
  }
}

/** The package takes a quarter of a second to load, which a replay without it should not pay. */
async function run(
  { target, connections, durationNs, timeoutNs }: SecondOpinionOptions,
  signal: AbortSignal,
  setupClient: (client: autocannon.Client) => void,
): Promise<autocannon.Result> {
  const { default: start } = await import('autocannon')
  const { tls, port } = target
  const host = target.address.includes(':') ? `[${target.address}]` : target.address
  return new Promise((resolve, reject) => {
    let instance: autocannon.Instance | undefined
    const stop = (): void => instance?.stop()
    const done = (error: Error | null, result: autocannon.Result): void => {
      signal.removeEventListener('abort', stop)
      if (error === null) resolve(result)
      else reject(toMeshError(error, 'autocannon'))
    }
    signal.addEventListener('abort', stop)
    instance = start(
      {
        url: `${tls === undefined ? 'http' : 'https'}://${host}:${port}`,
        connections,
        duration: Math.max(1, durationNs / 1e9),
        timeout: Math.max(1, Math.ceil(timeoutNs / 1e9)),
        setupClient,
        ...(tls === undefined ? {} : tlsOptions(tls)),
      },
      done,
    )
    if (signal.aborted) stop()
  })
}

function tlsOptions({
  serverName,
  verify,
  ca,
  cert,
  key,
}: NonNullable<Target['tls']>): Pick<autocannon.Options, 'servername' | 'tlsOptions'> {
  return {
    ...(serverName === '' ? {} : { servername: serverName }),
    tlsOptions: {
      rejectUnauthorized: verify,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    },
  }
}

/** Headers that autocannon writes itself: twice would be ambiguous framing. */
const ITS_OWN = new Set(['connection', 'content-length', 'keep-alive'])

/** Its view of a request: headers without duplicates, a body with a length. Undefined where it has no way to send it. */
function readRequest(bytes: Uint8Array): autocannon.Request | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = buffer.indexOf('\r\n\r\n')
  const head = parseHead(end < 0 ? buffer : buffer.subarray(0, end + 4))
  const { method, target } = requestLine(head)
  const headers: Record<string, string> = {}
  for (const { name, value } of head.fields) {
    const lower = name.toLowerCase()
    if (lower === 'transfer-encoding') return undefined
    const known = headers[lower]
    if (known !== undefined) headers[lower] = `${known}${lower === 'cookie' ? '; ' : ', '}${value}`
    else if (!ITS_OWN.has(lower)) headers[lower] = value
  }
  if (!METHODS.includes(method) || target === '') return undefined
  const body = end < 0 ? undefined : buffer.subarray(end + 4)
  return { method, path: target, headers, ...(body === undefined || body.length === 0 ? {} : { body }) }
}

/** Each connection gets its share, in turns; with fewer requests than connections, some get the same. */
function deal(requests: readonly autocannon.Request[], connections: number): autocannon.Request[][] {
  const count = Math.max(1, Math.min(connections, requests.length))
  const hands: autocannon.Request[][] = Array.from({ length: count }, () => [])
  for (const [index, request] of requests.entries()) hands[index % count]?.push(request)
  return hands
}

function opinion(result: autocannon.Result): Omit<SecondOpinion, 'connections' | 'requests' | 'leftOut'> {
  const { latency, requests, duration } = result
  const statuses = Object.entries(result.statusCodeStats).map(([status, { count }]) => [Number(status), count] as const)
  return {
    tool: 'autocannon',
    durationNs: duration * 1e9,
    replies: requests.total,
    repliesPerSecond: duration > 0 ? requests.total / duration : 0,
    bytesReceived: result.throughput.total,
    serviceNs: {
      mean: latency.average * 1e6,
      p50: latency.p50 * 1e6,
      p90: latency.p90 * 1e6,
      p99: latency.p99 * 1e6,
      max: latency.max * 1e6,
    },
    statuses: new Map(statuses),
    errors: result.errors,
    timeouts: result.timeouts,
  }
}
