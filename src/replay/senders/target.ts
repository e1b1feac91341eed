import { MeshError } from '../../core/errors.ts'

/** Where shots go, resolved: plain data that any thread can be given. See `resolveTarget`. */
export interface Target {
  /** As the user named it: for messages, and for the certificate. */
  readonly host: string
  readonly port: number
  /** The one IP address that connections are made to. */
  readonly address: string
  /** Undefined: plain TCP. */
  readonly tls: TargetTls | undefined
  /** Local addresses to connect from, in turn; none: the system's choice. Each has about 28,000 ports on Linux. */
  readonly sourceAddresses: readonly string[]
}

export interface TargetTls {
  /** SNI, and what the certificate must be for; '' where the host is an IP address. */
  readonly serverName: string
  /** False: any certificate will do (`-k`). */
  readonly verify: boolean
  /** PEM texts: trusted authorities instead of the system's, our own certificate and its key. */
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/** `--resolve host:port:address`, as in curl: an IPv6 address may stand in brackets. */
export interface ResolveRule {
  readonly host: string
  readonly port: number
  readonly address: string
}

export function parseResolveRule(text: string, where: string): ResolveRule {
  const match = /^([^:]+):(\d{1,5}):\[?([0-9a-fA-F:.]+)\]?$/.exec(text)
  const [, host, port, address] = match ?? []
  if (host === undefined || address === undefined || Number(port) > 65_535) {
    throw new MeshError('MESH_ERR_UNIT', {
      what: `expected host:port:address such as canary:8080:10.0.0.7, found "${text}"`,
      where,
    })
  }
  return { host: host.toLowerCase(), port: Number(port), address }
}
