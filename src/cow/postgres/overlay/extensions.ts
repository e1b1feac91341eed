import { MeshError } from '../../../core/errors.ts'

/** Extensions of upstream's database. */
export const EXTENSIONS_QUERY = `SELECT extname FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql' ORDER BY extname`

/** Extensions that the overlay could create. */
export const AVAILABLE_QUERY = 'SELECT name FROM pg_catalog.pg_available_extensions'

/**
 * Checks that the overlay can have all extensions of upstream.
 *
 * @throws MeshError MESH_ERR_TOOL_MISSING that names every one it cannot have.
 */
export function requireExtensions(wanted: readonly string[], available: readonly string[]): void {
  const known = new Set(available)
  const missing = wanted.filter((name) => !known.has(name))
  if (missing.length === 0) return
  throw new MeshError('MESH_ERR_TOOL_MISSING', {
    what: `the overlay's PostgreSQL lacks ${missing.length === 1 ? 'an extension' : 'extensions'} of production: ${missing.join(', ')}`,
    remedy: 'name a PostgreSQL 18 server that has them with --overlay URL',
  })
}
