import { MeshError } from '../../core/errors.ts'
import type { CancelKey } from './backend.ts'
import { emptyMessage, MessageBuilder } from './message-builder.ts'
import type { PgValue } from './message-builder.ts'
import { PayloadReader } from './payload-reader.ts'

export { copyData, copyDone } from './copy.ts'

/**
 * Messages of a client (PostgreSQL manual 54.7). A builder gives a whole message; a reader takes a message's payload, its
 * views are borrowed. Names of statements and portals may be empty: the unnamed ones.
 */

/** The type of each message of a client. All answers to authentication have the same type. */
export const FRONTEND = {
  bind: 0x42, // B
  close: 0x43, // C
  copyData: 0x64, // d
  copyDone: 0x63, // c
  copyFail: 0x66, // f
  describe: 0x44, // D
  execute: 0x45, // E
  flush: 0x48, // H
  functionCall: 0x46, // F
  parse: 0x50, // P
  password: 0x70, // p
  query: 0x51, // Q
  sync: 0x53, // S
  terminate: 0x58, // X
} as const

/** Protocol 3.0, which every server and client speaks. */
export const PROTOCOL_3_0: number = 3 << 16

const CANCEL_REQUEST_CODE = 80_877_102
const SSL_REQUEST_CODE = 80_877_103
const GSS_REQUEST_CODE = 80_877_104

/** The untyped message that opens a connection. */
export type PgStartup =
  | { readonly kind: 'ssl' }
  | { readonly kind: 'gss' }
  | ({ readonly kind: 'cancel' } & CancelKey)
  | { readonly kind: 'startup'; readonly protocol: number; readonly parameters: ReadonlyMap<string, string> }

/** `user` is required by servers, `database` defaults to it. */
export function startupMessage(
  parameters: Readonly<Record<string, string>> | ReadonlyMap<string, string>,
  protocol: number = PROTOCOL_3_0,
): Uint8Array {
  const builder = new MessageBuilder().begin(0).int32(protocol)
  const pairs = parameters instanceof Map ? parameters.entries() : Object.entries(parameters)
  for (const [name, value] of pairs) builder.text(name).text(value)
  return builder.uint8(0).end().finish()
}

export function sslRequest(): Uint8Array {
  return new MessageBuilder().begin(0).int32(SSL_REQUEST_CODE).end().finish()
}

export function gssRequest(): Uint8Array {
  return new MessageBuilder().begin(0).int32(GSS_REQUEST_CODE).end().finish()
}

export function cancelRequest(key: CancelKey): Uint8Array {
  const builder = new MessageBuilder().begin(0).int32(CANCEL_REQUEST_CODE)
  return builder.int32(key.processId).bytes(key.secretKey).end().finish()
}

/**
 * Reads an untyped message. A startup of another major version than 3 is refused with `MESH_ERR_POSTGRES`; a later minor
 * one is for the server to negotiate (NegotiateProtocolVersion).
 */
export function readStartup(payload: Uint8Array): PgStartup {
  const reader = new PayloadReader(payload, 'StartupMessage')
  const code = reader.int32()
  if (code === SSL_REQUEST_CODE) return { kind: 'ssl' }
  if (code === GSS_REQUEST_CODE) return { kind: 'gss' }
  if (code === CANCEL_REQUEST_CODE) {
    return { kind: 'cancel', processId: reader.int32(), secretKey: Uint8Array.from(reader.borrowRest()) }
  }
  if (code >> 16 !== 3) {
    throw new MeshError('MESH_ERR_POSTGRES', {
      what: `expected protocol version 3, found ${code >> 16}.${code & 0xffff}`,
      remedy: 'connect with a PostgreSQL client of version 7.4 or later',
    })
  }
  const parameters = new Map<string, string>()
  for (let name = reader.text(); name !== ''; name = reader.text()) parameters.set(name, reader.text())
  reader.end()
  return { kind: 'startup', protocol: code, parameters }
}

/** Bytes are a text in another encoding than UTF-8. */
export function query(text: string | Uint8Array): Uint8Array {
  return new MessageBuilder(text.length + 16).begin(FRONTEND.query).text(text).end().finish()
}

export function readQuery(payload: Uint8Array): string {
  const reader = new PayloadReader(payload, 'Query')
  const text = reader.text()
  reader.end()
  return text
}

export interface PgParse {
  /** Of the prepared statement. */
  readonly name: string
  readonly text: string
  /** Oids; 0 or missing: the server infers the type. */
  readonly parameterTypes: readonly number[]
}

/** Bytes are a text in another encoding than UTF-8. */
export function parse(message: Omit<PgParse, 'text'> & { readonly text: string | Uint8Array }): Uint8Array {
  const { name, text, parameterTypes } = message
  const builder = new MessageBuilder(text.length + 64).begin(FRONTEND.parse)
  builder.text(name).text(text).count(parameterTypes.length)
  for (const oid of parameterTypes) builder.int32(oid)
  return builder.end().finish()
}

export function readParse(payload: Uint8Array): PgParse {
  const reader = new PayloadReader(payload, 'Parse')
  const name = reader.text()
  const text = reader.text()
  const parameterTypes = reader.list(reader.uint16(), 4, () => reader.uint32())
  reader.end()
  return { name, text, parameterTypes }
}

