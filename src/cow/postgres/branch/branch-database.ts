import { MeshError } from '../../../core/errors.ts'
import { postgresErrorOf } from '../../../wire/postgres/error-fields.ts'
import type { Gate } from '../gate/gate.ts'
import { fewNames, type RoleReport } from '../gate/role-check.ts'
import { readSchema, restoreSchema, type SchemaImage } from '../overlay/clone.ts'
import { ENCODING_QUERY, fingerprintQuery, LOCALE_QUERY, readLocale, sameCollation } from '../overlay/collation.ts'
import { type GateAddress, repointSql } from '../overlay/foreign-table.ts'
import { CLUSTER_QUERY } from '../overlay/own-server.ts'
import { quoteName, quoteText } from '../overlay/identifiers.ts'
import { createMerge } from '../overlay/merge.ts'
import { createDatabase, type DatabaseLocale, type Overlay } from '../overlay/overlay.ts'
import { rowsOf, textOf } from '../overlay/rows.ts'
import type { ServerConnection } from '../server-connection.ts'
import type { ServerOptions } from '../server-options.ts'
import { findDrift } from './upstream-drift.ts'

/** What branches are made from and into. */
export interface BranchSource {
  readonly gate: Gate
  readonly overlay: Overlay
  readonly upstream: ServerOptions
  /** The compiled `pg-dump-thread.js`. Default: the one beside the program. */
  readonly dumpThread?: URL | undefined
  /** Production's schema, where it was read already. */
  readonly schema?: BranchSchema | undefined
}

/** What a new branch is made from: production's schema as it was read at one time. */
export interface BranchSchema {
  readonly image: SchemaImage
  readonly locale: DatabaseLocale
  /** Whoever owns production's database. */
  readonly owner: string
}

/** A branch's database that is ready for clients. */
export interface BranchState {
  readonly name: string
  readonly database: string
  /** False where it was there from an earlier run. */
  readonly isNew: boolean
  readonly tables: number
  /** The overlay sorts text as production does. */
  readonly sameCollation: boolean
  /** In what production's tables differ from what they were when the branch was made, a line each. */
  readonly drift: readonly string[]
  /** What a new branch does without, since it refers to a table of production that is none here. */
  readonly leftOut: readonly string[]
}

/** The setting of `mesh.settings` that says that a branch was made to its end. */
const COMPLETE = 'complete'

/** Tells other verbs of mesh which of the branches the process that holds the overlay serves. */
const SERVED = `INSERT INTO mesh.settings VALUES ('served', '${process.pid}') ON CONFLICT (name) DO UPDATE SET value = excluded.value`

const OWNER_QUERY =
  'SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()'

/** The overlay's database of a branch. Names of databases have at most 63 bytes. */
export function branchDatabase(upstreamDatabase: string, branch: string): string {
  return branch === '' ? upstreamDatabase : `${upstreamDatabase}@${branch}`
}

/** A database of the overlay's server that is no branch. Where production's is called `postgres`, the first branch has that name. */
export function maintenanceDatabase(upstreamDatabase: string): string {
  return upstreamDatabase === 'postgres' ? 'template1' : 'postgres'
}

/**
 * Opens a branch: the database as an earlier run left it, pointed at this run's gate, or a new one with production's schema. What a run
 * that was killed left half made is made anew.
 */
export async function openBranchDatabase(
  source: BranchSource,
  name: string,
  signal: AbortSignal,
): Promise<BranchState> {
  const database = branchDatabase(source.upstream.database, name)
  const isNew = !(await isComplete(source, database, signal))
  const leftOut = isNew ? await makeBranch(source, database, signal) : []
  const admin = await source.overlay.connectAdmin(database, signal)
  try {
    if (source.overlay.self === undefined) await requireSameProduction(admin, source, database)
    if (!isNew) await admin.query(repointSql(gateAddress(source)))
    await requireReach(admin, gateAddress(source))
    await admin.query(SERVED)
    const fingerprint = fingerprintQuery((await source.gate.query(ENCODING_QUERY)).rows[0]?.[0] ?? '')
    const [tables, ours, theirs] = [
      Number(textOf(await admin.query('SELECT count(*) FROM mesh.tables'))),
      rowsOf(await admin.query(fingerprint)),
      (await source.gate.query(fingerprint)).rows,
    ]
    const drift = isNew ? [] : await findDrift(admin, source.gate)
    return { name, database, isNew, tables, sameCollation: sameCollation(theirs, ours), drift, leftOut }
  } finally {
    await admin.end()
  }
}

async function isComplete(
  { overlay, upstream }: BranchSource,
  database: string,
  signal: AbortSignal,
): Promise<boolean> {
  const server = await overlay.connectAdmin(maintenanceDatabase(upstream.database), signal)
  try {
    const found = await server.execute('SELECT 1 FROM pg_database WHERE datname = $1', [database])
    if (found.rows.length === 0) return false
  } finally {
    await server.end()
  }
  const admin = await overlay.connectAdmin(database, signal)
  try {
    const settings = await admin.query(`SELECT to_regclass('mesh.settings') IS NOT NULL`)
    if (textOf(settings) !== 't') {
      if (overlay.self === undefined) throw foreignDatabase(database, admin.where)
      return false
    }
    const complete = `SELECT count(*) FROM mesh.settings WHERE name = ${quoteText(COMPLETE)}`
    return textOf(await admin.query(complete)) === '1'
  } finally {
    await admin.end()
  }
}

/** A server of the user's own has databases that are none of ours, and a branch is made by dropping what has its name. */
function foreignDatabase(database: string, where: string): MeshError {
  return new MeshError('MESH_ERR_FILE_EXISTS', {
    what: `expected a branch, found a database "${database}" that mesh did not make`,
    where,
    remedy: 'name a server without it in --overlay, another --branch, or drop it yourself',
  })
}

