import { keyAsJson, keyNames, TRIGGER_PREFIX, tableName, touchedColumns, touchedName } from './names.ts'
import { quoteName } from './identifiers.ts'
import { REPORTED_KEYS } from './registry.ts'
import { functionSql } from './sql-function.ts'
import type { TableShape } from './table-shape.ts'

/** How many keys a trigger collects at most: one more than a report names, so that it can tell "too many". */
const COLLECTED_KEYS = REPORTED_KEYS + 1

/**
 * Triggers that record the keys of inserted rows, and of rows whose key changes, as touched, and report them. An update
 * that keeps its key and a delete need neither: a local row's key was touched when the row came to be.
 */
export function touchReportSql(shape: TableShape): string {
  return shape.key.length === 0 ? keylessReport(shape) : `${insertReport(shape)}\n${keyChangeReport(shape)}`
}

function insertReport(shape: TableShape): string {
  const called = `mesh.inserted_${shape.id}`
  const keys = touchedColumns(shape)
  const asJson = `jsonb_build_array(${shape.key.map((_, place) => `f.k${place + 1}::text`).join(', ')})`
  const definition = triggerFunction(
    called,
    `
DECLARE
  mesh_keys jsonb;
BEGIN
  WITH mesh_fresh AS (
    INSERT INTO ${touchedName(shape.id)} (${keys}, kind)
    SELECT ${keyNames(shape, 'n').join(', ')}, 'i' FROM mesh_inserted AS n ORDER BY ${keyNames(shape, 'n').join(', ')}
    ON CONFLICT DO NOTHING RETURNING ${keys}
  )
  SELECT jsonb_agg(r.key) INTO mesh_keys FROM (SELECT ${asJson} AS key FROM mesh_fresh AS f LIMIT ${COLLECTED_KEYS}) AS r;
  IF mesh_keys IS NOT NULL THEN PERFORM mesh.report(${shape.id}, mesh_keys); END IF;
  RETURN NULL;
END`,
  )
  return `${definition}
CREATE OR REPLACE TRIGGER "${TRIGGER_PREFIX}inserted" AFTER INSERT ON ${tableName(shape)} REFERENCING NEW TABLE AS mesh_inserted
  FOR EACH STATEMENT EXECUTE FUNCTION ${called}();`
}

function keyChangeReport(shape: TableShape): string {
  const called = `mesh.rekeyed_${shape.id}`
  const definition = triggerFunction(
    called,
    `
BEGIN
  INSERT INTO ${touchedName(shape.id)} (${touchedColumns(shape)}, kind) VALUES (${keyNames(shape, 'NEW').join(', ')}, 'i')
    ON CONFLICT DO NOTHING;
  PERFORM mesh.report(${shape.id}, jsonb_build_array(${keyAsJson(shape, 'NEW')}));
  RETURN NULL;
END`,
  )
  const changed = shape.key.map(
    ({ name }) => `OLD.${quoteName(name)}::text IS DISTINCT FROM NEW.${quoteName(name)}::text`,
  )
  return `${definition}
CREATE OR REPLACE TRIGGER "${TRIGGER_PREFIX}rekeyed" AFTER UPDATE ON ${tableName(shape)} FOR EACH ROW WHEN (${changed.join(' OR ')})
  EXECUTE FUNCTION ${called}();`
}

function triggerFunction(called: string, body: string): string {
  return functionSql({ signature: `${called}()`, returns: 'trigger', rights: 'definer', callers: 'nobody', body })
}

/** Without a key there is nothing to name: the table as a whole is touched. */
function keylessReport(shape: TableShape): string {
  const called = `mesh.inserted_${shape.id}`
  const definition = triggerFunction(
    called,
    `
BEGIN
  PERFORM mesh.report(${shape.id}, NULL);
  RETURN NULL;
END`,
  )
  return `${definition}
CREATE OR REPLACE TRIGGER "${TRIGGER_PREFIX}inserted" AFTER INSERT OR UPDATE OR DELETE ON ${tableName(shape)}
  FOR EACH STATEMENT EXECUTE FUNCTION ${called}();`
}
