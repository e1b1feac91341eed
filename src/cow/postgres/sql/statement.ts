/**
 * What one statement of a client's text is and touches: plain facts with positions, found once per text and cached.
 * Every position is a UTF-16 offset into the whole text that was analysed, also for the second statement of a text.
 */
import type {
  ColumnUse,
  CteUse,
  FunctionUse,
  NameUse,
  OperatorUse,
  RelationUse,
  TextRange,
  TypeUse,
  ValueFunctionUse,
} from './mention.ts'
import type { SelectLevel, WriteLevel } from './level.ts'
import type { SyntaxTree } from './node.ts'
import type { Tokens } from './tokens.ts'

/** What the session has to do with a statement, told by its first keyword. */
export const STATEMENT_KINDS = [
  'select',
  'insert',
  'update',
  'delete',
  'merge',
  'copy-to',
  'copy-from',
  'explain',
  'prepare',
  'execute',
  'deallocate',
  'declare',
  'fetch',
  'close',
  'transaction',
  'set',
  'show',
  'discard',
  'listen',
  'notify',
  'lock',
  'truncate',
  'ddl',
  'do',
  'call',
  'other',
] as const

export type StatementKind = (typeof STATEMENT_KINDS)[number]

/** What the session needs of statements that are not plain queries. */
export type StatementDetail =
  | { readonly kind: 'transaction'; readonly transaction: TransactionDetail }
  | { readonly kind: 'set'; readonly setting: SettingDetail }
  | { readonly kind: 'show'; readonly name: string }
  | { readonly kind: 'discard'; readonly what: 'all' | 'plans' | 'sequences' | 'temp' }
  | { readonly kind: 'prepare'; readonly name: string; readonly types: TextRange | undefined; readonly body: TextRange }
  | { readonly kind: 'execute'; readonly name: string; readonly values: TextRange | undefined }
  | { readonly kind: 'deallocate'; readonly name: string | undefined }
  | { readonly kind: 'declare'; readonly cursor: string; readonly hold: boolean; readonly body: TextRange }
  | { readonly kind: 'fetch'; readonly cursor: string; readonly move: boolean }
  | { readonly kind: 'close'; readonly cursor: string | undefined }
  | { readonly kind: 'listen'; readonly channel: string | undefined; readonly stop: boolean }
  | { readonly kind: 'notify'; readonly channel: string }
  | { readonly kind: 'copy'; readonly copy: CopyDetail }
  | { readonly kind: 'explain'; readonly analyze: boolean; readonly of: StatementKind }
  | { readonly kind: 'truncate'; readonly restartIdentity: boolean; readonly cascade: boolean }
  | { readonly kind: 'ddl'; readonly ddl: DdlDetail }
  | { readonly kind: 'do'; readonly language: string }
  | { readonly kind: 'none' }

export const TRANSACTION_VERBS = [
  'begin',
  'commit',
  'rollback',
  'savepoint',
  'release',
  'rollback-to',
  'prepare-transaction',
  'commit-prepared',
  'rollback-prepared',
] as const

export interface TransactionDetail {
  readonly verb: (typeof TRANSACTION_VERBS)[number]
  /** The savepoint's, or the global transaction id. */
  readonly name: string | undefined
  readonly isolation: string | undefined
  readonly readOnly: boolean | undefined
  readonly deferrable: boolean | undefined
  /** COMMIT AND CHAIN, ROLLBACK AND CHAIN. */
  readonly chain: boolean
}

/** SET, RESET; also SET TRANSACTION and SET SESSION CHARACTERISTICS, whose values are in the transaction's words. */
export interface SettingDetail {
  readonly action:
    | 'set'
    | 'set-default'
    | 'set-current'
    | 'reset'
    | 'reset-all'
    | 'set-transaction'
    | 'set-characteristics'
  /** In lower case; `role`, `session_authorization`, `timezone`, `search_path`, ... Empty for RESET ALL. */
  readonly name: string
  /** The values as text; undefined where one is not a constant. */
  readonly values: readonly string[] | undefined
  readonly local: boolean
  readonly isolation: string | undefined
  readonly readOnly: boolean | undefined
  readonly deferrable: boolean | undefined
}

