import { DEFAULT_MAX_COPY_UP_ROWS } from '../../cow/postgres/copy-up-limit.ts'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { MeshError } from '../../core/errors.ts'
import type { Endpoint } from '../../core/segment.ts'
import type { Authentication, AuthenticationMethod } from '../../cow/postgres/front/authentication.ts'
import { AUTHENTICATION_METHODS } from '../../cow/postgres/front/authentication.ts'
import type { PostgresProxyOptions } from '../../cow/postgres/proxy.ts'
import type { ServerOptions } from '../../cow/postgres/server-options.ts'
import { readPasswords } from './cow-passwords.ts'
import type { Flag, FlagValues } from '../flags.ts'
import { choiceFlag, countFlag, listenFlag, spanFlag, switchFlag, textFlag, withDefault } from '../flags.ts'
import { parsePostgresUrl } from './postgres-url.ts'
import { readText } from '../read-text.ts'

/** Which branch of which production: what every verb of `cow` takes. */
export type BranchFlags = {
  readonly upstream: Flag<string | undefined>
  readonly branch: Flag<string | undefined>
  readonly overlay: Flag<string | undefined>
  readonly state: Flag<string | undefined>
}

export const BRANCH_FLAGS: BranchFlags = {
  upstream: textFlag('upstream', '<url>', 'production: postgres://reader@host/database, read only'),
  branch: textFlag('branch', '<name>', 'the branch to work on (default: the first one)'),
  overlay: textFlag('overlay', '<url>', 'a PostgreSQL 18 of your own for the branches (default: an embedded one)'),
  state: textFlag('state', '<folder>', 'where branches and the audit log are kept'),
}

/** The flags of a proxy. */
export type CowFlags = BranchFlags & {
  readonly listen: Flag<Endpoint>
  readonly auth: Flag<AuthenticationMethod | undefined>
  readonly passwords: Flag<string | undefined>
  readonly certificate: Flag<string | undefined>
  readonly key: Flag<string | undefined>
  readonly maxClients: Flag<number>
  readonly maxCopyUpRows: Flag<number>
  readonly connections: Flag<number>
  readonly statementTimeout: Flag<number>
  readonly trust: Flag<boolean>
  readonly metrics: Flag<Endpoint | undefined>
}

export const COW_FLAGS: CowFlags = {
  ...BRANCH_FLAGS,
  listen: withDefault(listenFlag('listen', 'where clients connect'), '127.0.0.1:5433'),
  auth: choiceFlag('auth', AUTHENTICATION_METHODS, 'what clients are asked for (default trust, on this machine only)'),
  passwords: textFlag('password-file', '<file>', 'lines of user:password, * for any user'),
  certificate: textFlag('tls-cert', '<file>', 'offer TLS to clients, with this certificate (PEM)'),
  key: textFlag('tls-key', '<file>', 'its key (PEM)'),
  maxClients: withDefault(countFlag('max-clients', 'clients at a time'), '200'),
  maxCopyUpRows: withDefault(
    countFlag('max-copy-up-rows', 'rows of production that one statement may change'),
    String(DEFAULT_MAX_COPY_UP_ROWS),
  ),
  connections: withDefault(countFlag('upstream-connections', 'connections to production at most', 2), '10'),
  statementTimeout: withDefault(spanFlag('statement-timeout', 'longest statement on production'), '60s'),
  trust: switchFlag('trust-upstream-role', 'start although the role on production may do more than read'),
  metrics: listenFlag('metrics', 'serve Prometheus metrics, /ready and /health'),
}

/** Where branches are kept unless a flag says so: as root outside private homes, because PostgreSQL runs as another user then. */
export function defaultStateFolder(environment: NodeJS.ProcessEnv, isRoot: boolean): string {
  if (isRoot) return '/var/lib/mesh/cow'
  const state = environment['XDG_STATE_HOME']
  return join(state === undefined || state === '' ? join(homedir(), '.local', 'state') : state, 'mesh', 'cow')
}

/** A folder's name for one production: host, port and database. */
export function stateName({ address, database }: ServerOptions): string {
  const host = 'host' in address ? address.host : address.socketFolder
  return `${host}-${address.port}-${database}`.replaceAll(/[^\w.-]+/g, '_')
}

