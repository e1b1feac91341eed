import { MeshError } from '../../../core/errors.ts'
import { type Catalog, createCatalog, type MergedTable } from '../catalog.ts'
import { textOf } from './rows.ts'
import type { SqlRunner } from './sql-runner.ts'

/**
 * The merged tables of an overlay database as they are now: names, columns and uniques by the overlay's own catalogue, so
 * that what a migration renamed is found under its new name. Tables that were cut loose from their base (truncated,
 * or copied whole) are ordinary ones, and left out. One round trip.
 *
 * Types are written as the connection's search_path has it; an administrator's has no user's schema first.
 */
export async function loadCatalog(admin: SqlRunner): Promise<Catalog> {
  const parsed: unknown = JSON.parse(textOf(await admin.query(TABLES)) ?? '[]')
  if (!isTables(parsed)) {
    throw new MeshError('MESH_ERR_INTERNAL', {
      what: 'expected a list of merged tables from the overlay, found another',
    })
  }
  return createCatalog(parsed)
}

/** The query below is ours, so its shape is given; the first row is looked at all the same. */
function isTables(parsed: unknown): parsed is MergedTable[] {
  if (!Array.isArray(parsed)) return false
  const first: unknown = parsed[0]
  return first === undefined || (typeof first === 'object' && first !== null && 'keyColumns' in first)
}

/** Key columns go by their place in the key table: a renamed column keeps it. */
const KEY_COLUMNS = `
  SELECT json_agg(json_build_object('name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod)) ORDER BY k.place)
  FROM pg_catalog.unnest(t.key_numbers) WITH ORDINALITY AS k(number, place)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = t.relation AND a.attnum = k.number`

const COLUMNS = `
  SELECT json_agg(json_build_object('name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
    'generated', a.attgenerated <> '', 'identity', a.attidentity) ORDER BY a.attnum)
  FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.relation AND a.attnum > 0 AND NOT a.attisdropped`

const UNIQUES = `
  SELECT json_agg(json_build_object('name', ic.relname, 'columns', (
      SELECT json_agg(a.attname ORDER BY u.place)
      FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS u(number, place)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.number
      WHERE u.place <= i.indnkeyatts)) ORDER BY ic.relname)
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
  WHERE i.indrelid = t.relation AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL`

const TABLES = `
SELECT json_agg(json_build_object(
  'id', t.id, 'schema', n.nspname, 'name', c.relname, 'kind', t.kind, 'foreign', t.foreign_relation::oid::text,
  'keyColumns', coalesce((${KEY_COLUMNS}), '[]'), 'columns', coalesce((${COLUMNS}), '[]'),
  'uniques', coalesce((SELECT json_agg(u->'columns') FROM json_array_elements((${UNIQUES})) AS u), '[]'),
  'uniqueNames', coalesce((SELECT json_agg(u->'name') FROM json_array_elements((${UNIQUES})) AS u), '[]')) ORDER BY t.id)
FROM mesh.tables t
JOIN pg_catalog.pg_class c ON c.oid = t.relation
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE t.kind = 'matview' OR EXISTS (SELECT 1 FROM pg_catalog.pg_inherits h WHERE h.inhrelid = t.foreign_relation)`
