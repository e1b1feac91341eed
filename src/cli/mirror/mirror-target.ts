import { randomBytes } from 'node:crypto'
import { MeshError } from '../../core/errors.ts'
import type { Config } from '../config.ts'
import type { Environment } from '../environments.ts'
import { readEnvironment } from '../environments.ts'
import type { FlagValues } from '../flags.ts'
import { required } from '../flags.ts'
import type { MirrorFlags } from './mirror-flags.ts'
import type { MirrorSettings } from './mirror-settings.ts'
import { readText } from '../read-text.ts'
import { headerOf } from '../replay/replay-flags.ts'
import { targetUrl } from '../target-url.ts'

type Flags = FlagValues<MirrorFlags>

const DEFAULT_TIMEOUT_NS = 5e9

/** The environment that `--to` names, or one of its own for a URL. */
export function environmentOf(flags: Flags, config: Config | undefined): Environment {
  const to = required(flags.to, 'to', '--to staging, or --to http://staging:8080')
  const environments = config?.environments ?? {}
  const written = Object.hasOwn(environments, to) ? environments[to] : undefined
  if (written !== undefined && config !== undefined) {
    const environment = readEnvironment(to, written, config.file)
    if (flags.allowWrites && !environment.writes) {
      throw new MeshError('MESH_ERR_USAGE', {
        what: `the environment ${to} does not allow writes`,
        where: '--allow-writes',
        remedy: `say writes: true in ${config.file}`,
      })
    }
    const url = targetUrl(environment.url, `${config.file}: environments.${to}.url`)
    return { ...environment, url }
  }
  if (!/[:/]/.test(to)) {
    const names = Object.keys(environments)
    const known = names.length === 0 ? 'mesh.yaml has no environments' : `known are ${names.join(', ')}`
    throw new MeshError('MESH_ERR_USAGE', {
      what: `expected an environment or a URL, found "${to}"; ${known}`,
      where: '--to',
      remedy: 'name one, or write http://host:port',
    })
  }
  return {
    name: undefined,
    url: targetUrl(to),
    writes: flags.allowWrites,
    headers: [],
    sample: undefined,
    base: 'live',
    compare: false,
    ignore: [],
    twin: undefined,
    timeoutNs: undefined,
    data: [],
  }
}

/** What the mirroring thread has to know. Flags go before the environment's settings; headers and rules add to them. */
export function mirrorSettingsOf(
  flags: Flags,
  environment: Environment,
  config: Config | undefined,
  secure: boolean,
): MirrorSettings {
  const twin = flags.twin ?? environment.twin
  const ca = flags.cacert === undefined ? undefined : readText(flags.cacert)
  const place = { insecure: flags.insecure, ca }
  const ours = flags.header.map(headerOf)
  const replaced = new Set(ours.map(({ name }) => name.toLowerCase()))
  return {
    originUnixNs: 0n,
    target: { url: environment.url, ...place },
    twin: twin === undefined ? undefined : { url: twinUrl(twin, environment.url), ...place },
    headers: [...environment.headers.filter(({ name }) => !replaced.has(name.toLowerCase())), ...ours],
    keepHost: flags.keepHost,
    runId: randomBytes(6).toString('hex'),
    allowWrites: environment.writes,
    base: environment.base,
    compare: flags.compare || environment.compare || twin !== undefined,
    ignore: [...environment.ignore, ...flags.ignore],
    ignoreWhere:
      environment.ignore.length === 0
        ? '--ignore'
        : `${config?.file ?? ''}: environments.${environment.name}.compare.ignore`,
    maskRules: flags.mask,
    match: flags.match ?? '',
    session: flags.session ?? '',
    sample: flags.sample ?? environment.sample ?? 1,
    timeoutNs: flags.timeout ?? environment.timeoutNs ?? DEFAULT_TIMEOUT_NS,
    maxInFlight: flags.maxInFlight,
    maxBodyBytes: flags.maxBody,
    secure,
    routes: config?.routes ?? [],
  }
}

/** The same copy goes to both, so that only the place may differ. */
function twinUrl(text: string, url: string): string {
  const twin = targetUrl(text, '--twin')
  const [ours, theirs] = [new URL(url), new URL(twin)]
  if (ours.host === theirs.host) {
    throw new MeshError('MESH_ERR_USAGE', {
      what: 'expected a second staging, found the same one again',
      where: '--twin',
    })
  }
  if (ours.pathname !== theirs.pathname) {
    const what = `expected the path of the target, ${ours.pathname}, found ${theirs.pathname}`
    throw new MeshError('MESH_ERR_USAGE', { what, where: '--twin' })
  }
  return twin
}
