import { MeshError } from '../../../core/errors.ts'
import { postgresErrorOf } from '../../../wire/postgres/error-fields.ts'
import { dumpEntries, fitDump } from './dump-text.ts'
import { AVAILABLE_QUERY, EXTENSIONS_QUERY, requireExtensions } from './extensions.ts'
import { PARTITIONS_TABLE } from './partition-tree.ts'
import { type FlattenedTrees, flattenTrees, PARTITIONS_QUERY } from './partitions.ts'
import {
  CREATORS_QUERY,
  creatorsSql,
  MEMBERSHIPS_QUERY,
  ROLES_QUERY,
  roleSettingsSql,
  rolesSql,
  SETTINGS_QUERY,
  WIDE_ROLES,
  WIDE_ROLES_QUERY,
  wideRightsSql,
} from './roles.ts'
import { rowsOf } from './rows.ts'
import { type DumpTransport, dumpSchema } from './schema-dump.ts'
import { SEQUENCES_QUERY, sequencesSql } from './sequences.ts'
import type { SqlRunner } from './sql-runner.ts'

type Rows = readonly (readonly (string | null)[])[]

/** What a schema is read with. */
export interface SchemaSource {
  /** Reads upstream's catalogues: one SELECT, its rows as text. Called several times at once. */
  readonly read: (text: string) => Promise<Rows>
  /** A session on upstream for pg_dump. */
  readonly dump: DumpTransport
  readonly upstreamDatabase: string
  /** The compiled `pg-dump-thread.js`, where this file is not compiled itself. */
  readonly thread?: URL | undefined
}

/** A schema as it was read: everything that a clone needs to know of upstream. */
export interface SchemaImage {
  readonly text: string
  readonly trees: FlattenedTrees
  readonly extensions: readonly string[]
  readonly roles: Rows
  readonly memberships: Rows
  readonly settings: Rows
  readonly creators: Rows
  readonly wideRoles: Rows
  readonly sequences: Rows
}

/** Where a schema is cloned to. */
export interface CloneTarget {
  /** The superuser's connection to an empty database of the overlay, for the clone alone: its settings are changed. */
  readonly admin: SqlRunner
  /** Name of that database. */
  readonly database: string
}

/** What was cloned. */
export interface CloneReport {
  readonly roles: number
  readonly extensions: readonly string[]
  /** Roots of partitioned tables, flat in the overlay: for `createMerge`. */
  readonly partitioned: ReadonlySet<string>
  /** Tables that cannot be named in the overlay: their rows are in their root. */
  readonly absent: readonly string[]
  /** What refers to such tables, and was left out: `VIEW "all_dogs"`. */
  readonly leftOut: readonly string[]
  readonly sequences: number
}

/**
 * Reads upstream's schema. No row of a user's table is read. It needs no overlay: run it while that one starts.
 *
 * @throws MeshError of the dump and of `read`.
 */
export async function readSchema(source: SchemaSource, signal: AbortSignal): Promise<SchemaImage> {
  const { read, dump: transport, upstreamDatabase, thread } = source
  const trees = flattenTrees(await read(PARTITIONS_QUERY))
  const [dump, extensions, roles, memberships, sequences, settings, creators, wideRoles] = await Promise.all([
    dumpSchema({ transport, database: upstreamDatabase, excluded: trees.excluded, thread }, signal),
    read(EXTENSIONS_QUERY).then(firstColumn),
    read(ROLES_QUERY),
    read(MEMBERSHIPS_QUERY),
    read(SEQUENCES_QUERY),
    read(SETTINGS_QUERY),
    read(CREATORS_QUERY),
    read(WIDE_ROLES_QUERY),
  ])
  const text = fitDump(dump, trees.views).text
  return { text, trees, extensions, roles, memberships, sequences, settings, creators, wideRoles }
}

/**
 * Makes the schema in an empty database of the overlay: roles as shells, all objects with their owners and rights, sequences moved
 * past upstream's.
 *
 * @throws MeshError MESH_ERR_TOOL_MISSING that lists missing extensions; MESH_ERR_INTERNAL with the statement that the
 * overlay did not take.
 */
