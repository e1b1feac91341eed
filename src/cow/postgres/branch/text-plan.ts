import { type Catalog, isMerged, type MergedTable, type RelationName, type ResolveRelation } from '../catalog.ts'
import { DEFAULT_MAX_COPY_UP_ROWS } from '../copy-up-limit.ts'
import { qualified, quoteName } from '../overlay/identifiers.ts'
import { analyse } from '../sql/analysis.ts'
import type { NameUse } from '../sql/mention.ts'
import { rewrite } from '../sql/rewrite.ts'
import { partitionText } from './partition-text.ts'
import type { CopyIn, KeyProbe, Refusal, RewriteFacts, Rewriting } from '../sql/rewriting.ts'
import type { DdlDetail, ForeignReference, Statement, TableCommand } from '../sql/statement.ts'

/**
 * Something done to a whole table before a statement. `hydrate`: all its rows become local (a table without a key is written, or a
 * migration computes values of its rows). `detach`: its base rows go (TRUNCATE). `drop_base`: so that it can be dropped. `free_key`: so that
 * columns of its key can be changed. `free_partitions`: so that columns can be that views of its partitions have. `bring_all_parents`, and `bring_parents` for a foreign key that is being made: rows that local ones
 * refer to become local, for PostgreSQL looks at these alone. `enable_row_security`, `force_row_security`: users' own, where it is on for
 * ours all the time. `drop_partition`: so that a view can be dropped as the table that it is on production.
 */
export type Preparation =
  | {
      readonly kind:
        | 'hydrate'
        | 'detach'
        | 'drop_base'
        | 'free_key'
        | 'free_partitions'
        | 'bring_all_parents'
        | 'enable_row_security'
        | 'force_row_security'
      readonly table: MergedTable
    }
  | { readonly kind: 'drop_partition'; readonly child: NameUse }
  | {
      readonly kind: 'bring_parents'
      readonly table: MergedTable
      readonly child: NameUse
      readonly reference: ForeignReference
    }

/** One statement of a client's text, and what the overlay runs in its stead. */
export interface PlannedStatement {
  readonly statement: Statement
  /** What the overlay gets; empty where all of it is done before. */
  readonly text: string
  /** Queries for the keys of base rows that have to be copied up before. */
  readonly probes: readonly KeyProbe[]
  /** What has to be done to whole tables before, in order. */
  readonly preparations: readonly Preparation[]
  readonly copyIn: CopyIn | undefined
  /** It writes or locks merged tables: it would have written to production. */
  readonly writes: boolean
  /** The transaction that it begins, or all that follow, keep one snapshot (REPEATABLE READ and above). */
  readonly isolation: 'this' | 'all' | undefined
  readonly refusal: Refusal | undefined
  /** From a place in `text` to one in the client's whole text; both count characters from 1, as PostgreSQL's positions. */
  readonly positionOf: (position: number) => number
}

/** What becomes of a text that a client sent. */
export interface TextPlan {
  /** The text that does all of it when run as it is; undefined where something has to be done before a statement. */
  readonly direct: string | undefined
  readonly statements: readonly PlannedStatement[]
  readonly changesSchema: boolean
  /** Nothing of it may run: nobody knows what it would need. */
  readonly refusal?: Refusal
}

/** What is known besides names; `maxRows` of production may come to the branch by one statement. */
export interface PlanFacts extends RewriteFacts {
  readonly maxRows?: number
}

/** SQLSTATEs by which our parser gives up texts that PostgreSQL may take: they are too long, or too deep. */
const LIMITS: ReadonlySet<string> = new Set(['54000', '54001'])

/**
 * Plans a text. One that the parser does not take is passed on as it is, for the overlay to refuse it in its own words: what cannot be
 * parsed cannot run. One that is beyond limits of ours could, and is refused.
 */
export function planText(
  text: string,
  catalog: Catalog,
  resolve: ResolveRelation,
  { maxRows = DEFAULT_MAX_COPY_UP_ROWS, ...facts }: PlanFacts = {},
): TextPlan {
  const parsed = analyse(text)
  if (parsed.failure) {
    const { code, message, hint = '' } = parsed
    const refusal = LIMITS.has(code) ? { refusal: { code, message, hint } } : {}
    return { direct: text, statements: [], changesSchema: false, ...refusal }
  }
  const statements = parsed.statements.map((statement): PlannedStatement => {
    const rewriting = rewrite(statement, catalog, resolve, facts)
    const partitions = partitionText(statement, resolve, maxRows)
    return {
      statement,
      text: partitions ?? textOf(statement, rewriting, resolve),
      probes: rewriting.probes,
      preparations: preparationsOf(statement, rewriting, resolve),
      copyIn: rewriting.copyIn,
      writes: rewriting.written.length > 0,
      isolation: isolationOf(statement),
      refusal:
        rewriting.refusal ??
        (partitions === undefined ? familyRefusal(statement, resolve) : undefined) ??
        internalRefusal(statement),
      positionOf: (position) => rewriting.positions(position),
    }
  })
  const direct = statements.some(needsWork) ? undefined : spliced(text, statements)
  const changesSchema = parsed.statements.some(({ kind }) => kind === 'ddl')
  return { direct, statements, changesSchema }
}

