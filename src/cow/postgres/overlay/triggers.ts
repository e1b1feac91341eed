import { childFaultIn, parentFaultIn } from './foreign-key-fault-in.ts'
import { baseName, TRIGGER_PREFIX, tableName } from './names.ts'
import { functionSql } from './sql-function.ts'
import type { TableFamily } from './table-family.ts'
import type { TableShape } from './table-shape.ts'
import { uniqueFaultIn, uniqueVariables } from './unique-fault-in.ts'

/** The plans of a fault-in are made once a session: a plan made for each value would cost an EXPLAIN by the foreign wrapper. */
const GENERIC_PLANS = ['plan_cache_mode = force_generic_plan']

/** Takes the triggers away that are made below. */
export function dropFaultInSql(shape: TableShape): string {
  return ['placed', 'left'].map((name) => `DROP FUNCTION IF EXISTS ${functionName(shape, name)}() CASCADE;`).join('\n')
}

function functionName({ id, oid }: TableShape, name: string): string {
  return id === 0 ? `mesh.${name}_of_${oid}` : `mesh.${name}_${id}`
}

/** The triggers by which rows of the base come into the overlay before PostgreSQL's own checks look for them. */
export function faultInSql(shape: TableShape, family: TableFamily): string {
  const statements: string[] = []
  const clashes = shape.id === 0 ? '' : uniqueFaultIn(shape)
  const parents = parentFaultIn(shape, family)
  if (clashes !== '' || parents !== '') {
    statements.push(trigger(shape, 'placed', 'INSERT OR UPDATE', `${attached(shape.id, clashes)}${parents}`, true))
  }
  const children = childFaultIn(shape, family)
  if (children !== '') statements.push(trigger(shape, 'left', 'UPDATE OR DELETE', children, false))
  return statements.join('\n')
}

function attached(id: number, statements: string): string {
  if (statements === '') return ''
  return `
  IF EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = '${baseName(id)}'::regclass) THEN${statements}
  END IF;`
}

function trigger(shape: TableShape, name: string, events: string, body: string, placing: boolean): string {
  const called = functionName(shape, name)
  const returning = placing ? 'RETURN NEW;' : `IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW;`
  const definition = functionSql({
    signature: `${called}()`,
    returns: 'trigger',
    rights: 'definer',
    callers: 'nobody',
    settings: GENERIC_PLANS,
    body: `#variable_conflict use_column
DECLARE
  mesh_keys jsonb;
${placing && shape.id > 0 ? uniqueVariables(shape) : ''}
BEGIN${body}
  ${returning}
END`,
  })
  return `${definition}
CREATE OR REPLACE TRIGGER "${TRIGGER_PREFIX}${name}" BEFORE ${events} ON ${tableName(shape)} FOR EACH ROW EXECUTE FUNCTION ${called}();`
}
