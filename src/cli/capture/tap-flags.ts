import type { TapOptions } from '../../capture/tap/tap.ts'
import { MeshError } from '../../core/errors.ts'
import type { Endpoint } from '../../core/segment.ts'
import { formatBytes } from '../../core/units.ts'
import { MAX_RING_BYTES } from '../../net/ring.ts'
import type { Flag, FlagGroups, FlagValues } from '../flags.ts'
import {
  addressFlag,
  choiceFlag,
  countFlag,
  durationFlag,
  listenFlag,
  required,
  sizeFlag,
  switchFlag,
  textFlag,
  withDefault,
} from '../flags.ts'
import { readText } from '../read-text.ts'

/** The flags of an inline tap, whoever reads it. */
export type TapFlags = {
  readonly listen: Flag<Endpoint | undefined>
  readonly upstream: Flag<Endpoint | undefined>
  readonly tlsCert: Flag<string | undefined>
  readonly tlsKey: Flag<string | undefined>
  readonly upstreamTls: Flag<boolean>
  readonly upstreamCa: Flag<string | undefined>
  readonly upstreamSni: Flag<string | undefined>
  readonly upstreamInsecure: Flag<boolean>
  readonly proxyProtocol: Flag<'v1' | 'v2' | undefined>
  readonly acceptProxyProtocol: Flag<boolean>
  readonly maxConnections: Flag<number | undefined>
  readonly grace: Flag<number>
  readonly ring: Flag<number>
  readonly metrics: Flag<Endpoint | undefined>
}

export const TAP_FLAGS: TapFlags = {
  listen: listenFlag('listen', 'where clients connect'),
  upstream: addressFlag('upstream', 'the service behind it; without a host, 127.0.0.1'),
  tlsCert: textFlag('tls-cert', '<file>', 'end TLS here with this certificate (PEM, with its chain)'),
  tlsKey: textFlag('tls-key', '<file>', 'and its key'),
  upstreamTls: switchFlag('upstream-tls', 'speak TLS to the upstream'),
  upstreamCa: textFlag('upstream-ca', '<file>', 'trust this authority there (PEM)'),
  upstreamSni: textFlag('upstream-sni', '<name>', 'the name to ask for there (default its host)'),
  upstreamInsecure: switchFlag('upstream-insecure', 'verify nothing there'),
  proxyProtocol: choiceFlag('proxy-protocol', ['v1', 'v2'], 'announce the client to the upstream'),
  acceptProxyProtocol: switchFlag('accept-proxy-protocol', 'clients announce themselves with a PROXY header'),
  maxConnections: countFlag('max-connections', 'connections at a time; those beyond it are reset (default 16384)'),
  grace: withDefault(durationFlag('grace', 'how long connections may go on after INT or TERM'), '10s'),
  ring: withDefault(
    sizeFlag('ring', 'copies that wait for the recorder, up to 1GiB; more are dropped, traffic never'),
    '32MiB',
  ),
  metrics: listenFlag('metrics', 'serve /metrics (Prometheus), /ready and /health here'),
}

/** How the help of an inline tap shows them. */
export const TAP_GROUPS: FlagGroups<TapFlags> = {
  'Relay:': [
    'listen',
    'upstream',
    'proxyProtocol',
    'acceptProxyProtocol',
    'maxConnections',
    'grace',
    'ring',
    'metrics',
  ],
  'TLS:': ['tlsCert', 'tlsKey', 'upstreamTls', 'upstreamCa', 'upstreamSni', 'upstreamInsecure'],
}

/** A day: who drains for longer does not drain. */
const MAX_GRACE_MS = 86_400e3

export function tapOptionsOf(flags: FlagValues<TapFlags>): TapOptions {
  const { upstreamCa, upstreamSni } = flags
  const upstreamTls = {
    ...(upstreamCa === undefined ? {} : { certificateAuthority: readText(upstreamCa) }),
    ...(upstreamSni === undefined ? {} : { serverName: upstreamSni }),
    insecure: flags.upstreamInsecure,
  }
  return {
    listen: required(flags.listen, 'listen', '--listen :8080'),
    upstream: required(flags.upstream, 'upstream', '--upstream 127.0.0.1:9000'),
    ...termination(flags.tlsCert, flags.tlsKey),
    ...(flags.upstreamTls || flags.upstreamInsecure || upstreamCa !== undefined ? { upstreamTls } : {}),
    ...(flags.proxyProtocol === undefined ? {} : { proxyProtocol: flags.proxyProtocol }),
    acceptProxyProtocol: flags.acceptProxyProtocol,
    ...(flags.maxConnections === undefined ? {} : { maxConnections: flags.maxConnections }),
    graceMs: Math.min(flags.grace / 1e6, MAX_GRACE_MS),
  }
}

/** The size of the ring. @throws MeshError MESH_ERR_UNIT beyond what a ring may have. */
export function ringBytesOf({ ring }: FlagValues<TapFlags>): number {
  if (ring <= MAX_RING_BYTES) return ring
  throw new MeshError('MESH_ERR_UNIT', {
    what: `expected at most ${formatBytes(MAX_RING_BYTES)}, found ${formatBytes(ring)}`,
    where: '--ring',
    remedy: 'it is memory, and a recorder that is further behind does not catch up',
  })
}

function termination(certificate: string | undefined, key: string | undefined): Pick<TapOptions, 'tls'> {
  if (certificate === undefined && key === undefined) return {}
  if (certificate === undefined || key === undefined) {
    const what = `--tls-${certificate === undefined ? 'cert' : 'key'} is missing`
    throw new MeshError('MESH_ERR_USAGE', { what, remedy: 'TLS needs both, a certificate and its key' })
  }
  return { tls: { certificate: readText(certificate), key: readText(key) } }
}
