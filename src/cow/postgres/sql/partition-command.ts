import type { NameUse } from './mention.ts'
import { fieldOf, flagOf, listOf, numberOf, stringsOf, type SyntaxTree, textOf, unwrap, unwrapAs } from './node.ts'
import type { Statement } from './statement.ts'

/** A statement that gives a table a partition, or takes one away. */
export interface PartitionCommand {
  readonly kind: 'create' | 'attach' | 'detach'
  readonly parent: NameUse
  readonly child: NameUse
  /** `FOR VALUES ...` or `DEFAULT`, written anew of constants alone; undefined where it is of more. */
  readonly bound: string | undefined
  /** Of a partition that has partitions: `RANGE ("at")`, of column names alone. `unknown`: it is of more. */
  readonly key: string | undefined
  readonly mayExist: boolean
  /** A part that a partition without a table of its own cannot have. */
  readonly own: string | undefined
  /** DETACH .. CONCURRENTLY, which no other statement can contain. */
  readonly isConcurrent: boolean
}

/** What a statement does to the partitions of a table; undefined: nothing, but for DROP TABLE. */
export function partitionCommandOf({ tree, detail }: Pick<Statement, 'tree' | 'detail'>): PartitionCommand | undefined {
  if (detail.kind !== 'ddl' || detail.ddl.object !== 'table') return undefined
  const { action, commands } = detail.ddl
  const relation = fieldOf(tree, 'relation')
  if (relation === undefined) return undefined
  if (action === 'create') return createdBy(tree, relation)
  const [command] = commands
  if (action !== 'alter' || commands.length !== 1 || command === undefined) return undefined
  const kind = ALTERATIONS[command.type]
  const definition = fieldOf(unwrapAs('AlterTableCmd', listOf(tree, 'cmds')[0]) ?? {}, 'def')
  const change = unwrapAs('PartitionCmd', definition)
  const child = change && fieldOf(change, 'name')
  if (kind === undefined || change === undefined || child === undefined) return undefined
  const bound = fieldOf(change, 'bound')
  return {
    kind,
    parent: nameUse(relation),
    child: nameUse(child),
    bound: bound && boundText(bound),
    key: undefined,
    mayExist: false,
    own: undefined,
    isConcurrent: flagOf(change, 'concurrent'),
  }
}

const ALTERATIONS: Readonly<Record<string, 'attach' | 'detach'>> = {
  AT_AttachPartition: 'attach',
  AT_DetachPartition: 'detach',
}

function createdBy(tree: SyntaxTree, relation: SyntaxTree): PartitionCommand | undefined {
  const bound = fieldOf(tree, 'partbound')
  const parent = unwrapAs('RangeVar', listOf(tree, 'inhRelations')[0])
  if (bound === undefined || parent === undefined) return undefined
  const key = fieldOf(tree, 'partspec')
  const isTemporary = textOf(relation, 'relpersistence') === 't'
  return {
    kind: 'create',
    parent: nameUse(parent),
    child: nameUse(relation),
    bound: boundText(bound),
    key: key && (keyText(key) ?? 'unknown'),
    mayExist: flagOf(tree, 'if_not_exists'),
    own: isTemporary ? 'TEMPORARY' : listOf(tree, 'tableElts').length > 0 ? 'columns and constraints' : undefined,
    isConcurrent: false,
  }
}

function nameUse(range: SyntaxTree): NameUse {
  return { schema: textOf(range, 'schemaname'), name: textOf(range, 'relname') ?? '', position: -1 }
}

function boundText(bound: SyntaxTree): string | undefined {
  if (flagOf(bound, 'is_default')) return 'DEFAULT'
  const strategy = textOf(bound, 'strategy')
  if (strategy === 'h')
    return `FOR VALUES WITH (MODULUS ${numberOf(bound, 'modulus')}, REMAINDER ${numberOf(bound, 'remainder')})`
  const [values, lower, upper] = ['listdatums', 'lowerdatums', 'upperdatums'].map((key) =>
    constantList(listOf(bound, key)),
  )
  if (strategy === 'l') return values && `FOR VALUES IN (${values})`
  return lower && upper && `FOR VALUES FROM (${lower}) TO (${upper})`
}

function constantList(values: readonly unknown[]): string | undefined {
  const texts = values.map(constant)
  return texts.includes(undefined) ? undefined : texts.join(', ')
}

/** A constant as SQL, a cast of one to a type of PostgreSQL's own, or the end of a range. */
function constant(value: unknown): string | undefined {
  const node = unwrap(value)
  if (node === undefined) return undefined
  const { type, tree } = node
  if (type === 'ColumnRef') {
    const name = stringsOf(listOf(tree, 'fields')).join('.')
    return /^(?:minvalue|maxvalue)$/.test(name) ? name : undefined
  }
  if (type === 'TypeCast') {
    const [text, name] = [constant(tree['arg']), plainType(fieldOf(tree, 'typeName') ?? {})]
    return text === undefined || name === undefined ? undefined : `(${text})::${name}`
  }
  if (type !== 'A_Const') return undefined
  if (flagOf(tree, 'isnull')) return 'NULL'
  const [string, whole, real, truth] = ['sval', 'ival', 'fval', 'boolval'].map((key) => fieldOf(tree, key))
  if (string !== undefined) return quoted(textOf(string, 'sval') ?? '')
  if (whole !== undefined) return String(numberOf(whole, 'ival'))
  if (real !== undefined) return textOf(real, 'fval')
  return truth && String(flagOf(truth, 'boolval'))
}

function quoted(text: string): string {
  return `${text.includes('\\') ? ' E' : ''}'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`
}

/** Without a schema, or of pg_catalog; no length, no array. */
function plainType(name: SyntaxTree): string | undefined {
  const parts = stringsOf(listOf(name, 'names'))
  const isPlain = listOf(name, 'typmods').length === 0 && listOf(name, 'arrayBounds').length === 0
  const last = parts.at(-1) ?? ''
  const isBuiltin = parts.length === 1 || (parts.length === 2 && parts[0] === 'pg_catalog')
  return isPlain && isBuiltin && /^[a-z_][a-z0-9_]*$/.test(last) ? `pg_catalog."${last}"` : undefined
}

const STRATEGIES: Readonly<Record<string, string>> = {
  PARTITION_STRATEGY_RANGE: 'RANGE',
  PARTITION_STRATEGY_LIST: 'LIST',
  PARTITION_STRATEGY_HASH: 'HASH',
}

function keyText(key: SyntaxTree): string | undefined {
  const strategy = STRATEGIES[textOf(key, 'strategy') ?? '']
  const columns = listOf(key, 'partParams').map((entry) => {
    const element = unwrapAs('PartitionElem', entry) ?? {}
    const isPlain = listOf(element, 'collation').length === 0 && listOf(element, 'opclass').length === 0
    const name = textOf(element, 'name')
    return isPlain && name !== undefined ? `"${name.replaceAll('"', '""')}"` : undefined
  })
  return strategy === undefined || columns.includes(undefined) ? undefined : `${strategy} (${columns.join(', ')})`
}