/** A change of a key column: mesh's own policy and trigger name it, which lets no type change. */
const KEY_COMMANDS: ReadonlySet<string> = new Set(['AT_AlterColumnType', 'AT_DropColumn'])

const COLUMN_COMMANDS: ReadonlySet<string> = new Set(['AT_AddColumn', 'AT_AlterColumnType', 'AT_DropColumn'])

/** In the order in which they are done. */
const ROW_SECURITY = [
  ['AT_EnableRowSecurity', 'enable_row_security'],
  ['AT_ForceRowSecurity', 'force_row_security'],
] as const

/** What an ALTER TABLE has to find done: rows that it computes or tells apart in another way are the branch's, and nothing of ours in its way. */
function beforeAlter(commands: readonly TableCommand[], tables: readonly MergedTable[]): readonly Preparation[] {
  const done: Preparation[] = []
  for (const table of tables) {
    const isKey = ({ name }: TableCommand): boolean => table.keyColumns.some((column) => column.name === name)
    const dropsKey = commands.some((command) => command.type === 'AT_DropColumn' && isKey(command))
    const computes = commands.some(({ computed }) => computed)
    if (commands.some(({ type }) => type === 'AT_AlterColumnType')) done.push({ kind: 'bring_all_parents', table })
    if (table.kind === 'partitioned' && commands.some(({ type }) => COLUMN_COMMANDS.has(type)))
      done.push({ kind: 'free_partitions', table })
    for (const [type, kind] of ROW_SECURITY) {
      if (commands.some((command) => command.type === type)) done.push({ kind, table })
    }
    if (dropsKey || computes) done.push({ kind: 'hydrate', table })
    if (commands.some((command) => KEY_COMMANDS.has(command.type) && isKey(command))) {
      done.push({ kind: 'free_key', table })
    }
  }
  return done
}

function preparationsOf({ detail }: Statement, rewriting: Rewriting, resolve: ResolveRelation): readonly Preparation[] {
  const { hydrate, truncate = [], ddlTables = [] } = rewriting
  const prepare = (kind: 'hydrate' | 'detach' | 'drop_base', tables: readonly MergedTable[]): Preparation[] =>
    tables.map((table) => ({ kind, table }))
  const done = [...prepare('hydrate', hydrate), ...prepare('detach', truncate)]
  if (detail.kind !== 'ddl') return done
  const { action, object, commands, names } = detail.ddl
  const tables = ddlTables.filter(({ kind }) => kind !== 'matview')
  done.push(...beforeAlter(commands, tables))
  const [child] = names
  for (const { reference } of commands) {
    const parent = reference === undefined ? 'unknown' : resolve(relationName(reference.parent))
    if (reference === undefined || child === undefined || !isMerged(parent)) continue
    done.push({ kind: 'bring_parents', table: parent, child, reference })
  }
  if (action === 'drop' && object === 'table') {
    const dropped = names.map((name) => resolve(relationName(name))).filter(isMerged)
    done.push(...prepare('drop_base', dropped))
    for (const child of names) {
      const found = resolve(relationName(child))
      if (found === 'view' || found === 'unknown') done.push({ kind: 'drop_partition', child })
    }
  }
  return done
}

/** Commands of ALTER TABLE that give a table parents, or partitions where it is no partitioned one of production. */
const FAMILY_COMMANDS: ReadonlySet<string> = new Set(['AT_AddInherit', 'AT_AttachPartition', 'AT_DetachPartition'])

/** A table of production has no children here but its base: what a new one held would be changed by nobody. */
function familyRefusal({ detail }: Statement, resolve: ResolveRelation): Refusal | undefined {
  if (detail.kind !== 'ddl') return undefined
  const { action, family, names, commands } = detail.ddl
  const joins = action === 'create' || commands.some(({ type }) => FAMILY_COMMANDS.has(type))
  if (family.length === 0 || !joins) return undefined
  const table = [...family, ...(action === 'create' ? [] : names)]
    .map((name) => resolve(relationName(name)))
    .find(isMerged)
  if (table === undefined) return undefined
  return {
    code: '0A000',
    message: `"${table.name}" cannot have children or partitions on a branch, or be one`,
    hint: 'It is merged with its rows in production. Make a table of its own with CREATE TABLE ... (LIKE ...).',
  }
}

