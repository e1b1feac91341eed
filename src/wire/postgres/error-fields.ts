import { MeshError } from '../../core/errors.ts'
import { MessageBuilder } from './message-builder.ts'
import { PayloadReader } from './payload-reader.ts'

/** What an ErrorResponse or NoticeResponse says (PostgreSQL manual 54.8). */
export interface PgErrorFields {
  /** `ERROR`, `FATAL`, `PANIC`, `WARNING`, `NOTICE`, `DEBUG`, `INFO` or `LOG`: never translated. */
  readonly severity: string
  /** The severity in the server's language, where it differs. */
  readonly localSeverity?: string
  /** SQLSTATE. */
  readonly code: string
  readonly message: string
  readonly detail?: string
  readonly hint?: string
  /** Of the fault in the statement's text, in characters (code points), from 1. */
  readonly position?: number
  /** The same in `internalQuery`. */
  readonly internalPosition?: number
  readonly internalQuery?: string
  /** The call stack. */
  readonly where?: string
  readonly schema?: string
  readonly table?: string
  readonly column?: string
  readonly dataType?: string
  readonly constraint?: string
  readonly file?: string
  readonly line?: string
  readonly routine?: string
}

type TextField = Exclude<keyof PgErrorFields, 'severity' | 'localSeverity' | 'position' | 'internalPosition'>

/** Field letters in the order in which PostgreSQL sends them; S, V, P and p are handled apart. */
const TEXT_LETTERS: readonly (readonly [letter: string, name: TextField])[] = [
  ['C', 'code'],
  ['M', 'message'],
  ['D', 'detail'],
  ['H', 'hint'],
  ['q', 'internalQuery'],
  ['W', 'where'],
  ['s', 'schema'],
  ['t', 'table'],
  ['c', 'column'],
  ['d', 'dataType'],
  ['n', 'constraint'],
  ['F', 'file'],
  ['L', 'line'],
  ['R', 'routine'],
]

const ERROR_RESPONSE = 0x45
const NOTICE_RESPONSE = 0x4e

/** A client takes this for an error of the connection, whatever happened inside. */
const UNKNOWN_SQLSTATE = 'XX000'

export function errorResponse(fields: PgErrorFields): Uint8Array {
  return fieldsMessage(ERROR_RESPONSE, fields)
}

export function noticeResponse(fields: PgErrorFields): Uint8Array {
  return fieldsMessage(NOTICE_RESPONSE, fields)
}

function fieldsMessage(type: number, fields: PgErrorFields): Uint8Array {
  const builder = new MessageBuilder(512).begin(type)
  const put = (letter: string, value: string | number | undefined): void => {
    if (value === undefined) return
    // A field of an error may quote what a hostile peer sent: it must not break the message that reports it.
    builder.uint8(letter.charCodeAt(0)).text(String(value).replaceAll('\0', '\uFFFD'))
  }
  put('S', fields.localSeverity ?? fields.severity)
  put('V', fields.severity)
  for (const [letter, name] of TEXT_LETTERS) put(letter, fields[name])
  put('P', fields.position)
  put('p', fields.internalPosition)
  return builder.uint8(0).end().finish()
}

/** Fields that we do not know are left out (the manual asks for that); a missing severity or code gets a plain one. */
export function readErrorFields(payload: Uint8Array): PgErrorFields {
  const letters = readFieldLetters(payload)
  const local = letters.get('S')
  const severity = letters.get('V') ?? local ?? 'ERROR'
  const texts: { [name in TextField]?: string } = {}
  for (const [letter, name] of TEXT_LETTERS) {
    const value = letters.get(letter)
    if (value !== undefined) texts[name] = value
  }
  const position = positive(letters.get('P'))
  const internalPosition = positive(letters.get('p'))
  return {
    ...texts,
    severity,
    code: texts.code ?? UNKNOWN_SQLSTATE,
    message: texts.message ?? '',
    ...(local === undefined || local === severity ? {} : { localSeverity: local }),
    ...(position === undefined ? {} : { position }),
    ...(internalPosition === undefined ? {} : { internalPosition }),
  }
}

/** The fields by letter, as they were sent, those of later versions included. */
export function readFieldLetters(payload: Uint8Array): Map<string, string> {
  const reader = new PayloadReader(payload, 'ErrorResponse')
  const letters = new Map<string, string>()
  for (let letter = reader.uint8(); letter !== 0; letter = reader.uint8()) {
    letters.set(String.fromCharCode(letter), reader.text())
  }
  reader.end()
  return letters
}

function positive(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined
}

/**
 * The error of a server as ours: `MESH_ERR_POSTGRES`, from which `postgresErrorOf` gives the fields back.
 * `expected` ends the phrase "expected ...".
 */
export function postgresError(
  fields: PgErrorFields,
  context: { readonly expected: string; readonly where: string; readonly remedy?: string },
): MeshError {
  const { expected, where, remedy = fields.hint } = context
  const what = `expected ${expected}, found ${fields.severity} ${fields.code}: ${fields.message}`
  const facts = { what, where, cause: fields }
  return new MeshError('MESH_ERR_POSTGRES', remedy === undefined ? facts : { ...facts, remedy })
}

/** What the server said, where this is an error that a PostgreSQL server answered with; else undefined. */
export function postgresErrorOf(thrown: unknown): PgErrorFields | undefined {
  if (!(thrown instanceof MeshError) || thrown.code !== 'MESH_ERR_POSTGRES') return undefined
  return isErrorFields(thrown.cause) ? thrown.cause : undefined
}

function isErrorFields(value: unknown): value is PgErrorFields {
  return typeof value === 'object' && value !== null && 'severity' in value && 'code' in value && 'message' in value
}
