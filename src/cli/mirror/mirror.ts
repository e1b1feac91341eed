import type { Command } from 'commander'
import { MeshError } from '../../core/errors.ts'
import type { Endpoint } from '../../core/segment.ts'
import { type DataProxyStarter, NO_DATA_PROXIES } from '../../mirror/data-proxy.ts'
import { assembleMirror } from './mirror-assembly.ts'
import type { Config } from '../config.ts'
import type { Environment } from '../environments.ts'
import type { ExitCode } from '../exit-codes.ts'
import { EXIT } from '../exit-codes.ts'
import { isSamePlace } from '../capture/inline-tap.ts'
import type { NamedProof } from './mirror-data.ts'
import { dataProofText, judgeProofs, withDataProxies } from './mirror-data.ts'
import { mirrorFiles } from './mirror-files.ts'
import { MIRROR_FLAGS } from './mirror-flags.ts'
import type { MirrorOutcome } from './mirror-run.ts'
import { runMirror } from './mirror-run.ts'
import type { MirrorSettings } from './mirror-settings.ts'
import { environmentOf, mirrorSettingsOf } from './mirror-target.ts'
import { proofText } from './mirror-text.ts'
import { ringBytesOf, tapOptionsOf } from '../capture/tap-flags.ts'
import type { Terminal } from '../terminal.ts'
import { readUnsealing } from '../unsealing.ts'
import type { Caller } from '../verb.ts'
import { commandOf } from '../verb.ts'

/** `mesh mirror`: production's requests, live or recorded, to a second target as well. */
export function mirrorCommand(caller: Caller): Command {
  return commandOf(
    {
      name: 'mirror',
      summary: 'copy live traffic to staging without delaying it, and compare the replies',
      examples: [
        'mesh mirror --listen :8080 --upstream 127.0.0.1:9000 --to http://staging:8080 --sample 10%',
        'mesh mirror --listen :8080 --upstream 127.0.0.1:9000 --to staging --compare',
        'mesh mirror shop.mcap --to staging --compare',
      ],
      words: '[file...]',
      flags: MIRROR_FLAGS,
      run: async ({ flags, words, terminal, config }) => {
        const environment = environmentOf(flags, config)
        const unsealing = readUnsealing(flags.unseal, (line) => terminal.warn(line))
        const data = await dataProxies(environment, config, terminal)
        if (words.length > 0) {
          if (flags.listen !== undefined || flags.upstream !== undefined) {
            throw new MeshError('MESH_ERR_USAGE', {
              what: 'expected recordings or --listen and --upstream, found both',
              remedy: 'mirror what is recorded, or what passes now',
            })
          }
          const settings = checked(mirrorSettingsOf(flags, environment, config, false))
          const run = (): Promise<MirrorOutcome> => mirrorFiles(words, settings, unsealing, flags.duration, terminal)
          const ran = await withDataProxies(data, run)
          if (ran === undefined) return stoppedEarly(terminal)
          return conclude({ outcome: ran.result, code: EXIT.ok, proofs: ran.proofs }, flags.json, terminal)
        }
        if (unsealing !== undefined) {
          throw new MeshError('MESH_ERR_USAGE', {
            what: 'expected recordings to unseal, found none: what passes now is not masked',
            where: '--unseal',
            remedy: 'leave it out, or name recordings',
          })
        }
        const options = tapOptionsOf(flags)
        const settings = checked(mirrorSettingsOf(flags, environment, config, options.tls !== undefined))
        refuseProduction(settings, options.listen, options.upstream)
        const place = { ringBytes: ringBytesOf(flags), metrics: flags.metrics, durationNs: flags.duration }
        const run = (): ReturnType<typeof runMirror> => runMirror({ options, settings, ...place }, terminal)
        const ran = await withDataProxies(data, run)
        if (ran === undefined) return stoppedEarly(terminal)
        return conclude({ ...ran.result, proofs: ran.proofs }, flags.json, terminal)
      },
    },
    caller,
  )
}

/** What they need is loaded where an environment has some. */
async function dataProxies(
  environment: Environment,
  config: Config | undefined,
  terminal: Terminal,
): Promise<DataProxyStarter> {
  if (environment.data.length === 0) return NO_DATA_PROXIES
  const { dataProxiesOf } = await import('./mirror-cow.ts')
  return dataProxiesOf(environment, config?.file ?? '', terminal)
}

/** Mistaken expressions, rules and headers are found before anything is opened. */
function checked(settings: MirrorSettings): MirrorSettings {
  assembleMirror(settings, () => 0, false).mirror.destroy()
  return settings
}

/** A copy must not come back to where it was taken. */
function refuseProduction(settings: MirrorSettings, listen: Endpoint, upstream: Endpoint): void {
  for (const [target, where] of [
    [settings.target, '--to'],
    [settings.twin, '--twin'],
  ] as const) {
    if (target === undefined) continue
    const url = new URL(target.url)
    const port = Number(url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port)
    const place = { address: plainHost(url.hostname), port }
    const itself = isSamePlace(listen, place)
    if (!itself && !isSamePlace({ ...upstream, address: plainHost(upstream.address) }, place)) continue
    throw new MeshError('MESH_ERR_USAGE', {
      what: `expected a target other than ${itself ? 'the mirror itself' : 'the service that is mirrored'}, found ${target.url}`,
      where,
      remedy: 'name a staging service',
    })
  }
}

function plainHost(host: string): string {
  const plain = host.replaceAll(/[[\]]/g, '').toLowerCase()
  return plain === 'localhost' || plain === '::1' ? '127.0.0.1' : plain
}

/** INT or TERM came before the data proxies were ready. */
function stoppedEarly(terminal: Terminal): ExitCode {
  terminal.say('stopped before the data proxies were ready: nothing was mirrored')
  return EXIT.ok
}

interface Conclusion {
  readonly outcome: MirrorOutcome | undefined
  readonly code: ExitCode
  readonly proofs: readonly NamedProof[]
}

/** Prints the proof. A write that reached production fails the run, and so do data that were lost on the way or cannot say what they did. */
function conclude({ outcome, code, proofs }: Conclusion, json: boolean, terminal: Terminal): ExitCode {
  if (outcome === undefined) return EXIT.couldNotRun
  const { report, ledger } = outcome
  if (json) {
    const { requests } = ledger
    terminal.out(`${JSON.stringify({ schema: 'mesh.mirror/v1', requests, ...report, data: proofs })}\n`)
  } else terminal.out(proofText(report, ledger) + dataProofText(proofs))
  if (ledger.requests.seen === 0) terminal.warn('mesh: no request was seen')
  const data = judgeProofs(proofs)
  if (data === 'written') return EXIT.checkFailed
  return code === EXIT.ok && data === 'lost' ? EXIT.couldNotRun : code
}