/** Functions of mesh are its sessions' to call: they would leave a table half prepared for a statement that does not come. */
function internalRefusal({ functions }: Statement): Refusal | undefined {
  const called = functions.find(({ schema }) => schema === 'mesh')
  if (called === undefined) return undefined
  return {
    code: '42501',
    message: `permission denied for function mesh.${called.name}`,
    hint: "The schema mesh is the data proxy's own.",
  }
}

const ONE_SNAPSHOT = /^(?:repeatable read|serializable)$/i

/** Does a statement ask for a snapshot that lasts as long as its transaction? */
function isolationOf({ detail }: Statement): PlannedStatement['isolation'] {
  if (detail.kind === 'transaction') return ONE_SNAPSHOT.test(detail.transaction.isolation ?? '') ? 'this' : undefined
  if (detail.kind !== 'set') return undefined
  const { action, name, isolation, values, local } = detail.setting
  if (action === 'set-transaction') return ONE_SNAPSHOT.test(isolation ?? '') ? 'this' : undefined
  if (action === 'set-characteristics') return ONE_SNAPSHOT.test(isolation ?? '') ? 'all' : undefined
  if (name === 'transaction_isolation' && ONE_SNAPSHOT.test(values?.[0] ?? '')) return 'this'
  if (name !== 'default_transaction_isolation' || !ONE_SNAPSHOT.test(values?.[0] ?? '')) return undefined
  return local ? undefined : 'all'
}

function textOf(statement: Statement, { text, truncate }: Rewriting, resolve: ResolveRelation): string {
  if (truncate !== undefined) return truncateText(statement, truncate)
  const { detail } = statement
  if (detail.kind !== 'ddl' || detail.ddl.action !== 'refresh') return text
  // Until its first REFRESH a materialised view shows production's; from then on what it is made of here.
  const [name] = detail.ddl.names
  const view = name === undefined ? 'unknown' : resolve(relationName(name))
  return isMerged(view) ? `DO LANGUAGE plpgsql 'BEGIN PERFORM mesh.refresh(${view.id}); END'` : text
}

/** What the client is told when a statement is done; undefined: what the overlay says. */
export function tagOf({ statement, text }: PlannedStatement): string | undefined {
  const { detail } = statement
  return detail.kind === 'ddl' && text.startsWith('DO') ? OUR_TAGS[detail.ddl.action] : undefined
}

/** Of statements in whose stead a DO is run. */
const OUR_TAGS: Readonly<Partial<Record<DdlDetail['action'], string>>> = {
  refresh: 'REFRESH MATERIALIZED VIEW',
  create: 'CREATE TABLE',
  alter: 'ALTER TABLE',
}

/** Of the statements of one text, in turn. */
export function tagsOf({ statements }: TextPlan): () => string | undefined {
  const rest = statements.values()
  return () => {
    const { value } = rest.next()
    return value === undefined ? undefined : tagOf(value)
  }
}

function relationName({ schema, name }: NameUse): RelationName {
  return schema === undefined ? { name } : { schema, name }
}

/** Empties what is local of the tables, once their base rows are gone; the other tables of the list with them. */
function truncateText({ detail, relations }: Statement, merged: readonly MergedTable[]): string {
  const names = merged.map(({ schema, name }) => `ONLY ${qualified(schema, name)}`)
  for (const { schema, name } of relations) {
    const isMerged = merged.some((table) => table.name === name && (schema ?? table.schema) === table.schema)
    if (!isMerged) names.push(schema === undefined ? quoteName(name) : qualified(schema, name))
  }
  const restart = detail.kind === 'truncate' && detail.restartIdentity ? ' RESTART IDENTITY' : ''
  const cascade = detail.kind === 'truncate' && detail.cascade ? ' CASCADE' : ''
  return `TRUNCATE ${names.join(', ')}${restart}${cascade}`
}

/** Has something to be done before it runs, or in its stead? */
export function needsWork({ probes, preparations, copyIn, refusal }: PlannedStatement): boolean {
  return probes.length > 0 || preparations.length > 0 || copyIn !== undefined || refusal !== undefined
}

/** A plain statement with `$1`: of the extended protocol, where it gets its value. A simple query of it fails before it does anything. */
export function hasParameters({ statements: [first, second] }: TextPlan): boolean {
  return second === undefined && first?.statement.detail.kind === 'none' && first.statement.parameters.length > 0
}

/** The client's text with each statement in its new form; what stands between them stays. */
function spliced(text: string, statements: readonly PlannedStatement[]): string {
  let whole = ''
  let copied = 0
  for (const { statement, text: replaced } of statements) {
    whole += text.slice(copied, statement.start) + replaced
    copied = statement.end
  }
  return whole + text.slice(copied)
}
