import { isMerged, type ResolveRelation } from '../catalog.ts'
import { dollarQuoted, qualified, quoteName, quoteText } from '../overlay/identifiers.ts'
import type { NameUse } from '../sql/mention.ts'
import { type PartitionCommand, partitionCommandOf } from '../sql/partition-command.ts'
import type { Statement } from '../sql/statement.ts'

/**
 * What the overlay runs for a statement that changes the partitions of a table; undefined where the statement does not, or is about tables of
 * the branch's own. `maxRows`: of production, that the branch may have to take.
 *
 * Whether the table is one of production's is found when it runs: one that was cut loose is none of the catalogue.
 */
export function partitionText(statement: Statement, resolve: ResolveRelation, maxRows: number): string | undefined {
  const command = partitionCommandOf(statement)
  if (command === undefined) return undefined
  const { schema, name } = command.parent
  const parent = resolve(schema === undefined ? { name } : { schema, name })
  // One that is not known may have been made in the transaction at hand.
  if (parent === 'temporary' || (command.isConcurrent && !isMerged(parent) && parent !== 'view')) return undefined
  const own = statement.text.slice(statement.start, statement.end)
  return `DO LANGUAGE plpgsql ${dollarQuoted(`BEGIN
  IF mesh.is_partitioned(${regclassOf(command.parent)}) THEN
    ${callOf(command, maxRows)}
  ELSE
    EXECUTE ${quoteText(own)};
  END IF;
END`)}`
}

/** A name as the client wrote it, to be found by its search_path. */
export function regclassOf(use: NameUse): string {
  return `${nameText(use)}::pg_catalog.regclass`
}

/** The same where there may be none: NULL then. */
export function maybeRegclassOf(use: NameUse): string {
  return `pg_catalog.to_regclass(${nameText(use)})`
}

function nameText({ schema, name }: NameUse): string {
  return quoteText(schema === undefined ? quoteName(name) : qualified(schema, name))
}

function callOf(command: PartitionCommand, maxRows: number): string {
  const { kind, parent, child, bound, key, mayExist, own } = command
  if (kind === 'detach')
    return `PERFORM mesh.detach_partition(${regclassOf(parent)}, ${regclassOf(child)}, ${maxRows});`
  if (own !== undefined)
    return refused(`a partition of a table of production cannot have ${own} of its own on a branch`)
  if (bound === undefined || key === 'unknown')
    return refused('a partition of a table of production is made of constants and column names on a branch')
  if (kind === 'attach')
    return `PERFORM mesh.attach_partition(${regclassOf(parent)}, ${regclassOf(child)}, ${quoteText(bound)});`
  const schema = child.schema === undefined ? 'pg_catalog.current_schema()' : quoteText(child.schema)
  const keyText = key === undefined ? 'NULL' : quoteText(key)
  return `PERFORM mesh.add_partition(${regclassOf(parent)}, ${schema}, ${quoteText(child.name)}, ${quoteText(bound)}, ${keyText}, ${mayExist});`
}

function refused(message: string): string {
  return `RAISE feature_not_supported USING MESSAGE = ${quoteText(message)};`
}
