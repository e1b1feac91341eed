import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { runProgram, startChild, temporaryFolder } from '../processes.js'
import { freePort } from './nginx.js'

const DEBIAN = '/usr/lib/postgresql'

/** Where a PostgreSQL of this machine has its programs, the newest first; undefined where there is none. */
export function postgresPrograms() {
  const versions = spawnSync('ls', [DEBIAN], { encoding: 'utf8' }).status === 0 ? readdirSync(DEBIAN) : []
  const newest = versions.toSorted((a, b) => Number(b) - Number(a))[0]
  return newest === undefined ? undefined : join(DEBIAN, newest, 'bin')
}

/** Starts a PostgreSQL with defaults but for `settings`, which trusts everybody on this machine. */
export async function startPostgres(programs, settings = {}) {
  const folder = temporaryFolder('mesh-bench-postgres-')
  const owner = serverUser()
  chmodSync(folder, 0o755)
  const data = join(folder, 'data')
  const sockets = join(folder, 'socket')
  for (const path of [data, sockets]) {
    mkdirSync(path, { mode: 0o700 })
    if (owner.uid !== undefined) chownSync(path, owner.uid, owner.gid)
  }
  const options = { ...owner, cwd: '/' }
  await runProgram(
    join(programs, 'initdb'),
    ['-D', data, '-U', 'owner', '--auth=trust', '--no-sync', '-E', 'UTF8', '--locale=C'],
    options,
  )
  const port = await freePort()
  const all = { port, listen_addresses: '127.0.0.1', unix_socket_directories: sockets, fsync: 'off', ...settings }
  const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const child = startChild(join(programs, 'postgres'), ['-D', data, ...flags], options)
  await child.seen('err', /ready to accept connections/)
  return { port, pid: child.pid, programs, stop: () => child.stop('SIGINT') }
}

/** Runs SQL at a URL; what it prints, unaligned. Any error ends it. */
export async function runSql(programs, url, sql, seconds = 600) {
  const file = join(temporaryFolder('mesh-bench-sql-'), 'statements.sql')
  writeFileSync(file, sql)
  const words = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-f', file, url]
  const { out } = await runProgram(join(programs, 'psql'), words, { seconds })
  return out.trim()
}

/** PostgreSQL refuses to run as root. */
function serverUser() {
  if (process.getuid?.() !== 0) return {}
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => each.startsWith('postgres:'))
  if (line === undefined) throw new Error('expected a user postgres to run PostgreSQL as, found none')
  const [, , uid, gid] = line.split(':')
  return { uid: Number(uid), gid: Number(gid) }
}
