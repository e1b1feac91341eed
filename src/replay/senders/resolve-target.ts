import { lookup } from 'node:dns/promises'
import { type AddressInfo, connect, createServer, isIP } from 'node:net'

import { MeshError, toMeshError } from '../../core/errors.ts'
import type { ResolveRule, Target, TargetTls } from './target.ts'

/** What the user said about the target. */
export interface TargetOptions {
  /** `http://host[:port]` or `https://host[:port]`; a path is not the target's business. */
  readonly url: string
  readonly resolve?: readonly ResolveRule[]
  readonly sourceAddresses?: readonly string[]
  /** Default: the host of the URL. */
  readonly serverName?: string
  /** `-k`: take any certificate. */
  readonly insecure?: boolean
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/** Among several addresses of a name, one that does not answer within this time is passed over. */
const PROBE_TIMEOUT_MS = 2_000

/**
 * Looks the target's name up, once for the whole run: a run against two machines in turns measures neither. Where the name
 * has several addresses the first that takes a TCP connection is chosen, as `localhost` is often both ::1 and 127.0.0.1.
 * Throws MESH_ERR_USAGE, MESH_ERR_ADDRESS, or what the look-up says.
 */
export async function resolveTarget(options: TargetOptions, signal?: AbortSignal): Promise<Target> {
  const url = parseUrl(options.url)
  const host = url.hostname.replaceAll(/[[\]]/g, '')
  const port = Number(url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port)
  const sourceAddresses = options.sourceAddresses ?? []
  for (const address of sourceAddresses) await checkOwnAddress(address)
  return {
    host,
    port,
    address: await chooseAddress(host, port, options.resolve ?? [], signal),
    tls: url.protocol === 'https:' ? tlsOptions(host, options) : undefined,
    sourceAddresses,
  }
}

/**
 * Asks once whether anybody listens there, before a run that would only find out shot by shot. A target that is slow to answer
 * is let pass: that is what a run is for. Throws MESH_ERR_UNREACHABLE where the connection is refused or there is no way.
 */
export async function checkReachable({ address, port, host }: Target): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ host: address, port, timeout: PROBE_TIMEOUT_MS })
    const end = (call: () => void): void => {
      socket.destroy()
      call()
    }
    socket.once('connect', () => end(resolve))
    socket.once('timeout', () => end(resolve))
    socket.once('error', (error) => end(() => reject(toMeshError(error, `--to ${host}:${port}`))))
  })
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new MeshError('MESH_ERR_USAGE', {
      what: `expected http://host[:port] or https://host[:port], found "${text}"`,
      where: '--to',
    })
  }
  return url
}

function tlsOptions(host: string, options: TargetOptions): TargetTls {
  return {
    serverName: options.serverName ?? (isIP(host) === 0 ? host : ''),
    verify: options.insecure !== true,
    ...(options.ca === undefined ? {} : { ca: options.ca }),
    ...(options.cert === undefined ? {} : { cert: options.cert }),
    ...(options.key === undefined ? {} : { key: options.key }),
  }
}

async function chooseAddress(
  host: string,
  port: number,
  rules: readonly ResolveRule[],
  signal: AbortSignal | undefined,
): Promise<string> {
  const rule = rules.find((rule) => rule.host === host.toLowerCase() && rule.port === port)
  if (rule !== undefined) return rule.address
  if (isIP(host) !== 0) return host
  const found = await lookup(host, { all: true }).catch((error: unknown) => {
    throw toMeshError(error, `--to ${host}`)
  })
  const [first] = found
  if (first === undefined) {
    throw new MeshError('MESH_ERR_ADDRESS', { what: `expected an address of "${host}", found none`, where: '--to' })
  }
  if (found.length === 1) return first.address
  for (const { address } of found) {
    signal?.throwIfAborted()
    if (await accepts(address, port)) return address
  }
  return first.address
}

function accepts(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: PROBE_TIMEOUT_MS })
    const end = (accepted: boolean): void => {
      socket.destroy()
      resolve(accepted)
    }
    socket.once('connect', () => end(true))
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
  })
}

/** An address that is not this machine's would fail every connection with the same error as running out of ports. */
function checkOwnAddress(address: string): Promise<AddressInfo | string | null> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error) => reject(toMeshError(error, `--source-address ${address}`)))
    server.listen(0, address, () => {
      const bound = server.address()
      server.close(() => resolve(bound))
    })
  })
}
