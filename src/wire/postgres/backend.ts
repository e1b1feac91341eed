import { utf8 } from '../../core/bytes.ts'
import { emptyMessage, MessageBuilder } from './message-builder.ts'
import type { PgValue } from './message-builder.ts'
import { PayloadReader } from './payload-reader.ts'

export { copyData, copyDone } from './copy.ts'
export { errorResponse, noticeResponse, readErrorFields } from './error-fields.ts'
export type { PgErrorFields } from './error-fields.ts'

/**
 * Messages of a server (PostgreSQL manual 54.7). A builder gives a whole message; a reader takes a message's payload, its
 * views are borrowed. Errors and notices are in `error-fields.ts`.
 */

/** The type of each message of a server. */
export const BACKEND = {
  authentication: 0x52, // R
  backendKeyData: 0x4b, // K
  bindComplete: 0x32, // 2
  closeComplete: 0x33, // 3
  commandComplete: 0x43, // C
  copyBothResponse: 0x57, // W
  copyData: 0x64, // d
  copyDone: 0x63, // c
  copyInResponse: 0x47, // G
  copyOutResponse: 0x48, // H
  dataRow: 0x44, // D
  emptyQuery: 0x49, // I
  errorResponse: 0x45, // E
  functionCallResponse: 0x56, // V
  negotiateProtocolVersion: 0x76, // v
  noData: 0x6e, // n
  noticeResponse: 0x4e, // N
  notificationResponse: 0x41, // A
  parameterDescription: 0x74, // t
  parameterStatus: 0x53, // S
  parseComplete: 0x31, // 1
  portalSuspended: 0x73, // s
  readyForQuery: 0x5a, // Z
  rowDescription: 0x54, // T
} as const

/** Of a session: idle, in a transaction, in a failed transaction. */
export type TransactionStatus = 'I' | 'T' | 'E'

/** Shared bytes, never written to. */
export function readyForQuery(status: TransactionStatus): Uint8Array {
  return READY[status]
}

function ready(status: TransactionStatus): Uint8Array {
  return new MessageBuilder(6).begin(BACKEND.readyForQuery).uint8(status.charCodeAt(0)).end().finish()
}

const READY: Readonly<Record<TransactionStatus, Uint8Array>> = { I: ready('I'), T: ready('T'), E: ready('E') }

/** Anything but `T` and `E` is idle. */
export function readReadyForQuery(payload: Uint8Array): TransactionStatus {
  const status = payload[0]
  if (status === 0x54) return 'T'
  return status === 0x45 ? 'E' : 'I'
}

export interface ParameterStatus {
  readonly name: string
  readonly value: string
}

export function parameterStatus(name: string, value: string): Uint8Array {
  return new MessageBuilder().begin(BACKEND.parameterStatus).text(name).text(value).end().finish()
}

export function readParameterStatus(payload: Uint8Array): ParameterStatus {
  const reader = new PayloadReader(payload, 'ParameterStatus')
  return { name: reader.text(), value: reader.text() }
}

/** What cancels a session's statement. The key has 4 bytes in protocol 3.0, up to 256 in 3.2. */
export interface CancelKey {
  readonly processId: number
  readonly secretKey: Uint8Array
}

export function backendKeyData(key: CancelKey): Uint8Array {
  return new MessageBuilder().begin(BACKEND.backendKeyData).int32(key.processId).bytes(key.secretKey).end().finish()
}

/** The key is a copy: it is kept for the session's life. */
export function readBackendKeyData(payload: Uint8Array): CancelKey {
  const reader = new PayloadReader(payload, 'BackendKeyData')
  return { processId: reader.int32(), secretKey: Uint8Array.from(reader.borrowRest()) }
}

/** A column of a result. */
export interface PgField {
  readonly name: string
  /** Of the table that it is a column of; 0 where it is none. */
  readonly tableOid: number
  /** The column's number in its table; 0 where it is none. */
  readonly column: number
  readonly typeOid: number
  /** Negative: of variable size. */
  readonly typeBytes: number
  readonly typeModifier: number
  /** 0 text, 1 binary. */
  readonly format: number
}

/** Name, and 18 bytes behind it. */
const MIN_FIELD_BYTES = 19

export function rowDescription(fields: readonly PgField[]): Uint8Array {
  const builder = new MessageBuilder(64 + 40 * fields.length).begin(BACKEND.rowDescription).count(fields.length)
  for (const field of fields) {
    builder.text(field.name).int32(field.tableOid).int16(field.column).int32(field.typeOid)
    builder.int16(field.typeBytes).int32(field.typeModifier).int16(field.format)
  }
  return builder.end().finish()
}