/** Production by its flag. @throws MeshError MESH_ERR_USAGE where it is missing or no URL. */
export function upstreamOf(url: string | undefined, environment: NodeJS.ProcessEnv): ServerOptions {
  if (url === undefined) {
    throw new MeshError('MESH_ERR_USAGE', {
      what: 'expected --upstream, the database that is read',
      remedy: 'add --upstream postgres://reader@host/database',
    })
  }
  return parsePostgresUrl(url, '--upstream', environment['PGPASSWORD'])
}

/** Where the branches of one production are. */
export type BranchPlace = Pick<PostgresProxyOptions, 'upstream' | 'overlay' | 'stateFolder' | 'branch'>

/** What the flags that every verb takes say. @throws MeshError MESH_ERR_USAGE for what they cannot mean. */
export function branchPlaceOf(
  flags: Omit<FlagValues<BranchFlags>, 'branch'> & { readonly branch?: string | undefined },
  environment: NodeJS.ProcessEnv,
  isRoot: boolean,
): BranchPlace {
  const upstream = upstreamOf(flags.upstream, environment)
  const folder = flags.state ?? defaultStateFolder(environment, isRoot)
  const name = stateName(upstream)
  return {
    upstream,
    overlay:
      flags.overlay === undefined
        ? { kind: 'embedded', stateFolder: folder, name }
        : { kind: 'external', server: parsePostgresUrl(flags.overlay, '--overlay', environment['PGPASSWORD']) },
    stateFolder: join(folder, `${name}.gate`),
    branch: branchNameOf(flags.branch),
  }
}

/** The options of a proxy. @throws MeshError MESH_ERR_USAGE for what does not go together. */
export function proxyOptionsOf(
  flags: FlagValues<CowFlags>,
  environment: NodeJS.ProcessEnv,
  isRoot: boolean,
): PostgresProxyOptions {
  return {
    ...branchPlaceOf(flags, environment, isRoot),
    listen: flags.listen,
    tls: tlsOf(flags.certificate, flags.key),
    authentication: authenticationOf(flags),
    maxClients: flags.maxClients,
    limits: { maxCopyUpRows: flags.maxCopyUpRows },
    poolSize: flags.connections,
    statementTimeoutMs: Math.ceil(flags.statementTimeout / 1e6),
    trustUpstreamRole: flags.trust,
  }
}

/** Names become a part of a database's name, of 63 bytes at most, and of what people type. */
export function branchNameOf(name: string | undefined, where = '--branch'): string {
  if (name === undefined || name === '') return ''
  if (/^[a-z0-9][a-z0-9_.-]{0,30}$/.test(name)) return name
  throw new MeshError('MESH_ERR_USAGE', {
    what: `expected a branch name of up to 31 letters, digits and ._-, in lower case, found "${name}"`,
    where,
  })
}

function tlsOf(certificate: string | undefined, key: string | undefined): PostgresProxyOptions['tls'] {
  if (certificate === undefined && key === undefined) return undefined
  if (certificate === undefined || key === undefined) {
    throw new MeshError('MESH_ERR_USAGE', { what: 'expected both --tls-cert and --tls-key, found one' })
  }
  return { certificate: readText(certificate), key: readText(key), alpnProtocols: ['postgresql'] }
}

function authenticationOf({ auth, passwords, listen }: FlagValues<CowFlags>): Authentication {
  const passwordOf = passwords === undefined ? (): undefined => undefined : readPasswords(passwords)
  const method = auth ?? (passwords === undefined ? 'trust' : 'scram-sha-256')
  if (method !== 'trust' && passwords === undefined) {
    throw new MeshError('MESH_ERR_USAGE', {
      what: `expected passwords for --auth ${method}, found none`,
      remedy: 'add --password-file FILE with lines of user:password',
    })
  }
  const isLocal = /^(?:127\.|::1$)/.test(listen.address)
  if (auth === undefined && method === 'trust' && !isLocal) {
    throw new MeshError('MESH_ERR_USAGE', {
      what: `clients of other machines would see production's data without a password (--listen ${listen.address})`,
      remedy: 'add --password-file FILE, or say --auth trust',
    })
  }
  return { method, passwordOf }
}
