import { createHash } from 'node:crypto'
import { MeshError } from '../../../core/errors.ts'
import { postgresErrorOf } from '../../../wire/postgres/error-fields.ts'
import { quoteName, quoteText } from '../overlay/identifiers.ts'
import { ADMIN_ROLE, COPY_ROLE } from '../overlay/names.ts'
import { rowsOf } from '../overlay/rows.ts'
import { branchDatabase, maintenanceDatabase } from './branch-database.ts'
import type { BranchStore } from './branch-store.ts'

/** A branch as one sees it from outside. */
export interface BranchEntry {
  /** '' for the first one. */
  readonly name: string
  readonly database: string
  readonly sizeBytes: number
  /** When its database was made, by the clock of the overlay's machine: ISO 8601. */
  readonly made: string
  /** The branch that it was made from; undefined: from production's schema. */
  readonly from: string | undefined
  /** Clients that are connected. */
  readonly clients: number
  /** The process of the proxy that serves it. */
  readonly proxy: number | undefined
}

/** Server errors that have a plainer name here. */
const OBJECT_IN_USE = '55006'

/** Sessions of clients, not those of mesh. */
const CLIENTS = `SELECT count(*) FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid AND a.backend_type = 'client backend'
  AND a.usename NOT IN (${quoteText(ADMIN_ROLE)}, ${quoteText(COPY_ROLE)})`

/** Branches that were made to their end, in the order of their names. */
export async function listBranches(store: BranchStore): Promise<readonly BranchEntry[]> {
  const { upstreamDatabase } = store
  const found = await store.use(maintenanceDatabase(store.upstreamDatabase), async (admin) => {
    const prefix = quoteText(`${upstreamDatabase}@`)
    const query = `SELECT d.datname, pg_catalog.pg_database_size(d.oid), (${CLIENTS}),
        to_char((pg_catalog.pg_stat_file('base/' || d.oid || '/PG_VERSION')).modification AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
      FROM pg_catalog.pg_database d WHERE d.datname = ${quoteText(upstreamDatabase)} OR left(d.datname, length(${prefix})) = ${prefix}
      ORDER BY d.datname COLLATE "C"`
    return rowsOf(await admin.query(query))
  })
  const entries: BranchEntry[] = []
  for (const [database, size, clients, made] of found) {
    const settings = await readSettings(store, database ?? '')
    if (!settings.has('complete')) continue
    const served = Number(settings.get('served') ?? 0)
    entries.push({
      name: database === upstreamDatabase ? '' : (database ?? '').slice(upstreamDatabase.length + 1),
      database: database ?? '',
      sizeBytes: Number(size),
      made: made ?? '',
      from: settings.get('from'),
      clients: Number(clients),
      proxy: store.holder !== undefined && store.holder === served ? served : undefined,
    })
  }
  return entries
}

async function readSettings(store: BranchStore, database: string): Promise<ReadonlyMap<string, string>> {
  return store.use(database, async (admin) => {
    const [there] = rowsOf(await admin.query(`SELECT to_regclass('mesh.settings') IS NOT NULL`))
    if (there?.[0] !== 't') return new Map<string, string>()
    const rows = rowsOf(await admin.query('SELECT name, value FROM mesh.settings'))
    return new Map(rows.map(([name, value]) => [name ?? '', value ?? '']))
  })
}

/** A branch by its name. @throws MeshError MESH_ERR_USAGE where there is none. */
export async function findBranch(store: BranchStore, name: string): Promise<BranchEntry> {
  const branches = await listBranches(store)
  const found = branches.find((branch) => branch.name === name)
  if (found !== undefined) return found
  const known = branches.map((branch) => (branch.name === '' ? 'the first one, which has no name' : branch.name))
  throw new MeshError('MESH_ERR_USAGE', {
    what:
      known.length === 0
        ? 'there is no branch yet'
        : `there is no branch ${name === '' ? 'without a name' : `"${name}"`}`,
    remedy: known.length === 0 ? 'start one with mesh cow postgres' : `there are: ${known.join(', ')}`,
  })
}

/**
 * Makes a branch with all that another one holds, in the time that a copy of its files takes. Nobody may be connected to that one.
 *
 * @throws MeshError MESH_ERR_USAGE for a name that is taken or a branch that is not there; MESH_ERR_POSTGRES while clients are connected.
 */
