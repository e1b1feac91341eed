import { operator, quoteName, quoteText } from './identifiers.ts'
import { baseName, keyAsJson, tableName } from './names.ts'
import { functionSql } from './sql-function.ts'
import { type TableShape, writableColumns } from './table-shape.ts'

/**
 * Triggers on the base for writes whose text nobody rewrote: in functions, triggers and cascades. The base row is copied up
 * and the write done to the copy. Behind a gate they return the row as it then is, once the gate has been told: it answers what
 * postgres_fdw would do, so that the caller's statement counts the row and returns it, and production hears nothing of it. Without a gate they
 * return NULL, and nothing is counted.
 *
 * The write runs with the caller's own rights and search_path, and so do the triggers of users that it fires.
 */
export function baseMoveSql(shape: TableShape): string {
  const called = `mesh.moved_${shape.id}`
  const definition = functionSql({
    signature: `${called}()`,
    returns: 'trigger',
    rights: 'invoker',
    keepsPath: true,
    callers: 'everyone',
    body: shape.key.length === 0 ? keylessBody(shape) : body(shape),
  })
  return `${definition}
CREATE OR REPLACE TRIGGER "~mesh_moved" BEFORE UPDATE OR DELETE ON ${baseName(shape.id)} FOR EACH ROW EXECUTE FUNCTION ${called}();`
}

function body(shape: TableShape): string {
  const key = (row: string): string =>
    shape.key
      .map(({ name, operatorSchema, operatorName }) => {
        const column = quoteName(name)
        return `mesh_row.${column} ${operator(operatorSchema, operatorName)} ${row}.${column}`
      })
      .join(' AND ')
  const assignments = writableColumns(shape).map((name) => {
    const column = quoteName(name)
    const assignment = quoteText(`${column} = ($1).${column}`)
    const [before, after] = [`OLD.${column}::pg_catalog.text`, `NEW.${column}::pg_catalog.text`]
    return `  IF (${before} OPERATOR(pg_catalog.=) ${after}) IS NOT TRUE AND NOT (${before} IS NULL AND ${after} IS NULL) THEN
    mesh_set := pg_catalog.array_append(mesh_set, ${assignment}::pg_catalog.text);
  END IF;`
  })
  const first = quoteName(shape.key[0]?.name ?? '')
  return `
DECLARE
  mesh_set pg_catalog.text[] := '{}';
  mesh_rows pg_catalog.int8;
  mesh_counts pg_catalog.bool := pg_catalog.to_regproc('mesh.tell_moved') IS NOT NULL;
BEGIN
  PERFORM mesh.fault_in(${shape.id}, pg_catalog.jsonb_build_array(${keyAsJson(shape, 'OLD')}));
  IF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
    -- While there is a row to tell.
    IF mesh_counts THEN mesh_counts := mesh.tell_moved(${shape.id}, ${keyAsJson(shape, 'OLD')}); END IF;
    DELETE FROM ONLY ${tableName(shape)} AS mesh_row WHERE ${key('OLD')};
    IF NOT mesh_counts THEN RETURN NULL; END IF;
    IF FOUND THEN RETURN OLD; END IF;
    PERFORM mesh.tell_moved(${shape.id}, NULL);
    RETURN NULL;
  END IF;
${assignments.join('\n')}
  IF pg_catalog.cardinality(mesh_set) OPERATOR(pg_catalog.=) 0 THEN mesh_set := ARRAY[${quoteText(`${first} = ($1).${first}`)}]; END IF;
  EXECUTE pg_catalog.concat(${quoteText(`UPDATE ONLY ${tableName(shape)} AS mesh_row SET `)}, pg_catalog.array_to_string(mesh_set, ', '),
    ${quoteText(` WHERE ${key('$2').replaceAll('$2.', '($2).')}`)}) USING NEW, OLD;
  GET DIAGNOSTICS mesh_rows = ROW_COUNT;
  IF mesh_rows OPERATOR(pg_catalog.=) 0 OR NOT mesh_counts THEN RETURN NULL; END IF;
  -- A trigger of users may have given it another key.
  IF NOT mesh.tell_moved(${shape.id}, ${keyAsJson(shape, 'NEW')}) THEN RETURN NULL; END IF;
  RETURN NEW;
END`
}

function keylessBody(shape: TableShape): string {
  return `
BEGIN
  RAISE feature_not_supported USING
    MESSAGE = ${quoteText(`cannot change rows of table ${quoteName(shape.name)}, which has no primary key`)},
    HINT = 'Its rows have to be copied to the branch as a whole before.';
END`
}
