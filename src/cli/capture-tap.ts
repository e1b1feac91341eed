import type { Command } from 'commander'
import type { TapOptions } from '../capture/tap/tap.ts'
import { MeshError } from '../core/errors.ts'
import { formatEndpoint } from '../core/segment.ts'
import { CAPTURE_FLAGS, recordSettings } from './capture-flags.ts'
import type { FlagValues } from './flags.ts'
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
import type { Finish } from './verb.ts'
import { commandOf } from './verb.ts'
import { readText } from './read-text.ts'

const FLAGS = {
  listen: listenFlag('listen', 'where clients connect'),
  upstream: addressFlag('upstream', 'the service behind it, host:port'),
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
    sizeFlag('ring', 'copies waiting for the recorder; beyond it copies are dropped, traffic never'),
    '32MiB',
  ),
  metrics: listenFlag('metrics', 'serve /metrics (Prometheus), /ready and /health here'),
  ...CAPTURE_FLAGS,
}

/** A day: who drains for longer does not drain. */
const MAX_GRACE_MS = 86_400e3

/** `mesh capture tap`: an inline relay that records what it passes on. */
export function captureTapCommand(finish: Finish): Command {
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
      run: async ({ flags, terminal }) => {
        const options = tapOptions(flags)
        const description = `tap ${formatEndpoint(options.listen)} > ${formatEndpoint(options.upstream)}`
        const settings = recordSettings(flags, { description, live: true, secure: options.tls !== undefined })
        createStages(settings)
        return runTap(
          { options, settings, ringBytes: flags.ring, metrics: flags.metrics, durationNs: flags.duration },
          terminal,
        )
      },
    },
    finish,
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

function termination(certificate: string | undefined, key: string | undefined): Pick<TapOptions, 'tls'> {
  if (certificate === undefined && key === undefined) return {}
  if (certificate === undefined || key === undefined) {
    const what = `--tls-${certificate === undefined ? 'cert' : 'key'} is missing`
    throw new MeshError('MESH_ERR_USAGE', { what, remedy: 'TLS needs both, a certificate and its key' })
  }
  return { tls: { certificate: readText(certificate), key: readText(key) } }
}
