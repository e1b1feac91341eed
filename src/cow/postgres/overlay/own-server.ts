import { MeshError } from '../../../core/errors.ts'
import type { ServerConnection } from '../server-connection.ts'
import { rowsOf } from './rows.ts'

/** What tells a cluster from every other one; a physical replica has that of its primary. Any role may ask. */
export const CLUSTER_QUERY = 'SELECT system_identifier::text FROM pg_catalog.pg_control_system()'

/** Classes of advisory locks have one key for all; this one is mesh's. */
const LOCK_CLASS = 1_298_494_312

const FACTS = `SELECT pg_catalog.current_setting('server_version_num'), r.rolsuper, (${CLUSTER_QUERY})
  FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user`

/**
 * Checks that a server of the user's own can be an overlay, before anything is written there.
 *
 * @throws MeshError MESH_ERR_USAGE where it is production's own server or one of another version, MESH_ERR_PERMISSION where we are no
 * superuser there.
 */
export async function requireOverlayServer(admin: ServerConnection, productionCluster: string): Promise<void> {
  const [[version, isSuperuser, cluster] = []] = rowsOf(await admin.query(FACTS))
  if (cluster === productionCluster) {
    throw new MeshError('MESH_ERR_USAGE', {
      what: 'expected --overlay to be another server than --upstream, found that both are one cluster, or replicas of one',
      where: admin.where,
      remedy: 'name a server of its own in --overlay: branches are databases there, and mesh writes to it',
    })
  }
  const major = Math.floor(Number(version) / 10_000)
  if (major !== 18) {
    throw new MeshError('MESH_ERR_USAGE', {
      what: `expected PostgreSQL 18 in --overlay, found ${major}`,
      where: admin.where,
      remedy: 'name a server of that version',
    })
  }
  if (isSuperuser === 't') return
  throw new MeshError('MESH_ERR_PERMISSION', {
    what: 'expected a superuser in --overlay, found a role that is none',
    where: admin.where,
    remedy: 'name a superuser of that server',
  })
}

/**
 * Takes a branch for this process, as long as the connection lives.
 *
 * @throws MeshError MESH_ERR_FILE_EXISTS where another proxy has it.
 */
export async function lockBranch(admin: ServerConnection, database: string): Promise<void> {
  const lock = `SELECT pg_catalog.pg_try_advisory_lock(${LOCK_CLASS}, pg_catalog.hashtext($1))`
  const { rows } = await admin.execute(lock, [database])
  if (rows[0]?.[0] === 't') return
  throw new MeshError('MESH_ERR_FILE_EXISTS', {
    what: `another mesh serves the branch's database "${database}" on this overlay`,
    where: admin.where,
    remedy: 'stop it, or choose another --branch or --overlay',
  })
}

/** How long each is waited for; they were all told to end before. */
const END_TIMEOUT_MS = 5_000

const LEFT = `FROM pg_catalog.pg_stat_activity AS a JOIN pg_catalog.pg_roles AS r ON r.oid = a.usesysid
  WHERE a.datname = $1 AND a.backend_type = 'client backend' AND NOT r.rolsuper`

/**
 * Ends what clients of an earlier mesh still run on a branch: the server does not learn that they are gone before their statements end, and
 * would commit these with nobody to be told of the rows that they touch. A superuser's sessions are not clients'. For who holds the branch.
 *
 * @throws MeshError MESH_ERR_POSTGRES where one does not end within 5 s.
 */
export async function endSessions(admin: ServerConnection, database: string): Promise<void> {
  await admin.execute(`SELECT pg_catalog.pg_terminate_backend(a.pid) ${LEFT}`, [database])
  await admin.execute(`SELECT pg_catalog.pg_terminate_backend(a.pid, ${END_TIMEOUT_MS}) ${LEFT}`, [database])
  const { rows } = await admin.execute(`SELECT a.pid ${LEFT}`, [database])
  if (rows.length === 0) return
  throw new MeshError('MESH_ERR_POSTGRES', {
    what: `sessions of an earlier mesh go on in the branch's database "${database}" though they were told to end: process ${rows.join(', ')}`,
    where: admin.where,
    remedy: 'end them, and start again',
  })
}
