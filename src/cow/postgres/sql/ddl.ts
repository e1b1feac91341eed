/** What a DDL statement makes, changes or drops. */
import type { Described } from './described.ts'
import type { SyntaxTree } from './node.ts'
import { fieldOf, flagOf, isTree, listOf, stringsOf, textOf, unwrap, unwrapAs } from './node.ts'
import type { DdlDetail, ForeignReference } from './statement.ts'
import type { NameUse } from './mention.ts'

type Action = DdlDetail['action']

/** Statement types with what they do to which kind of object; '' where a field of the tree says the kind. */
const STATEMENTS: Readonly<Record<string, readonly [Action, string]>> = {
  CreateStmt: ['create', 'table'],
  CreateForeignTableStmt: ['create', 'foreign-table'],
  CreateTableAsStmt: ['create', ''],
  ViewStmt: ['create', 'view'],
  IndexStmt: ['create', 'index'],
  CreateSeqStmt: ['create', 'sequence'],
  AlterSeqStmt: ['alter', 'sequence'],
  CreateSchemaStmt: ['create', 'schema'],
  CreateEnumStmt: ['create', 'type'],
  CompositeTypeStmt: ['create', 'type'],
  CreateRangeStmt: ['create', 'type'],
  AlterEnumStmt: ['alter', 'type'],
  AlterTypeStmt: ['alter', 'type'],
  CreateDomainStmt: ['create', 'domain'],
  AlterDomainStmt: ['alter', 'domain'],
  DefineStmt: ['create', ''],
  CreateFunctionStmt: ['create', 'function'],
  AlterFunctionStmt: ['alter', 'function'],
  CreateTrigStmt: ['create', 'trigger'],
  CreateEventTrigStmt: ['create', 'event-trigger'],
  AlterEventTrigStmt: ['alter', 'event-trigger'],
  CreatePolicyStmt: ['create', 'policy'],
  AlterPolicyStmt: ['alter', 'policy'],
  RuleStmt: ['create', 'rule'],
  CreateExtensionStmt: ['create', 'extension'],
  AlterExtensionStmt: ['alter', 'extension'],
  AlterExtensionContentsStmt: ['alter', 'extension'],
  CreateStatsStmt: ['create', 'statistics'],
  AlterStatsStmt: ['alter', 'statistics'],
  CreateCastStmt: ['create', 'cast'],
  CreateConversionStmt: ['create', 'conversion'],
  CreateTransformStmt: ['create', 'transform'],
  CreateOpClassStmt: ['create', 'operator-class'],
  CreateOpFamilyStmt: ['create', 'operator-family'],
  AlterOpFamilyStmt: ['alter', 'operator-family'],
  AlterOperatorStmt: ['alter', 'operator'],
  AlterCollationStmt: ['alter', 'collation'],
  CreatePLangStmt: ['create', 'language'],
  CreateAmStmt: ['create', 'access-method'],
  CreateRoleStmt: ['create', 'role'],
  AlterRoleStmt: ['alter', 'role'],
  AlterRoleSetStmt: ['alter', 'role'],
  DropRoleStmt: ['drop', 'role'],
  ReassignOwnedStmt: ['alter', 'owned'],
  DropOwnedStmt: ['drop', 'owned'],
  CreatedbStmt: ['create', 'database'],
  AlterDatabaseStmt: ['alter', 'database'],
  AlterDatabaseSetStmt: ['alter', 'database'],
  AlterDatabaseRefreshCollStmt: ['alter', 'database'],
  DropdbStmt: ['drop', 'database'],
  CreateTableSpaceStmt: ['create', 'tablespace'],
  DropTableSpaceStmt: ['drop', 'tablespace'],
  AlterTableSpaceOptionsStmt: ['alter', 'tablespace'],
  AlterTableMoveAllStmt: ['alter', 'tablespace'],
  CreateFdwStmt: ['create', 'foreign-data-wrapper'],
  AlterFdwStmt: ['alter', 'foreign-data-wrapper'],
  CreateForeignServerStmt: ['create', 'server'],
  AlterForeignServerStmt: ['alter', 'server'],
  CreateUserMappingStmt: ['create', 'user-mapping'],
  AlterUserMappingStmt: ['alter', 'user-mapping'],
  DropUserMappingStmt: ['drop', 'user-mapping'],
  ImportForeignSchemaStmt: ['create', 'foreign-table'],
  CreatePublicationStmt: ['create', 'publication'],
  AlterPublicationStmt: ['alter', 'publication'],
  CreateSubscriptionStmt: ['create', 'subscription'],
  AlterSubscriptionStmt: ['alter', 'subscription'],
  DropSubscriptionStmt: ['drop', 'subscription'],
  AlterTSDictionaryStmt: ['alter', 'text-search'],
  AlterTSConfigurationStmt: ['alter', 'text-search'],
  AlterSystemStmt: ['alter', 'system'],
  AlterTableStmt: ['alter', ''],
  RenameStmt: ['rename', ''],
  AlterObjectSchemaStmt: ['move', ''],
  AlterOwnerStmt: ['alter', ''],
  AlterObjectDependsStmt: ['alter', ''],
  DropStmt: ['drop', ''],
  CommentStmt: ['comment', ''],
  SecLabelStmt: ['comment', ''],
  GrantStmt: ['grant', ''],
  GrantRoleStmt: ['grant', 'role'],
  AlterDefaultPrivilegesStmt: ['grant', 'default-privileges'],
  RefreshMatViewStmt: ['refresh', 'matview'],
  ReindexStmt: ['other', 'index'],
}