export interface PgBind {
  readonly portal: string
  /** Name of the prepared statement. */
  readonly statement: string
  /** None: all text; one: for all; else one for each value. 0 text, 1 binary. */
  readonly formats: readonly number[]
  readonly values: readonly PgValue[]
  /** Formats of the result's columns, by the same rule. */
  readonly resultFormats: readonly number[]
}

/** What `readBind` gives: every value as the bytes that came. */
export interface PgBindBytes extends PgBind {
  readonly values: readonly (Uint8Array | null)[]
}

export function bind(message: PgBind): Uint8Array {
  const builder = new MessageBuilder(64 + 16 * message.values.length).begin(FRONTEND.bind)
  builder.text(message.portal).text(message.statement).count(message.formats.length)
  for (const format of message.formats) builder.int16(format)
  builder.count(message.values.length)
  for (const value of message.values) builder.value(value)
  builder.count(message.resultFormats.length)
  for (const format of message.resultFormats) builder.int16(format)
  return builder.end().finish()
}

export function readBind(payload: Uint8Array): PgBindBytes {
  const reader = new PayloadReader(payload, 'Bind')
  const portal = reader.text()
  const statement = reader.text()
  const formats = reader.list(reader.uint16(), 2, () => reader.int16())
  const values = reader.list(reader.uint16(), 4, () => reader.borrowValue())
  const resultFormats = reader.list(reader.uint16(), 2, () => reader.int16())
  reader.end()
  return { portal, statement, formats, values, resultFormats }
}

/** A prepared statement or a portal, as Describe and Close name one. */
export interface PgTarget {
  readonly kind: 'statement' | 'portal'
  readonly name: string
}

export function describe(target: PgTarget): Uint8Array {
  return targetMessage(FRONTEND.describe, target)
}

export function readDescribe(payload: Uint8Array): PgTarget {
  return readTarget(payload, 'Describe')
}

export function close(target: PgTarget): Uint8Array {
  return targetMessage(FRONTEND.close, target)
}

export function readClose(payload: Uint8Array): PgTarget {
  return readTarget(payload, 'Close')
}

const STATEMENT = 0x53
const PORTAL = 0x50

function targetMessage(type: number, target: PgTarget): Uint8Array {
  const kind = target.kind === 'statement' ? STATEMENT : PORTAL
  return new MessageBuilder().begin(type).uint8(kind).text(target.name).end().finish()
}

function readTarget(payload: Uint8Array, message: string): PgTarget {
  const reader = new PayloadReader(payload, message)
  const kind = reader.uint8()
  if (kind !== STATEMENT && kind !== PORTAL) {
    throw new MeshError('MESH_ERR_POSTGRES', { what: `expected S or P in ${message}, found byte ${kind}` })
  }
  const name = reader.text()
  reader.end()
  return { kind: kind === STATEMENT ? 'statement' : 'portal', name }
}

export interface PgExecute {
  readonly portal: string
  /** 0: all of them. */
  readonly maxRows: number
}

export function execute(message: PgExecute): Uint8Array {
  return new MessageBuilder().begin(FRONTEND.execute).text(message.portal).int32(message.maxRows).end().finish()
}

export function readExecute(payload: Uint8Array): PgExecute {
  const reader = new PayloadReader(payload, 'Execute')
  const message = { portal: reader.text(), maxRows: reader.int32() }
  reader.end()
  return message
}

const SYNC = emptyMessage(FRONTEND.sync)
const FLUSH = emptyMessage(FRONTEND.flush)
const TERMINATE = emptyMessage(FRONTEND.terminate)

/** These three are shared bytes: never write to them. */
export function sync(): Uint8Array {
  return SYNC
}

export function flush(): Uint8Array {
  return FLUSH
}

export function terminate(): Uint8Array {
  return TERMINATE
}

/** Ends a copy into the server; it answers with an error that bears this reason. */
export function copyFail(reason: string): Uint8Array {
  return new MessageBuilder().begin(FRONTEND.copyFail).text(reason).end().finish()
}

export function readCopyFail(payload: Uint8Array): string {
  return new PayloadReader(payload, 'CopyFail').text()
}

/** A password in clear text, or the hash that MD5 authentication asks for. */
export function password(text: string): Uint8Array {
  return new MessageBuilder().begin(FRONTEND.password).text(text).end().finish()
}

export function readPassword(payload: Uint8Array): string {
  const reader = new PayloadReader(payload, 'PasswordMessage')
  const text = reader.text()
  reader.end()
  return text
}

export interface SaslInitial {
  readonly mechanism: string
  readonly data: Uint8Array | null
}

export function saslInitial(message: SaslInitial): Uint8Array {
  return new MessageBuilder().begin(FRONTEND.password).text(message.mechanism).value(message.data).end().finish()
}

export function readSaslInitial(payload: Uint8Array): SaslInitial {
  const reader = new PayloadReader(payload, 'SASLInitialResponse')
  const mechanism = reader.text()
  const data = reader.borrowValue()
  reader.end()
  return { mechanism, data }
}

export function saslResponse(data: Uint8Array): Uint8Array {
  return new MessageBuilder(data.length + 8).begin(FRONTEND.password).bytes(data).end().finish()
}

/** The data is the payload itself. */
export function readSaslResponse(payload: Uint8Array): Uint8Array {
  return payload
}