export async function restoreSchema(image: SchemaImage, { admin, database }: CloneTarget): Promise<CloneReport> {
  const { text, trees, extensions, roles, memberships, sequences, settings, creators, wideRoles } = image
  requireExtensions(extensions, firstColumn(rowsOf(await admin.query(AVAILABLE_QUERY))))
  await admin.query(`${PRELUDE}\n${rolesSql(roles, memberships)}`)
  const leftOut = await restore(admin, text, trees.excluded.length > 0)
  const rights = `${roleSettingsSql(settings, database)}\n${creatorsSql(creators, database)}
${wideRightsSql(wideRoles)}`
  await admin.query(`${trees.guards}\n${trees.members}\n${sequencesSql(sequences)}\n${rights}`)
  return {
    roles: roles.length,
    extensions,
    partitioned: trees.roots,
    absent: trees.absent,
    leftOut,
    sequences: sequences.length,
  }
}

/** Where materialised views are kept until the merge. The schema of a new database belongs to the dump. */
const PRELUDE = `
SET client_min_messages = error;
CREATE SCHEMA IF NOT EXISTS mesh;
CREATE SCHEMA IF NOT EXISTS mesh_base;
CREATE TABLE IF NOT EXISTS mesh.materialized_views (hidden regclass NOT NULL, relation regclass NOT NULL);
${PARTITIONS_TABLE}
${WIDE_ROLES}`

function firstColumn(rows: Rows): string[] {
  return rows.map(([first]) => first ?? '')
}

/** Tables of production that are none on the branch are missed by what depends on them; the branch is of use without these. */
const MAY_BE_LEFT_OUT: ReadonlySet<string> = new Set([
  'VIEW',
  'MATERIALIZED VIEW',
  'FUNCTION',
  'PROCEDURE',
  'AGGREGATE',
  'RULE',
  'FK CONSTRAINT',
  'ACL',
  'COMMENT',
])

/** undefined_table, undefined_object, undefined_function, and wrong_object_type: a view is none that a foreign key can refer to. */
const MISSES: ReadonlySet<string> = new Set(['42P01', '42704', '42883', '42809'])

/** All at once; entry by entry where tables are none here, and something misses them. */
async function restore(admin: SqlRunner, text: string, isFlattened: boolean): Promise<string[]> {
  const leftOut: string[] = []
  try {
    await admin.query(text)
  } catch (error) {
    if (!isFlattened || !misses(error)) throw notTaken(text, error)
    for (const entry of dumpEntries(text)) {
      try {
        await admin.query(entry.text)
      } catch (thrown) {
        if (!misses(thrown) || !MAY_BE_LEFT_OUT.has(entry.type)) throw notTaken(entry.text, thrown)
        if (entry.type !== 'ACL' && entry.type !== 'COMMENT') leftOut.push(`${entry.type} ${entry.name}`)
      }
    }
  }
  await admin.query('RESET search_path; RESET row_security; RESET check_function_bodies;')
  return leftOut
}

function misses(error: unknown): boolean {
  return MISSES.has(postgresErrorOf(error)?.code ?? '')
}

function notTaken(text: string, error: unknown): MeshError {
  return new MeshError('MESH_ERR_INTERNAL', {
    what: `the overlay did not take production's schema: ${error instanceof Error ? error.message : String(error)}${statementAt(text, error)}`,
    remedy: 'report this with the statement; --overlay URL with a server like production may help',
    cause: error,
  })
}

/** The beginning of the line at an error's position, which counts characters from 1. */
function statementAt(text: string, error: unknown): string {
  const position = Number(postgresErrorOf(error)?.position)
  if (!Number.isInteger(position) || position < 1) return ''
  const line = text.slice(text.lastIndexOf('\n', position - 1) + 1, position + 120).split('\n')[0] ?? ''
  return ` near \`${line.trim()}\``
}
