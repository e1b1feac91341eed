import { MeshError } from '../../core/errors.ts'
import type { ServerOptions, ServerTls } from '../../cow/postgres/server-options.ts'
import { readText } from '../read-text.ts'

const TLS_MODES: readonly ServerTls[] = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full']

const DEFAULT_PORT = 5432

/** Of libpq's parameters those that have a meaning here. The name is mesh's own; where it is given it may stay. */
const PARAMETERS: readonly string[] = ['application_name', 'host', 'sslmode', 'sslrootcert']

/**
 * Reads `postgres://user:password@host:port/database?sslmode=...` as libpq does, as far as it makes sense here. `?host=/folder` names a
 * unix socket, `&sslrootcert=FILE` the authorities to trust (`system`: Node's own list). A password that is not in it comes from
 * `password`, as PGPASSWORD. Errors never show the password.
 *
 * @throws MeshError MESH_ERR_USAGE for what is not understood, a parameter too: one that was meant to protect is not passed over.
 */
export function parsePostgresUrl(text: string, where: string, password: string | undefined): ServerOptions {
  const url = readUrl(text, where)
  const database = decode(url.pathname.slice(1))
  const user = decode(url.username)
  if (database === '' || user === '') {
    throw new MeshError('MESH_ERR_USAGE', {
      what: `expected a user and a database, found ${user === '' ? 'no user' : 'no database'}`,
      where,
      remedy: 'write postgres://USER@HOST:PORT/DATABASE',
    })
  }
  const unknown = [...url.searchParams.keys()].find((name) => !PARAMETERS.includes(name))
  if (unknown !== undefined) {
    throw new MeshError('MESH_ERR_USAGE', {
      what: `expected the parameters ${PARAMETERS.join(', ')}, found "${unknown}"`,
      where,
    })
  }
  const port = url.port === '' ? DEFAULT_PORT : Number(url.port)
  const folder = url.searchParams.get('host') ?? ''
  const mode = url.searchParams.get('sslmode') ?? 'prefer'
  const tls = TLS_MODES.find((known) => known === mode)
  if (tls === undefined) {
    throw new MeshError('MESH_ERR_USAGE', {
      what: `expected sslmode=${TLS_MODES.join('|')}, found "${mode}"`,
      where,
    })
  }
  const given = url.password === '' ? password : decode(url.password)
  return {
    address: folder.startsWith('/') ? { socketFolder: folder, port } : { host: hostOf(url), port },
    user,
    database,
    tls,
    ...authoritiesOf(url.searchParams.get('sslrootcert')),
    ...(given === undefined || given === '' ? {} : { password: given }),
  }
}

function authoritiesOf(file: string | null): { readonly ca?: string } {
  return file === null || file === '' || file === 'system' ? {} : { ca: readText(file) }
}

function readUrl(text: string, where: string): URL {
  if (/^postgres(?:ql)?:\/\//.test(text)) {
    try {
      // Known schemes alone have hosts with rules; the name of this one means nothing to URL.
      return new URL(text.replace(/^postgres(?:ql)?:/, 'http:'))
    } catch {
      // Said below, without the text: it may hold a password.
    }
  }
  throw new MeshError('MESH_ERR_USAGE', {
    what: 'expected a PostgreSQL URL, found something else',
    where,
    remedy: 'write postgres://USER@HOST:PORT/DATABASE',
  })
}

function hostOf({ hostname }: URL): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : decode(hostname)
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The address as a person knows it: without user and password. */
export function postgresPlace({ address, database }: ServerOptions): string {
  const host = 'host' in address ? address.host : address.socketFolder
  return `${database} at ${host.includes(':') ? `[${host}]` : host}:${address.port}`
}
