import type { CutReason, Exchange, Message, MissingResponse, ProtocolName, Response } from '../core/exchange.ts'
import type { Endpoint } from '../core/segment.ts'
import { utf8Length, varintLength, zigzag } from './byte-builder.ts'
import type { ByteBuilder } from './byte-builder.ts'

/**
 * Writes `mesh.v1.Exchange` and `mesh.v1.LateResponse` straight into a chunk. The schema in `schema.ts` is what it must write, byte by
 * byte as protobufjs would (a test compares them); by hand because the library's writer takes longer than compressing the
 * result does: see `bench/floors/recording.js`.
 */

export const PROTOCOL_NUMBERS: Readonly<Record<ProtocolName, number>> = {
  http1: 1,
  http2: 2,
  grpc: 3,
  postgres: 4,
  redis: 5,
  mysql: 6,
}

export const CUT_NUMBERS: Readonly<Record<CutReason, number>> = {
  limit: 1,
  gap: 2,
  close: 3,
  end: 4,
  undecodable: 5,
}

export const MISSING_NUMBERS: Readonly<Record<MissingResponse, number>> = {
  late: 1,
  gap: 2,
  close: 3,
  end: 4,
  undecodable: 5,
  absent: 6,
}

/** Tags: field number times eight, and 0 for numbers or 2 for what has a length. */
const TAG = { number: 0, sized: 2 } as const

function tag(field: number, kind: keyof typeof TAG): number {
  return field * 8 + TAG[kind]
}

const ID = tag(1, 'number')
const CONNECTION = tag(2, 'number')
const POSITION = tag(3, 'number')
const SESSION = tag(4, 'sized')
const PROTOCOL = tag(5, 'number')
const SECURE = tag(6, 'number')
const CLIENT = tag(7, 'sized')
const SERVER = tag(8, 'sized')
const REQUEST = tag(9, 'sized')
const REQUEST_LAST = tag(10, 'number')
const RESPONSE = tag(11, 'sized')
const MISSING = tag(12, 'number')

const EXCHANGE_ID = tag(1, 'number')
const LATE_RESPONSE = tag(2, 'sized')

const ADDRESS = tag(1, 'sized')
const PORT = tag(2, 'number')

const HEAD = tag(1, 'sized')
const BODY = tag(2, 'sized')
const TRAILERS = tag(3, 'sized')
const BODY_SIZE = tag(4, 'number')
const CUT = tag(5, 'number')
const FIRST = tag(6, 'number')
const LAST = tag(7, 'number')

/** More than the numbers, tags and lengths of an exchange can take. */
const FIXED_BYTES = 256

/** An upper bound of what `encodeExchange` writes; a UTF-16 unit takes at most three bytes. */
export function exchangeBound(exchange: Exchange): number {
  const { request, response, session, client, server } = exchange
  const texts = 3 * (session.length + client.address.length + server.address.length)
  return FIXED_BYTES + texts + contentLength(request) + (typeof response === 'string' ? 0 : contentLength(response))
}

/** An upper bound of what `encodeLateResponse` writes. */
export function lateResponseBound(response: Response): number {
  return FIXED_BYTES + contentLength(response)
}

function contentLength(message: Message): number {
  return message.head.length + message.body.length + message.trailers.length
}

/** Appends the exchange; the caller has reserved `exchangeBound` bytes. Times become relative to the request's first byte. */
export function encodeExchange(target: ByteBuilder, exchange: Exchange): void {
  const { id, connection, position, session, client, server, request, response, requestFirstNs } = exchange
  numberField(target, ID, id)
  numberField(target, CONNECTION, connection)
  numberField(target, POSITION, position)
  if (session !== '') textField(target, SESSION, session, utf8Length(session))
  numberField(target, PROTOCOL, PROTOCOL_NUMBERS[exchange.protocol])
  if (exchange.secure) numberField(target, SECURE, 1)
  endpointField(target, CLIENT, client)
  endpointField(target, SERVER, server)
  target.byte(REQUEST)
  target.varint(messageLength(request))
  messageFields(target, request)
  numberField(target, REQUEST_LAST, zigzag(exchange.requestLastNs - requestFirstNs))
  if (typeof response === 'string') numberField(target, MISSING, MISSING_NUMBERS[response])
  else responseField(target, RESPONSE, response, requestFirstNs)
}

/** Appends a late response; the caller has reserved `lateResponseBound` bytes. Times become relative to `originNs`. */
export function encodeLateResponse(
  target: ByteBuilder,
  exchangeId: number,
  response: Response,
  originNs: number,
): void {
  numberField(target, EXCHANGE_ID, exchangeId)
  responseField(target, LATE_RESPONSE, response, originNs)
}

function responseField(target: ByteBuilder, fieldTag: number, response: Response, originNs: number): void {
  const first = zigzag(response.firstNs - originNs)
  const last = zigzag(response.lastNs - originNs)
  target.byte(fieldTag)
  target.varint(messageLength(response) + numberFieldLength(first) + numberFieldLength(last))
  messageFields(target, response)
  numberField(target, FIRST, first)
  numberField(target, LAST, last)
}

function messageFields(target: ByteBuilder, message: Message): void {
  bytesField(target, HEAD, message.head)
  bytesField(target, BODY, message.body)
  bytesField(target, TRAILERS, message.trailers)
  numberField(target, BODY_SIZE, message.bodySize)
  if (message.cut !== undefined) numberField(target, CUT, CUT_NUMBERS[message.cut])
}

function messageLength(message: Message): number {
  return (
    sizedFieldLength(message.head.length) +
    sizedFieldLength(message.body.length) +
    sizedFieldLength(message.trailers.length) +
    numberFieldLength(message.bodySize) +
    (message.cut === undefined ? 0 : 2)
  )
}

function endpointField(target: ByteBuilder, fieldTag: number, endpoint: Endpoint): void {
  const addressLength = utf8Length(endpoint.address)
  target.byte(fieldTag)
  target.varint(sizedFieldLength(addressLength) + numberFieldLength(endpoint.port))
  if (addressLength > 0) textField(target, ADDRESS, endpoint.address, addressLength)
  numberField(target, PORT, endpoint.port)
}

/** proto3 leaves out what is zero. */
function numberField(target: ByteBuilder, fieldTag: number, value: number): void {
  if (value === 0) return
  target.byte(fieldTag)
  target.varint(value)
}

function bytesField(target: ByteBuilder, fieldTag: number, bytes: Uint8Array): void {
  if (bytes.length === 0) return
  target.byte(fieldTag)
  target.varint(bytes.length)
  target.append(bytes)
}

function textField(target: ByteBuilder, fieldTag: number, text: string, length: number): void {
  target.byte(fieldTag)
  target.varint(length)
  target.text(text, length)
}

function numberFieldLength(value: number): number {
  return value === 0 ? 0 : 1 + varintLength(value)
}

function sizedFieldLength(length: number): number {
  return length === 0 ? 0 : 1 + varintLength(length) + length
}
