import { childFaultIn, childVariables, parentFaultIn, parentVariables } from './foreign-key-fault-in.ts'
import { checkNames, insertCheckSql, waits } from './insert-check.ts'
import { baseName, TRIGGER_PREFIX, tableName } from './names.ts'
import { functionSql } from './sql-function.ts'
import type { TableFamily } from './table-family.ts'
import type { TableShape } from './table-shape.ts'
import { uniqueFaultIn, uniqueVariables } from './unique-fault-in.ts'

/** The plans of a fault-in are made once a session: a plan made for each value would cost an EXPLAIN by the foreign wrapper. */
const GENERIC_PLANS = ['plan_cache_mode = force_generic_plan']

/** Takes the triggers away that are made below. */
export function dropFaultInSql(shape: TableShape): string {
  const names = ['placed', 'left'].map((name) => functionName(shape, name))
  if (shape.id > 0) names.push(...checkNames(shape.id))
  return [
    ...names.map((name) => `DROP FUNCTION IF EXISTS ${name}() CASCADE;`),
    `DROP TRIGGER IF EXISTS "${TRIGGER_PREFIX}inserting" ON ${tableName(shape)};`,
  ].join('\n')
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
    const later = insertCheckSql(shape, family)
    const now = later === '' ? 'true' : `NOT (${waits(shape.id)})`
    statements.push(later, placedTrigger(shape, now, `${attached(shape.id, clashes)}${parents}`))
  }
  const children = childFaultIn(shape, family)
  if (children !== '') {
    const variables = childVariables(shape, family)
    const statement = `${children}\n  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW;`
    statements.push(trigger(shape, { name: 'left', events: 'UPDATE OR DELETE', variables, body: statement }))
  }
  return statements.join('\n')
}

function attached(id: number, statements: string): string {
  if (statements === '') return ''
  return `
  IF EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = '${baseName(id)}'::regclass) THEN${statements}
  END IF;`
}

/** `now`: SQL for whether production is asked row by row. */
function placedTrigger(shape: TableShape, now: string, statements: string): string {
  const unique = shape.id === 0 ? '' : `${uniqueVariables(shape)}\n`
  const variables = `${unique}${parentVariables(shape)}  mesh_now boolean := ${now};\n`
  return trigger(shape, { name: 'placed', events: 'INSERT OR UPDATE', variables, body: `${statements}\n  RETURN NEW;` })
}

interface FaultInTrigger {
  readonly name: string
  readonly events: string
  readonly variables: string
  readonly body: string
}

function trigger(shape: TableShape, { name, events, variables, body }: FaultInTrigger): string {
  const called = functionName(shape, name)
  const definition = functionSql({
    signature: `${called}()`,
    returns: 'trigger',
    rights: 'definer',
    callers: 'nobody',
    settings: GENERIC_PLANS,
    body: `#variable_conflict use_column
DECLARE
  mesh_keys jsonb;
${variables}BEGIN${body}
END`,
  })
  return `${definition}
CREATE OR REPLACE TRIGGER "${TRIGGER_PREFIX}${name}" BEFORE ${events} ON ${tableName(shape)} FOR EACH ROW EXECUTE FUNCTION ${called}();`
}
