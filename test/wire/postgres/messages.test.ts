import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as backend from '../../../src/wire/postgres/backend.ts'
import { readFieldLetters } from '../../../src/wire/postgres/error-fields.ts'
import type { PgErrorFields } from '../../../src/wire/postgres/error-fields.ts'
import { MessageFramer } from '../../../src/wire/postgres/framer.ts'
import type { PgMessage } from '../../../src/wire/postgres/framer.ts'
import * as frontend from '../../../src/wire/postgres/frontend.ts'
import { thrownBy } from '../../support/errors.ts'

type Reader = (payload: Uint8Array) => unknown

/** The one message that these bytes are. */
function messageOf(bytes: Uint8Array, startup = false): PgMessage {
  const framer = new MessageFramer({ startup })
  framer.push(bytes)
  const message = framer.next()
  expect(framer.heldBytes).toBe(0)
  if (message === undefined || message.piece !== undefined) throw new Error('expected one whole message')
  return message
}

const payloadOf = (bytes: Uint8Array): Uint8Array => messageOf(bytes).payload

/** Text as it fits into a message: no zero byte, no half of a pair. */
const text = fc.string({ unit: 'grapheme', maxLength: 30 }).map((value) => value.replaceAll('\0', ''))
const name = fc.string({ minLength: 1, maxLength: 10 }).map((value) => value.replaceAll('\0', 'x'))
const oid = fc.nat(0xffffffff)
const int16 = fc.integer({ min: -0x8000, max: 0x7fff })
const int32 = fc.integer({ min: -0x80000000, max: 0x7fffffff })
const bytes = fc.uint8Array({ maxLength: 40 }).map((value) => Buffer.from(value))
const value = fc.option(bytes)
const format = fc.constantFrom(0, 1)
const plain = (read: unknown): unknown => JSON.parse(JSON.stringify(read))

/** What is built is read back. */
function expectRoundTrip<Value>(
  arbitrary: fc.Arbitrary<Value>,
  build: (value: Value) => Uint8Array,
  read: (payload: Uint8Array) => unknown,
): void {
  fc.assert(
    fc.property(arbitrary, (value) => {
      expect(plain(read(payloadOf(build(value))))).toEqual(plain(value))
    }),
    { numRuns: 50 },
  )
}