/** ObjectType words that are not their own name in lower case. */
const OBJECTS: Readonly<Record<string, string>> = {
  OBJECT_MATVIEW: 'matview',
  OBJECT_TABCONSTRAINT: 'constraint',
  OBJECT_DOMCONSTRAINT: 'constraint',
  OBJECT_ATTRIBUTE: 'attribute',
  OBJECT_STATISTIC_EXT: 'statistics',
}

/** True for statements that change the schema, its comments or its rights. */
export function isDdl(type: string): boolean {
  return Object.hasOwn(STATEMENTS, type)
}

export function describeDdl({ raw, relations }: Described): DdlDetail {
  const { type, tree } = raw
  const [action, object] = STATEMENTS[type] ?? ['other', '']
  const ownName = nameParts(tree)
  const names =
    type === 'DropStmt' ? droppedNames(tree) : relations.length > 0 ? ownRelations(type, tree, relations) : ownName
  return {
    action,
    object: object === '' ? objectOf(tree) : object,
    names: names.length > 0 ? names : ownName,
    newName: textOf(tree, 'newname') ?? (type === 'IndexStmt' ? textOf(tree, 'idxname') : undefined),
    newSchema: textOf(tree, 'newschema'),
    ifExists: flagOf(tree, 'missing_ok') || flagOf(tree, 'if_not_exists'),
    cascade: textOf(tree, 'behavior') === 'DROP_CASCADE',
    concurrently: flagOf(tree, 'concurrent'),
    temporary: isTemporary(tree),
    family: familyOf(tree),
    commands: commandsOf(tree),
  }
}

function objectOf(tree: SyntaxTree): string {
  for (const key of ['renameType', 'removeType', 'objectType', 'objtype', 'kind']) {
    const word = textOf(tree, key)
    if (word?.startsWith('OBJECT_') !== true) continue
    return OBJECTS[word] ?? word.slice('OBJECT_'.length).toLowerCase().replaceAll('_', '-')
  }
  return 'other'
}

/** Relations that the statement is about: not those that a foreign key, LIKE or the query of a view names. */
function ownRelations(type: string, tree: SyntaxTree, relations: Described['relations']): readonly NameUse[] {
  if (type === 'GrantStmt' || type === 'AlterPublicationStmt') return relations
  const into = fieldOf(tree, 'into')
  const own =
    fieldOf(tree, 'relation') ?? fieldOf(tree, 'view') ?? fieldOf(tree, 'sequence') ?? (into && fieldOf(into, 'rel'))
  if (own === undefined) return []
  const name = textOf(own, 'relname')
  const found = relations.find((use) => use.name === name && use.schema === textOf(own, 'schemaname'))
  return found === undefined ? [] : [found]
}

/** DROP names lists of strings: relations, types, functions with their arguments. */
function droppedNames(tree: SyntaxTree): readonly NameUse[] {
  return listOf(tree, 'objects').map((object) => {
    const node = unwrap(object)
    const list = node?.type === 'List' ? listOf(node.tree, 'items') : undefined
    const typed = node?.type === 'TypeName' ? listOf(node.tree, 'names') : undefined
    const called = node?.type === 'ObjectWithArgs' ? listOf(node.tree, 'objname') : undefined
    return nameUse(stringsOf(list ?? typed ?? called ?? [object]))
  })
}