export function readRowDescription(payload: Uint8Array): PgField[] {
  const reader = new PayloadReader(payload, 'RowDescription')
  const fields = reader.list(reader.uint16(), MIN_FIELD_BYTES, () => ({
    name: reader.text(),
    tableOid: reader.uint32(),
    column: reader.int16(),
    typeOid: reader.uint32(),
    typeBytes: reader.int16(),
    typeModifier: reader.int32(),
    format: reader.int16(),
  }))
  reader.end()
  return fields
}

export function dataRow(values: readonly PgValue[]): Uint8Array {
  const builder = new MessageBuilder(64 + 16 * values.length).begin(BACKEND.dataRow).count(values.length)
  for (const value of values) builder.value(value)
  return builder.end().finish()
}

/** The values are borrowed views. */
export function readDataRow(payload: Uint8Array): (Uint8Array | null)[] {
  const reader = new PayloadReader(payload, 'DataRow')
  const values = reader.list(reader.uint16(), 4, () => reader.borrowValue())
  reader.end()
  return values
}

/** A row of values in text format, as strings. */
export function readTextRow(payload: Uint8Array): (string | null)[] {
  return readDataRow(payload).map((value) => (value === null ? null : utf8(value)))
}

/** `tag` as PostgreSQL writes it: `INSERT 0 1`, `SELECT 5`. The bytes may be shared: never write to them. */
export function commandComplete(tag: string): Uint8Array {
  return tag === ONE_ROW.tag ? ONE_ROW.bytes : completed(tag)
}

export function readCommandComplete(payload: Uint8Array): string {
  return isOneRow(payload) ? ONE_ROW.tag : new PayloadReader(payload, 'CommandComplete').text()
}

function completed(tag: string): Uint8Array {
  return new MessageBuilder().begin(BACKEND.commandComplete).text(tag).end().finish()
}

/** How most reads of a service end: neither written nor read anew each time. */
const ONE_ROW: { readonly tag: string; readonly bytes: Uint8Array } = { tag: 'SELECT 1', bytes: completed('SELECT 1') }

function isOneRow(payload: Uint8Array): boolean {
  const { bytes } = ONE_ROW
  if (payload.length !== bytes.length - 5) return false
  for (let at = 0; at < payload.length; at++) if (payload[at] !== bytes[at + 5]) return false
  return true
}

export function parameterDescription(typeOids: readonly number[]): Uint8Array {
  const builder = new MessageBuilder().begin(BACKEND.parameterDescription).count(typeOids.length)
  for (const oid of typeOids) builder.int32(oid)
  return builder.end().finish()
}

export function readParameterDescription(payload: Uint8Array): number[] {
  const reader = new PayloadReader(payload, 'ParameterDescription')
  return reader.list(reader.uint16(), 4, () => reader.uint32())
}

/** Formats of a copy. */
export interface CopyFormat {
  readonly binary: boolean
  /** 0 or 1 for each column. */
  readonly columnFormats: readonly number[]
}

export function copyInResponse(format: CopyFormat): Uint8Array {
  return copyResponse(BACKEND.copyInResponse, format)
}

export function copyOutResponse(format: CopyFormat): Uint8Array {
  return copyResponse(BACKEND.copyOutResponse, format)
}

export function copyBothResponse(format: CopyFormat): Uint8Array {
  return copyResponse(BACKEND.copyBothResponse, format)
}

function copyResponse(type: number, format: CopyFormat): Uint8Array {
  const builder = new MessageBuilder()
    .begin(type)
    .uint8(format.binary ? 1 : 0)
    .count(format.columnFormats.length)
  for (const columnFormat of format.columnFormats) builder.int16(columnFormat)
  return builder.end().finish()
}

/** Reads a CopyInResponse, CopyOutResponse or CopyBothResponse. */
export function readCopyResponse(payload: Uint8Array): CopyFormat {
  const reader = new PayloadReader(payload, 'CopyResponse')
  const binary = reader.uint8() === 1
  return { binary, columnFormats: reader.list(reader.uint16(), 2, () => reader.int16()) }
}

export interface Notification {
  /** Of the session that notified. */
  readonly processId: number
  readonly channel: string
  readonly payload: string
}

export function notificationResponse(notification: Notification): Uint8Array {
  const { processId, channel, payload } = notification
  const builder = new MessageBuilder().begin(BACKEND.notificationResponse)
  return builder.int32(processId).text(channel).text(payload).end().finish()
}

export function readNotificationResponse(payload: Uint8Array): Notification {
  const reader = new PayloadReader(payload, 'NotificationResponse')
  return { processId: reader.int32(), channel: reader.text(), payload: reader.text() }
}

/** What a server offers to a client that asked for a later protocol, or for options that it does not know. */
export interface ProtocolOffer {
  /** As in a startup message: 3.0 is 196608. */
  readonly protocol: number
  readonly unknownOptions: readonly string[]
}

