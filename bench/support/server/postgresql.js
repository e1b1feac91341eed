import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { isInstalled, runProgram, startChild, temporaryFolder } from '../processes.js'
import { freePort } from './nginx.js'

const DEBIAN = '/usr/lib/postgresql'
const SUPERUSER = 'bench'

/** Of data that fits in memory, without waiting for a disk: what is measured is what stands before it. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  max_connections: '400',
  shared_buffers: '512MB',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  autovacuum: 'off',
  max_wal_size: '4GB',
}

/** Why there is no PostgreSQL with pgbench, or undefined where there is. */
export function postgresAbsent() {
  if (!isInstalled('pgbench') || !isInstalled('psql')) return 'pgbench is not installed (apt-get install postgresql)'
  return programsFolder() === undefined ? `no server is installed in ${DEBIAN} (apt-get install postgresql)` : undefined
}

/** The newest server that Debian has installed. */
function programsFolder() {
  if (!existsSync(DEBIAN)) return undefined
  const versions = readdirSync(DEBIAN).map(Number).filter(Number.isFinite)
  for (const version of versions.toSorted((one, other) => other - one)) {
    const folder = join(DEBIAN, String(version), 'bin')
    if (existsSync(join(folder, 'postgres'))) return folder
  }
  return undefined
}

/** As whom a server runs: ourselves, but not root, which PostgreSQL and PgBouncer refuse. */
export function serverAccount() {
  if (process.getuid() !== 0) return {}
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

/**
 * A server with pgbench's tables in the database `bench`, owned by `app`; `reader` may read them. `sql` runs a text as the
 * superuser and gives its rows, cells joined by `|`.
 */
export async function startPostgresql({ scale }) {
  const programs = programsFolder()
  const account = serverAccount()
  const folder = servedFolder('mesh-bench-pg-')
  const data = join(folder, 'data')
  const options = { ...account, cwd: folder }
  const locale = ['--encoding=UTF8', '--locale=C', '--auth=trust', '--no-sync']
  await runProgram(join(programs, 'initdb'), ['-D', data, '-U', SUPERUSER, ...locale], options)
  const port = await freePort()
  const settings = { ...SETTINGS, port, unix_socket_directories: folder }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`)
  writeFileSync(join(data, 'postgresql.auto.conf'), lines.join(''))
  const child = startChild(join(programs, 'postgres'), ['-D', data], options)
  await child.seen('err', /ready to accept connections/)
  const sql = (text, database = 'bench') => ask({ port, user: SUPERUSER, database }, text)
  await sql('CREATE ROLE app LOGIN; CREATE ROLE reader LOGIN; GRANT pg_read_all_data TO reader', 'postgres')
  await sql('CREATE DATABASE bench OWNER app', 'postgres')
  await runProgram('pgbench', ['-i', '-q', '-s', `${scale}`, '-U', 'app', '-h', '127.0.0.1', '-p', `${port}`, 'bench'])
  await sql('VACUUM ANALYZE')
  const version = spawnSync(join(programs, 'postgres'), ['--version'], { encoding: 'utf8' }).stdout.trim()
  // INT is a fast shutdown: backends end with their clients.
  return { port, pid: child.pid, version, sql, stop: () => child.stop('SIGINT') }
}

/** Runs a text of one or more statements with psql: the rows that it prints. */
export async function ask({ port, user, database }, text) {
  const words = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-h', '127.0.0.1', '-p', `${port}`, '-U', user]
  const { out } = await runProgram('psql', [...words, '-d', database, '-c', text])
  return out.split('\n').filter((line) => line !== '')
}
