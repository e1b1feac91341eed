import { operator, quoteName, quoteText } from './identifiers.ts'
import { baseName, keyAsJson, tableName } from './names.ts'
import { functionSql } from './sql-function.ts'
import { type TableShape, writableColumns } from './table-shape.ts'

/**
 * Triggers on the base for writes whose text nobody rewrote: in functions, triggers and cascades. The base row is copied up
 * and the write done to the copy; nothing is ever sent to production, since they return NULL. The caller's command tag
 * does not count the row.
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
BEGIN
  PERFORM mesh.fault_in(${shape.id}, pg_catalog.jsonb_build_array(${keyAsJson(shape, 'OLD')}));
  IF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
    DELETE FROM ONLY ${tableName(shape)} AS mesh_row WHERE ${key('OLD')};
    RETURN NULL;
  END IF;
${assignments.join('\n')}
  IF pg_catalog.cardinality(mesh_set) OPERATOR(pg_catalog.=) 0 THEN mesh_set := ARRAY[${quoteText(`${first} = ($1).${first}`)}]; END IF;
  EXECUTE pg_catalog.concat(${quoteText(`UPDATE ONLY ${tableName(shape)} AS mesh_row SET `)}, pg_catalog.array_to_string(mesh_set, ', '),
    ${quoteText(` WHERE ${key('$2').replaceAll('$2.', '($2).')}`)}) USING NEW, OLD;
  RETURN NULL;
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