export async function createBranch(store: BranchStore, name: string, from: string): Promise<BranchEntry> {
  const source = await findBranch(store, from)
  const database = branchDatabase(store.upstreamDatabase, name)
  const branches = await listBranches(store)
  if (branches.some((branch) => branch.name === name)) {
    throw new MeshError('MESH_ERR_USAGE', {
      what: `expected a new branch name, found "${name}", which is one`,
      remedy: 'choose another, or drop it first',
    })
  }
  await copyDatabase(store, source, database, from)
  return findBranch(store, name)
}

/** It gets its name when it is whole: a run that is killed on the way leaves no branch without its rights and settings. */
async function copyDatabase(store: BranchStore, source: BranchEntry, database: string, from: string): Promise<void> {
  const maintenance = maintenanceDatabase(store.upstreamDatabase)
  const making = makingName(database)
  await store.use(maintenance, async (admin) => {
    for (const leftover of [making, database])
      await admin.query(`DROP DATABASE IF EXISTS ${quoteName(leftover)} WITH (FORCE)`)
    try {
      await admin.query(`CREATE DATABASE ${quoteName(making)} TEMPLATE ${quoteName(source.database)}`)
    } catch (thrown) {
      throw inUse(thrown, source, 'a branch is copied at rest: let its clients disconnect, then try again')
    }
  })
  await copySettings(store, source.database, making)
  await store.use(making, async (admin) => {
    await admin.query(`DELETE FROM mesh.settings WHERE name IN ('served', 'from');
      INSERT INTO mesh.settings VALUES ('from', ${quoteText(from)})`)
  })
  await store.use(maintenance, (admin) =>
    admin.query(`ALTER DATABASE ${quoteName(making)} RENAME TO ${quoteName(database)}`),
  )
}

/** Within the 63 bytes of a name, whatever the database's own. */
function makingName(database: string): string {
  return `mesh making ${createHash('sha256').update(database).digest('hex').slice(0, 32)}`
}

/** Rights and settings of a database are not its content, and stay behind when it is copied. */
async function copySettings(store: BranchStore, source: string, database: string): Promise<void> {
  const query = `
    SELECT format('ALTER %s SET %s TO %s', CASE WHEN s.setrole = 0 THEN format('DATABASE %I', ${quoteText(database)})
        ELSE format('ROLE %I IN DATABASE %I', pg_get_userbyid(s.setrole), ${quoteText(database)}) END,
      split_part(c, '=', 1), CASE WHEN lower(split_part(c, '=', 1)) = 'search_path' THEN substr(c, strpos(c, '=') + 1)
        ELSE quote_literal(substr(c, strpos(c, '=') + 1)) END)
    FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) AS c WHERE d.datname = ${quoteText(source)}
    UNION ALL
    SELECT format('ALTER DATABASE %I OWNER TO %I', ${quoteText(database)}, pg_get_userbyid(d.datdba)) FROM pg_database d
    WHERE d.datname = ${quoteText(source)}
    UNION ALL
    SELECT format('GRANT %s ON DATABASE %I TO %s', x.privilege_type, ${quoteText(database)},
      CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END)
    FROM pg_database d, aclexplode(d.datacl) AS x WHERE d.datname = ${quoteText(source)}`
  await store.use(maintenanceDatabase(store.upstreamDatabase), async (admin) => {
    for (const [statement] of rowsOf(await admin.query(query)))
      if (statement !== null) await admin.query(statement ?? '')
  })
}

/**
 * Removes a branch with everything on it.
 *
 * @throws MeshError MESH_ERR_USAGE where there is none; MESH_ERR_POSTGRES while a proxy serves it, or clients are connected.
 */
export async function dropBranch(store: BranchStore, name: string): Promise<BranchEntry> {
  const branch = await findBranch(store, name)
  if (branch.proxy !== undefined) {
    throw new MeshError('MESH_ERR_POSTGRES', {
      what: `expected a branch that no proxy serves, found one served by process ${branch.proxy}`,
      where: branch.database,
      remedy: 'stop mesh cow postgres first',
    })
  }
  await store.use(maintenanceDatabase(store.upstreamDatabase), async (admin) => {
    try {
      await admin.query(`DROP DATABASE ${quoteName(branch.database)}`)
    } catch (thrown) {
      throw inUse(thrown, branch, 'let its clients disconnect first')
    }
  })
  return branch
}

function inUse(thrown: unknown, { database, clients }: BranchEntry, remedy: string): unknown {
  if (postgresErrorOf(thrown)?.code !== OBJECT_IN_USE) return thrown
  const connected = clients === 1 ? '1 client is' : `${clients} clients are`
  const what = `${clients === 0 ? 'somebody is' : connected} connected to the branch`
  return new MeshError('MESH_ERR_POSTGRES', { what, where: database, remedy, cause: thrown })
}