export function negotiateProtocolVersion(offer: ProtocolOffer): Uint8Array {
  const builder = new MessageBuilder().begin(BACKEND.negotiateProtocolVersion)
  builder.int32(offer.protocol).int32(offer.unknownOptions.length)
  for (const option of offer.unknownOptions) builder.text(option)
  return builder.end().finish()
}

export function readNegotiateProtocolVersion(payload: Uint8Array): ProtocolOffer {
  const reader = new PayloadReader(payload, 'NegotiateProtocolVersion')
  return { protocol: reader.int32(), unknownOptions: reader.list(reader.int32(), 1, () => reader.text()) }
}

const PARSE_COMPLETE = emptyMessage(BACKEND.parseComplete)
const BIND_COMPLETE = emptyMessage(BACKEND.bindComplete)
const CLOSE_COMPLETE = emptyMessage(BACKEND.closeComplete)
const NO_DATA = emptyMessage(BACKEND.noData)
const PORTAL_SUSPENDED = emptyMessage(BACKEND.portalSuspended)
const EMPTY_QUERY = emptyMessage(BACKEND.emptyQuery)

/** These six are shared bytes: never write to them. */
export function parseComplete(): Uint8Array {
  return PARSE_COMPLETE
}

export function bindComplete(): Uint8Array {
  return BIND_COMPLETE
}

export function closeComplete(): Uint8Array {
  return CLOSE_COMPLETE
}

export function noData(): Uint8Array {
  return NO_DATA
}

export function portalSuspended(): Uint8Array {
  return PORTAL_SUSPENDED
}

export function emptyQuery(): Uint8Array {
  return EMPTY_QUERY
}

/** What authentication asks of a client (PostgreSQL manual 54.2.1); `other` is a method that we do not speak (GSS, SSPI). */
export type PgAuthentication =
  | { readonly kind: 'ok' }
  | { readonly kind: 'cleartext' }
  | { readonly kind: 'md5'; readonly salt: Uint8Array }
  | { readonly kind: 'sasl'; readonly mechanisms: readonly string[] }
  | { readonly kind: 'saslContinue'; readonly data: Uint8Array }
  | { readonly kind: 'saslFinal'; readonly data: Uint8Array }
  | { readonly kind: 'other'; readonly code: number }

const AUTHENTICATION_CODES = { ok: 0, cleartext: 3, md5: 5, sasl: 10, saslContinue: 11, saslFinal: 12 } as const

export function authenticationOk(): Uint8Array {
  return authentication('ok').end().finish()
}

export function authenticationCleartext(): Uint8Array {
  return authentication('cleartext').end().finish()
}

/** `salt` has 4 bytes. */
export function authenticationMd5(salt: Uint8Array): Uint8Array {
  return authentication('md5').bytes(salt).end().finish()
}

export function authenticationSasl(mechanisms: readonly string[]): Uint8Array {
  const builder = authentication('sasl')
  for (const mechanism of mechanisms) builder.text(mechanism)
  return builder.uint8(0).end().finish()
}

export function authenticationSaslContinue(data: Uint8Array): Uint8Array {
  return authentication('saslContinue').bytes(data).end().finish()
}

export function authenticationSaslFinal(data: Uint8Array): Uint8Array {
  return authentication('saslFinal').bytes(data).end().finish()
}

function authentication(kind: keyof typeof AUTHENTICATION_CODES): MessageBuilder {
  return new MessageBuilder().begin(BACKEND.authentication).int32(AUTHENTICATION_CODES[kind])
}

export function readAuthentication(payload: Uint8Array): PgAuthentication {
  const reader = new PayloadReader(payload, 'Authentication')
  const code = reader.int32()
  switch (code) {
    case AUTHENTICATION_CODES.ok:
      return { kind: 'ok' }
    case AUTHENTICATION_CODES.cleartext:
      return { kind: 'cleartext' }
    case AUTHENTICATION_CODES.md5:
      return { kind: 'md5', salt: reader.borrow(4) }
    case AUTHENTICATION_CODES.sasl:
      return { kind: 'sasl', mechanisms: readMechanisms(reader) }
    case AUTHENTICATION_CODES.saslContinue:
      return { kind: 'saslContinue', data: reader.borrowRest() }
    case AUTHENTICATION_CODES.saslFinal:
      return { kind: 'saslFinal', data: reader.borrowRest() }
    default:
      return { kind: 'other', code }
  }
}

function readMechanisms(reader: PayloadReader): string[] {
  const mechanisms: string[] = []
  for (let name = reader.text(); name !== ''; name = reader.text()) mechanisms.push(name)
  return mechanisms
}