describe('messages of a server', () => {
  it('are read as they were built', () => {
    const field = fc.record({
      name: text,
      tableOid: oid,
      column: int16,
      typeOid: oid,
      typeBytes: int16,
      typeModifier: int32,
      format,
    })
    const copyFormat = fc.record({ binary: fc.boolean(), columnFormats: fc.array(format) })
    expectRoundTrip(fc.constantFrom('I', 'T', 'E'), backend.readyForQuery, backend.readReadyForQuery)
    expectRoundTrip(
      fc.record({ name: text, value: text }),
      ({ name, value }) => backend.parameterStatus(name, value),
      backend.readParameterStatus,
    )
    expectRoundTrip(fc.array(field), backend.rowDescription, backend.readRowDescription)
    expectRoundTrip(fc.array(value), backend.dataRow, (payload) => backend.readDataRow(payload).map(asBuffer))
    expectRoundTrip(fc.array(fc.option(text)), backend.dataRow, backend.readTextRow)
    expectRoundTrip(text, backend.commandComplete, backend.readCommandComplete)
    expectRoundTrip(fc.array(oid), backend.parameterDescription, backend.readParameterDescription)
    expectRoundTrip(copyFormat, backend.copyInResponse, backend.readCopyResponse)
    expectRoundTrip(
      fc.record({ processId: int32, channel: text, payload: text }),
      backend.notificationResponse,
      backend.readNotificationResponse,
    )
    expectRoundTrip(
      fc.record({ protocol: int32, unknownOptions: fc.array(text) }),
      backend.negotiateProtocolVersion,
      backend.readNegotiateProtocolVersion,
    )
  })

  it('carry a cancel key of any length', () => {
    fc.assert(
      fc.property(int32, bytes, (processId, secretKey) => {
        const key = backend.readBackendKeyData(payloadOf(backend.backendKeyData({ processId, secretKey })))
        expect(key).toEqual({ processId, secretKey: Uint8Array.from(secretKey) })
      }),
    )
  })

  it('ask for authentication', () => {
    const data = Buffer.from('r=x')
    const asked = [
      backend.authenticationOk(),
      backend.authenticationCleartext(),
      backend.authenticationMd5(Uint8Array.of(1, 2, 3, 4)),
      backend.authenticationSasl(['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256']),
      backend.authenticationSaslContinue(data),
      backend.authenticationSaslFinal(data),
    ].map((bytes) => backend.readAuthentication(payloadOf(bytes)))
    expect(asked).toMatchObject([
      { kind: 'ok' },
      { kind: 'cleartext' },
      { kind: 'md5', salt: Buffer.of(1, 2, 3, 4) },
      { kind: 'sasl', mechanisms: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'] },
      { kind: 'saslContinue', data },
      { kind: 'saslFinal', data },
    ])
    expect(backend.readAuthentication(Buffer.of(0, 0, 0, 7))).toEqual({ kind: 'other', code: 7 })
  })

  it('say what went wrong, field by field', () => {
    const position = fc.integer({ min: 1, max: 2 ** 31 - 1 })
    const fields: fc.Arbitrary<PgErrorFields> = fc.record(
      {
        severity: fc.constantFrom('ERROR', 'FATAL', 'NOTICE'),
        code: fc.constantFrom('42P01', 'MSH01', '00000'),
        message: text,
        localSeverity: fc.constantFrom('FEHLER', 'ERREUR'),
        detail: text,
        hint: text,
        position,
        internalPosition: position,
        internalQuery: text,
        where: text,
        schema: text,
        table: text,
        column: text,
        dataType: text,
        constraint: text,
        file: text,
        line: text,
        routine: text,
      },
      { requiredKeys: ['severity', 'code', 'message'] },
    )
    expectRoundTrip(fields, backend.errorResponse, backend.readErrorFields)
    expectRoundTrip(fields, backend.noticeResponse, backend.readErrorFields)
  })

  it('bear errors of old servers and of later ones', () => {
    const payload = Buffer.from('SERROR\0Mno such\0Zlater\0\0')
    expect(backend.readErrorFields(payload)).toEqual({ severity: 'ERROR', code: 'XX000', message: 'no such' })
    expect(readFieldLetters(payload).get('Z')).toBe('later')
  })

  it('bear no zero byte into an error', () => {
    const bytes = backend.errorResponse({ severity: 'ERROR', code: '42601', message: 'at "\0"' })
    expect(backend.readErrorFields(payloadOf(bytes)).message).toBe('at "\uFFFD"')
  })
})

describe('messages of a client', () => {
  const parse = fc.record({ name: text, text, parameterTypes: fc.array(oid) })
  const bind = fc.record({
    portal: text,
    statement: text,
    formats: fc.array(format),
    values: fc.array(value),
    resultFormats: fc.array(format),
  })
  const target = fc.record({ kind: fc.constantFrom('statement' as const, 'portal' as const), name: text })

  it('are read as they were built', () => {
    expectRoundTrip(text, frontend.query, frontend.readQuery)
    expectRoundTrip(parse, frontend.parse, frontend.readParse)
    expectRoundTrip(bind, frontend.bind, (payload) => {
      const message = frontend.readBind(payload)
      return { ...message, values: message.values.map(asBuffer) }
    })
    expectRoundTrip(target, frontend.describe, frontend.readDescribe)
    expectRoundTrip(target, frontend.close, frontend.readClose)
    expectRoundTrip(fc.record({ portal: text, maxRows: fc.nat() }), frontend.execute, frontend.readExecute)
    expectRoundTrip(text, frontend.copyFail, frontend.readCopyFail)
    expectRoundTrip(text, frontend.password, frontend.readPassword)
    expectRoundTrip(fc.record({ mechanism: text, data: value }), frontend.saslInitial, (payload) => {
      const { mechanism, data } = frontend.readSaslInitial(payload)
      return { mechanism, data: asBuffer(data) }
    })
    expectRoundTrip(bytes, frontend.copyData, asBuffer)
    expectRoundTrip(bytes, frontend.saslResponse, (payload) => asBuffer(frontend.readSaslResponse(payload)))
  })

  it('open a connection', () => {
    fc.assert(
      fc.property(fc.dictionary(name, text), (parameters) => {
        const startup = frontend.readStartup(messageOf(frontend.startupMessage(parameters), true).payload)
        const expected = new Map(Object.entries(parameters))
        expect(startup).toEqual({ kind: 'startup', protocol: frontend.PROTOCOL_3_0, parameters: expected })
      }),
    )
    const read = (bytes: Uint8Array): unknown => frontend.readStartup(messageOf(bytes, true).payload)
    const secretKey = Uint8Array.of(9, 8, 7, 6)
    expect(read(frontend.sslRequest())).toEqual({ kind: 'ssl' })
    expect(read(frontend.gssRequest())).toEqual({ kind: 'gss' })
    expect(read(frontend.cancelRequest({ processId: 5, secretKey }))).toEqual({
      kind: 'cancel',
      processId: 5,
      secretKey,
    })
  })

  it('open a connection with protocol 3 only', () => {
    const startup = frontend.startupMessage({ user: 'ann' }, 2 << 16)
    const error = thrownBy(() => frontend.readStartup(messageOf(startup, true).payload))
    expect(error.message).toMatch(/expected protocol version 3, found 2\.0/)
    expect(frontend.readStartup(frontend.startupMessage({ user: 'ann' }, (3 << 16) | 2).subarray(4))).toMatchObject({
      protocol: 196_610,
    })
  })

  it('have up to 65,535 parameters, no more', () => {
    const values = Array.from({ length: 65_535 }, () => null)
    const message = { portal: '', statement: '', formats: [], values, resultFormats: [] }
    expect(frontend.readBind(payloadOf(frontend.bind(message))).values).toHaveLength(65_535)
    expect(thrownBy(() => frontend.bind({ ...message, values: [...values, null] })).code).toBe('MESH_ERR_LIMIT')
  })

  it('have no text with a zero byte', () => {
    expect(thrownBy(() => frontend.query('select 1\0; drop table users')).code).toBe('MESH_ERR_POSTGRES')
  })

  it('are refused with bytes behind their end, which somebody else may read', () => {
    const payload = Buffer.from('select 1\0; drop table users\0')
    expect(thrownBy(() => frontend.readQuery(payload)).message).toMatch(
      /expected the end of the message, found 19 more/,
    )
  })

  it('are refused, never crash, where they are cut or made up', () => {
    const members: [string, unknown][] = [...Object.entries(frontend), ...Object.entries(backend)]
    const readers = members.filter(([name]) => /^read[A-Z]/.test(name)).map(([, member]) => member) as Reader[]
    expect(readers.length).toBeGreaterThan(20)
    fc.assert(
      fc.property(fc.constantFrom(...readers), fc.uint8Array({ maxLength: 60 }), (read, payload) => {
        try {
          read(payload)
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: 'MESH_ERR_POSTGRES' })
        }
      }),
      { numRuns: 2000 },
    )
  })
})

function asBuffer(bytes: Uint8Array | null): Uint8Array | null {
  return bytes === null ? null : Buffer.from(bytes)
}