/**
 * Reads production's schema for a new branch. It needs no overlay: it is read while that one starts.
 *
 * @throws MeshError MESH_ERR_PERMISSION where the role may not read all tables; those of the gate and of the dump.
 */
export async function readBranchSchema(
  { gate, upstream, dumpThread }: Pick<BranchSource, 'gate' | 'upstream' | 'dumpThread'>,
  signal: AbortSignal,
): Promise<BranchSchema> {
  requireReadable(gate.role)
  const dump = await gate.transportForDump(signal)
  const read = async (text: string): Promise<readonly (readonly (string | null)[])[]> => (await gate.query(text)).rows
  try {
    const [image, locale, owners] = await Promise.all([
      readSchema({ read, dump, upstreamDatabase: upstream.database, thread: dumpThread }, signal),
      read(LOCALE_QUERY).then(readLocale),
      read(OWNER_QUERY),
    ])
    return { image, locale, owner: owners[0]?.[0] ?? '' }
  } finally {
    dump.close()
  }
}

/** Locks of pg_dump and scans of the branch take the right to read; said before, it names all that is missing. */
function requireReadable({ role, unreadable }: RoleReport): void {
  if (unreadable.length === 0) return
  const schemas = [...new Set(unreadable.map((name) => name.split('.')[0] ?? ''))].map(quoteName).join(', ')
  throw new MeshError('MESH_ERR_PERMISSION', {
    what: `expected a role on production that may read every table, found that "${role}" may not read ${fewNames(unreadable)}`,
    remedy: `GRANT pg_read_all_data TO ${quoteName(role)} there, or GRANT USAGE ON SCHEMA ${schemas} and SELECT ON ALL TABLES IN SCHEMA ${schemas}`,
  })
}

async function makeBranch(source: BranchSource, database: string, signal: AbortSignal): Promise<readonly string[]> {
  const { overlay, upstream } = source
  const maintenance = maintenanceDatabase(upstream.database)
  const { image, locale, owner } = source.schema ?? (await readBranchSchema(source, signal))
  await withAdmin(overlay, maintenance, signal, async (admin) => {
    await admin.query(`DROP DATABASE IF EXISTS ${quoteName(database)} WITH (FORCE)`)
    await createDatabase(admin, database, locale)
  })
  const { partitioned, leftOut } = await withAdmin(overlay, database, signal, (admin) =>
    restoreSchema(image, { admin, database }),
  )
  // Whoever owns production's database may do here what its owner may: create in the schema public, for one.
  await withAdmin(overlay, maintenance, signal, (admin) =>
    admin.query(`ALTER DATABASE ${quoteName(database)} OWNER TO ${quoteName(owner)}`),
  )
  // Other connections: pg_dump's text leaves settings behind.
  await withAdmin(overlay, database, signal, (admin) =>
    withAdmin(overlay, database, signal, async (helper) => {
      await createMerge(admin, { gate: gateAddress(source), self: overlay.self, partitioned, helper })
      await admin.query(`INSERT INTO mesh.settings VALUES (${quoteText(COMPLETE)}, 'yes')`)
    }),
  )
  return leftOut
}

async function withAdmin<Result>(
  overlay: Overlay,
  database: string,
  signal: AbortSignal,
  work: (admin: ServerConnection) => Promise<Result>,
): Promise<Result> {
  const admin = await overlay.connectAdmin(database, signal)
  try {
    return await work(admin)
  } catch (thrown) {
    if (signal.aborted) throw new MeshError('MESH_ERR_ABORTED', { what: 'stopped while the branch was made' })
    throw thrown
  } finally {
    await admin.end()
  }
}

/** Databases of one name may be of several productions, and a server of the user's own has one of each name. */
async function requireSameProduction(admin: ServerConnection, { gate }: BranchSource, database: string): Promise<void> {
  const cluster = textOf([await gate.query(CLUSTER_QUERY)])
  const keep = `INSERT INTO mesh.settings VALUES ('cluster', $1) ON CONFLICT (name) DO UPDATE SET value = mesh.settings.value RETURNING value`
  const { rows } = await admin.execute(keep, [cluster])
  if (rows[0]?.[0] === cluster) return
  throw new MeshError('MESH_ERR_FILE_EXISTS', {
    what: `the branch's database "${database}" was made from another production than --upstream`,
    where: admin.where,
    remedy: 'choose another --branch, or drop that one with `mesh cow branch drop` to make it anew',
  })
}

/** A server of the user's own may be on another machine, or run as a user whom the gate's folder keeps out: no row could be read. */
async function requireReach(admin: ServerConnection, gate: GateAddress): Promise<void> {
  const words = Object.entries({ host: gate.socketFolder, port: gate.port, dbname: gate.database, user: gate.user })
  const text = words.map(([name, value]) => `${name}='${value}'`).join(' ')
  try {
    await admin.execute('SELECT mesh.dblink_connect_u($1, $2)', ['mesh reach', text])
  } catch (thrown) {
    throw new MeshError('MESH_ERR_UNREACHABLE', {
      what: `expected the overlay's server to reach the gate, found: ${postgresErrorOf(thrown)?.detail ?? String(thrown)}`,
      where: gate.socketFolder,
      remedy: 'the server of --overlay has to run on this machine, as the user that mesh runs as',
      cause: thrown,
    })
  }
  await admin.execute('SELECT mesh.dblink_disconnect($1)', ['mesh reach'])
}

/** Where the overlay's foreign tables find a gate. */
export function gateAddress({ gate, upstream }: Pick<BranchSource, 'gate' | 'upstream'>): GateAddress {
  const { socketFolder, port, extensions } = gate
  return { socketFolder, port, database: upstream.database, user: 'mesh', extensions }
}