export interface CopyDetail {
  readonly direction: 'to' | 'from'
  /** Absent for COPY (query) TO. */
  readonly relation: RelationUse | undefined
  /** As the client listed them; undefined for no list. */
  readonly columns: readonly string[] | undefined
  /** The relation with its column list, in the text. */
  readonly target: TextRange | undefined
  readonly program: boolean
  /** A file of the server, or the program; undefined for STDIN and STDOUT. */
  readonly file: string | undefined
  /** COPY BINARY t, or another word before TO of the syntax of PostgreSQL 7: it takes no query. */
  readonly oldSyntax: boolean
}

/** What a DDL statement makes or changes, as far as a session has to react. */
export interface DdlDetail {
  readonly action: 'create' | 'alter' | 'drop' | 'rename' | 'move' | 'refresh' | 'comment' | 'grant' | 'other'
  /** `table`, `index`, `view`, `matview`, `sequence`, `type`, `function`, `schema`, `extension`, `trigger`, ... */
  readonly object: string
  /** The things named: those created, altered or dropped. */
  readonly names: readonly NameUse[]
  readonly newName: string | undefined
  readonly newSchema: string | undefined
  readonly ifExists: boolean
  readonly cascade: boolean
  readonly concurrently: boolean
  /** What is made is temporary. */
  readonly temporary: boolean
  /** Tables that one becomes a child or a partition of; what is attached to one as its partition. */
  readonly family: readonly NameUse[]
  /** ALTER TABLE: the parts of it. */
  readonly commands: readonly TableCommand[]
}

/** One part of an ALTER TABLE. */
export interface TableCommand {
  /** PostgreSQL's own word: `AT_AddColumn`, `AT_DropColumn`, ... */
  readonly type: string
  /** The column or constraint that it names. */
  readonly name: string | undefined
  /** Its values are computed row by row: a change of type with USING, a new identity column. */
  readonly computed: boolean
  readonly reference: ForeignReference | undefined
}

/** A foreign key over columns of the table; without parent columns to the primary key. */
export interface ForeignReference {
  readonly columns: readonly string[]
  readonly parent: NameUse
  readonly parentColumns: readonly string[]
}

/** One statement of a text. */
export interface Statement {
  /** The whole text that it is a part of. */
  readonly text: string
  readonly index: number
  /** Of its first token. */
  readonly start: number
  /** After its last token; the semicolon is outside. */
  readonly end: number
  readonly kind: StatementKind
  readonly detail: StatementDetail
  readonly relations: readonly RelationUse[]
  readonly cteUses: readonly CteUse[]
  readonly functions: readonly FunctionUse[]
  readonly operators: readonly OperatorUse[]
  readonly types: readonly TypeUse[]
  readonly valueFunctions: readonly ValueFunctionUse[]
  readonly columns: readonly ColumnUse[]
  /** Names of the tree's node types: an allow-list can refuse what it does not know. */
  readonly nodeTypes: ReadonlySet<string>
  /** INSERT, UPDATE, DELETE and MERGE at any depth, in the order of the text. */
  readonly writes: readonly WriteLevel[]
  /** SELECTs with a locking clause at any depth, in the order of the text. */
  readonly lockedSelects: readonly SelectLevel[]
  /** Plain SELECTs with a LIMIT below the top: which rows they pick may depend on where the rows lie. */
  readonly limitedSelects: readonly SelectLevel[]
  /** WHERE CURRENT OF, anywhere. */
  readonly currentOf: boolean
  /** SELECT INTO. */
  readonly into: boolean
  /** The numbers of `$n`, ascending, each once. */
  readonly parameters: readonly number[]
  readonly tree: SyntaxTree
  /** Those of the whole text. */
  readonly tokens: Tokens
  /** From a location in the tree to a position in the text. */
  offsetOf(location: number): number
}

/** Why a text cannot be parsed, as PostgreSQL would say it. */
export interface SyntaxFailure {
  readonly failure: true
  /** SQLSTATE: 42601 but for limits (54001, 54000) and bad bytes (22021). */
  readonly code: string
  readonly message: string
  readonly hint?: string
  /** As in an ErrorResponse: counted in characters (code points) from 1. Absent where PostgreSQL gives none. */
  readonly position?: number
}

/** A text that parsed: no statements for an empty one or comments alone. */
export interface ParsedText {
  readonly failure: false
  readonly text: string
  readonly statements: readonly Statement[]
}
