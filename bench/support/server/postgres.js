import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { runProgram, startChild, temporaryFolder } from '../processes.js'
import { freePort } from './nginx.js'

const DEBIAN = '/usr/lib/postgresql'
const OWNER = 'owner'

/** Why there is no PostgreSQL, or undefined where there is. */
export function postgresAbsent() {
  return postgresPrograms() === undefined
    ? `no server is installed in ${DEBIAN} (apt-get install postgresql)`
    : undefined
}

/** Where the newest PostgreSQL that Debian has installed has its programs, psql and pgbench among them. */
export function postgresPrograms() {
  if (!existsSync(DEBIAN)) return undefined
  const versions = readdirSync(DEBIAN).map(Number).filter(Number.isFinite)
  const folders = versions.toSorted((one, other) => other - one).map((version) => join(DEBIAN, String(version), 'bin'))
  return folders.find((folder) => existsSync(join(folder, 'postgres')) && existsSync(join(folder, 'pgbench')))
}

/** As whom a server runs: ourselves, but not root, which PostgreSQL and PgBouncer refuse. */
export function serverAccount() {
  if (process.getuid?.() !== 0) return {}
  const users = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = users.find((line) => line.startsWith(`${name}:`))?.split(':') ?? []
    if (uid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error('expected a user postgres or nobody, found none')
}

/** A folder in /tmp that the server's account owns. */
export function servedFolder(prefix) {
  const folder = temporaryFolder(prefix)
  const { uid, gid } = serverAccount()
  if (uid !== undefined) chownSync(folder, uid, gid)
  chmodSync(folder, 0o755)
  return folder
}

/** Starts a PostgreSQL with defaults but for `settings`, which trusts everybody on this machine. `url` is of a role's database. */
export async function startPostgres(settings = {}) {
  const programs = postgresPrograms()
  const folder = servedFolder('mesh-bench-postgres-')
  const { uid, gid } = serverAccount()
  const data = join(folder, 'data')
  mkdirSync(data, { mode: 0o700 })
  if (uid !== undefined) chownSync(data, uid, gid)
  const options = { ...serverAccount(), cwd: folder }
  const words = ['-D', data, '-U', OWNER, '--auth=trust', '--no-sync', '--encoding=UTF8', '--locale=C']
  await runProgram(join(programs, 'initdb'), words, options)
  const port = await freePort()
  const all = { port, listen_addresses: '127.0.0.1', unix_socket_directories: folder, fsync: 'off', ...settings }
  const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const child = startChild(join(programs, 'postgres'), ['-D', data, ...flags], options)
  await child.seen('err', /ready to accept connections/)
  const version = spawnSync(join(programs, 'postgres'), ['--version'], { encoding: 'utf8' }).stdout.trim()
  const url = (database, role = OWNER) => databaseUrl(port, database, role)
  // INT is a fast shutdown: backends end with their clients.
  return { port, pid: child.pid, version, url, stop: () => child.stop('SIGINT') }
}

export function databaseUrl(port, database, role) {
  return `postgres://${role}@127.0.0.1:${port}/${database}`
}

/** Runs SQL at a URL with psql: the lines that it prints, cells joined by `|`. Any error ends it. */
export async function runSql(url, sql, seconds = 600) {
  const file = join(temporaryFolder('mesh-bench-sql-'), 'statements.sql')
  writeFileSync(file, sql)
  const words = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-f', file, url]
  const { out } = await runProgram(join(postgresPrograms(), 'psql'), words, { seconds })
  return out.split('\n').filter((line) => line !== '')
}