/** The name of what is made, from whichever field the statement keeps it in. */
function nameParts(tree: SyntaxTree): readonly NameUse[] {
  for (const key of ['funcname', 'typeName', 'domainname', 'defnames', 'object', 'opfamilyname']) {
    const value = tree[key]
    if (Array.isArray(value)) return [nameUse(stringsOf(value))]
    const list = isTree(value) ? unwrapAs('List', value) : undefined
    if (list !== undefined) return [nameUse(stringsOf(listOf(list, 'items')))]
  }
  for (const key of [
    'trigname',
    'policy_name',
    'extname',
    'schemaname',
    'dbname',
    'role',
    'name',
    'subname',
    'pubname',
  ]) {
    const name = textOf(tree, key)
    if (name !== undefined) return [nameUse([name])]
  }
  return []
}

function nameUse(parts: readonly string[]): NameUse {
  return { schema: parts.at(-2), name: parts.at(-1) ?? '', position: -1 }
}

function isTemporary(tree: SyntaxTree): boolean {
  const into = fieldOf(tree, 'into')
  const made =
    fieldOf(tree, 'relation') ?? fieldOf(tree, 'view') ?? fieldOf(tree, 'sequence') ?? (into && fieldOf(into, 'rel'))
  return made !== undefined && textOf(made, 'relpersistence') === 't'
}

/** Parents of INHERITS and PARTITION OF; of ALTER TABLE .. INHERIT and ATTACH PARTITION the other table. */
function familyOf(tree: SyntaxTree): readonly NameUse[] {
  const attached = listOf(tree, 'cmds').flatMap((entry): SyntaxTree[] => {
    const command = unwrapAs('AlterTableCmd', entry)
    const definition = command === undefined ? undefined : unwrap(command['def'])
    if (definition?.type === 'RangeVar') return [definition.tree]
    const partition = definition?.type === 'PartitionCmd' ? fieldOf(definition.tree, 'name') : undefined
    return partition === undefined ? [] : [partition]
  })
  const inherited = listOf(tree, 'inhRelations').flatMap((entry): SyntaxTree[] => {
    const range = unwrapAs('RangeVar', entry)
    return range === undefined ? [] : [range]
  })
  return [...inherited, ...attached].map((range) => ({
    schema: textOf(range, 'schemaname'),
    name: textOf(range, 'relname') ?? '',
    position: -1,
  }))
}

/** The parts of ALTER TABLE: what, and the column or constraint meant. */
function commandsOf(tree: SyntaxTree): DdlDetail['commands'] {
  return listOf(tree, 'cmds').flatMap((entry) => {
    const command = unwrapAs('AlterTableCmd', entry)
    if (command === undefined) return []
    const definition = unwrap(command['def'])?.tree
    const made = definition === undefined ? undefined : (textOf(definition, 'colname') ?? textOf(definition, 'conname'))
    const type = textOf(command, 'subtype') ?? ''
    const computed = definition !== undefined && isComputed(type, definition)
    const reference = definition === undefined ? undefined : referenceOf(definition)
    return [{ type, name: textOf(command, 'name') ?? made, computed, reference }]
  })
}

/** A change of type with USING; a new identity column, which a table with a base cannot be given. */
function isComputed(type: string, definition: SyntaxTree): boolean {
  if (type === 'AT_AlterColumnType') return fieldOf(definition, 'raw_default') !== undefined
  if (type !== 'AT_AddColumn') return false
  return listOf(definition, 'constraints').some(
    (each) => textOf(unwrapAs('Constraint', each) ?? {}, 'contype') === 'CONSTR_IDENTITY',
  )
}

/** The foreign key that an ADD CONSTRAINT makes. */
function referenceOf(definition: SyntaxTree): ForeignReference | undefined {
  const parent = fieldOf(definition, 'pktable')
  if (textOf(definition, 'contype') !== 'CONSTR_FOREIGN' || parent === undefined) return undefined
  return {
    columns: stringsOf(listOf(definition, 'fk_attrs')),
    parent: { schema: textOf(parent, 'schemaname'), name: textOf(parent, 'relname') ?? '', position: -1 },
    parentColumns: stringsOf(listOf(definition, 'pk_attrs')),
  }
}
