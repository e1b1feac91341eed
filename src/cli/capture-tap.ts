import type { Command } from 'commander'
import type { TapOptions } from '../capture/tap/tap.ts'
import { MeshError } from '../core/errors.ts'
import { formatEndpoint } from '../core/segment.ts'
import { formatBytes } from '../core/units.ts'
import { MAX_RING_BYTES } from '../net/ring.ts'
import { CAPTURE_FLAGS, CAPTURE_GROUPS, recordSettings } from './capture-flags.ts'
import type { FlagGroups, FlagValues } from './flags.ts'
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
} from './flags.ts'
import { createStages } from './recording-stages.ts'
import { runTap } from './tap-run.ts'
import type { Caller } from './verb.ts'
import { commandOf } from './verb.ts'
import { readText } from './read-text.ts'

const FLAGS = {
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
  ...CAPTURE_FLAGS,
}

const GROUPS: FlagGroups<typeof FLAGS> = {
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
  ...CAPTURE_GROUPS,
}

/** A day: who drains for longer does not drain. */
const MAX_GRACE_MS = 86_400e3

/** `mesh capture tap`: an inline relay that records what it passes on. */
export function captureTapCommand(caller: Caller): Command {
  return commandOf(
    {
      name: 'tap',
      summary: 'relay connections to a service, byte for byte, and record them',
      section: 'capture',
      examples: [
        'mesh capture tap --listen :8080 --upstream 127.0.0.1:9000 -o shop.mcap',
        'mesh capture tap --listen :443 --tls-cert c.pem --tls-key k.pem --upstream 10.0.0.5:80 -o shop.mcap',
        'mesh capture tap --listen :8080 --upstream :9000 -o shop.mcap --rotate 256MiB --metrics :9464',
      ],
      flags: FLAGS,
      groups: GROUPS,
      run: async ({ flags, terminal }) => {
        const options = tapOptions(flags)
        refuseLargeRing(flags.ring)
        const description = `tap ${formatEndpoint(options.listen)} > ${formatEndpoint(options.upstream)}`
        const settings = recordSettings(flags, { description, live: true, secure: options.tls !== undefined })
        createStages(settings)
        return runTap(
          { options, settings, ringBytes: flags.ring, metrics: flags.metrics, durationNs: flags.duration },
          terminal,
        )
      },
    },
    caller,
  )
}

function tapOptions(flags: FlagValues<typeof FLAGS>): TapOptions {
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

function refuseLargeRing(ringBytes: number): void {
  if (ringBytes <= MAX_RING_BYTES) return
  throw new MeshError('MESH_ERR_UNIT', {
    what: `expected at most ${formatBytes(MAX_RING_BYTES)}, found ${formatBytes(ringBytes)}`,
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
