import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { isInstalled, startChild } from '../processes.js'
import { freePort } from './nginx.js'
import { serverAccount, servedFolder } from './postgres.js'

/** Why there is no PgBouncer, or undefined where there is. */
export function pgbouncerAbsent() {
  const found = isInstalled('pgbouncer') || existsSync('/usr/sbin/pgbouncer')
  return found ? undefined : 'pgbouncer is not installed (apt-get install pgbouncer)'
}

/** PgBouncer in session mode before a server on this machine, with nothing of its own: no log of connections, no statistics. */
export async function startPgbouncer(upstreamPort) {
  const folder = servedFolder('mesh-bench-bouncer-')
  const port = await freePort()
  const file = join(folder, 'pgbouncer.ini')
  writeFileSync(
    file,
    `[databases]
bench = host=127.0.0.1 port=${upstreamPort} dbname=bench user=app
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = session
default_pool_size = 100
max_client_conn = 500
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
stats_period = 3600
`,
  )
  const path = isInstalled('pgbouncer') ? 'pgbouncer' : '/usr/sbin/pgbouncer'
  const child = startChild(path, [file], { ...serverAccount(), cwd: folder })
  await child.seen('err', /process up/)
  return { port, pid: child.pid, stop: () => child.stop('SIGKILL') }
}
