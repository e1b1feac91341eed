import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteBuilder } from '../../src/archive/byte-builder.ts'
import { ExchangeDecoder } from '../../src/archive/exchange-decoder.ts'
import {
  CUT_NUMBERS,
  MISSING_NUMBERS,
  PROTOCOL_NUMBERS,
  encodeExchange,
  encodeLateResponse,
  exchangeBound,
  lateResponseBound,
} from '../../src/archive/exchange-encoder.ts'
import { reflectedType } from '../../src/archive/protobuf.ts'
import { EXCHANGE_TYPE, LATE_RESPONSE_TYPE } from '../../src/archive/schema.ts'
import { MeshError } from '../../src/core/errors.ts'
import type { Exchange, LateResponse, Message, Response } from '../../src/core/exchange.ts'
import { exchange, response } from '../support/exchanges.ts'
import { anyExchange, anyResponse } from '../support/recordings.ts'

function encoded(of: Exchange): Uint8Array {
  const target = new ByteBuilder(16)
  target.reserve(exchangeBound(of))
  encodeExchange(target, of)
  return target.borrow()
}

function encodedLate(of: LateResponse): Uint8Array {
  const target = new ByteBuilder(16)
  target.reserve(lateResponseBound(of.response))
  encodeLateResponse(target, of.exchangeId, of.response, of.response.lastNs)
  return target.borrow()
}

function decoded(bytes: Uint8Array, firstNs: number): Exchange {
  return new ExchangeDecoder(bytes).exchange(0, bytes.length, firstNs)
}

/** Leaves out what is zero, as proto3 does for fields without presence. */
function present(fields: Record<string, unknown>): Record<string, unknown> {
  const isZero = (value: unknown): boolean =>
    value === 0 || value === '' || value === false || (value instanceof Uint8Array && value.length === 0)
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isZero(value)))
}

function messageFields(of: Message): Record<string, unknown> {
  const { head, body, trailers, bodySize, cut } = of
  return present({ head, body, trailers, body_size: bodySize, cut: cut === undefined ? 0 : CUT_NUMBERS[cut] })
}

function responseFields(of: Response, originNs: number): Record<string, unknown> {
  return { ...messageFields(of), ...present({ first_ns: of.firstNs - originNs, last_ns: of.lastNs - originNs }) }
}

/** The exchange as the fields of the schema, for protobufjs to encode. */
function exchangeFields(of: Exchange): Record<string, unknown> {
  return {
    ...present({
      id: of.id,
      connection: of.connection,
      position: of.position,
      session: of.session,
      protocol: PROTOCOL_NUMBERS[of.protocol],
      secure: of.secure,
      request_last_ns: of.requestLastNs - of.requestFirstNs,
    }),
    client: present({ ...of.client }),
    server: present({ ...of.server }),
    request: messageFields(of.request),
    ...(typeof of.response === 'string'
      ? { missing: MISSING_NUMBERS[of.response] }
      : { response: responseFields(of.response, of.requestFirstNs) }),
  }
}

describe('the encoding of exchanges', () => {
  it('is byte by byte what protobufjs makes of the schema', () => {
    const type = reflectedType(EXCHANGE_TYPE)
    fc.assert(
      fc.property(anyExchange, (one) => {
        expect(Buffer.from(encoded(one)).equals(type.encode(exchangeFields(one)))).toBe(true)
      }),
    )
  })

  it('is byte by byte what protobufjs makes of the schema, for late responses', () => {
    const type = reflectedType(LATE_RESPONSE_TYPE)
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat().chain(anyResponse), (exchangeId, late) => {
        const fields = { ...present({ exchange_id: exchangeId }), response: responseFields(late, late.lastNs) }
        expect(Buffer.from(encodedLate({ exchangeId, response: late })).equals(type.encode(fields))).toBe(true)
      }),
    )
  })

  it('gives every exchange back as it was', () => {
    fc.assert(
      fc.property(anyExchange, (one) => {
        expect(decoded(encoded(one), one.requestFirstNs)).toEqual(one)
      }),
    )
  })

  it('gives every late response back as it was', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat().chain(anyResponse), (exchangeId, late) => {
        const bytes = encodedLate({ exchangeId, response: late })
        const back = new ExchangeDecoder(bytes).lateResponse(0, bytes.length, late.lastNs)
        expect(back).toEqual({ exchangeId, response: late })
      }),
    )
  })

  it('rounds fractions of nanoseconds and stays readable', () => {
    const one = exchange({ requestFirstNs: 0, requestLastNs: 63.6 })
    expect(decoded(encoded(one), 0).requestLastNs).toBe(64)
  })
})

describe('the decoding of exchanges', () => {
  it('passes over fields that a later version adds', () => {
    const one = exchange()
    const added = Buffer.from([
      ...[0xa0, 0x06, 0x96, 0x01], // field 100, a number
      ...[0xaa, 0x06, 0x03, 1, 2, 3], // field 101, three bytes
      ...[0xb5, 0x06, 1, 2, 3, 4], // field 102, 32 bits
      ...[0xb9, 0x06, 1, 2, 3, 4, 5, 6, 7, 8], // field 103, 64 bits
    ])
    const back = decoded(Buffer.concat([added, encoded(one), added]), 0)
    expect(encoded(back)).toEqual(encoded(one))
  })

  it('treats a cut for a reason it does not know as not replayable', () => {
    const bytes = Buffer.from([
      ...[0x28, 0x01], // protocol http1
      ...[0x4a, 0x02, 0x28, 0x63], // request, of which the cut is 99
    ])
    expect(decoded(bytes, 0).request.cut).toBe('undecodable')
  })

  it('refuses a protocol it does not know', () => {
    expect(() => decoded(Buffer.from([0x28, 0x63]), 0)).toThrow(/expected a protocol from 1 to 6, found 99/)
  })

  it('shares one endpoint among exchanges with the same server', () => {
    const bytes = Buffer.concat([encoded(exchange()), encoded(exchange())])
    const decoder = new ExchangeDecoder(bytes)
    const half = bytes.length / 2
    expect(decoder.exchange(half, bytes.length, 0).server).toBe(decoder.exchange(0, half, 0).server)
  })

  it('reads any bytes as an exchange or as a MeshError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decoded(bytes, 0)
        } catch (error) {
          expect(error).toBeInstanceOf(MeshError)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('reads a damaged exchange as another one or as a MeshError, and nothing beyond its end', () => {
    const whole = encoded(exchange({ response: response(['HTTP/1.1 200 OK'], 'body') }))
    const padded = Buffer.concat([whole, Buffer.alloc(64, 0x0a)])
    for (let at = 0; at < whole.length; at++) {
      for (const value of [0x00, 0x7f, 0x80, 0xff]) {
        const damaged = Buffer.from(padded)
        damaged[at] = value
        try {
          const one = new ExchangeDecoder(damaged).exchange(0, whole.length, 0)
          expect(one.request.body.byteOffset + one.request.body.length).toBeLessThanOrEqual(
            damaged.byteOffset + whole.length,
          )
        } catch (error) {
          expect(error).toBeInstanceOf(MeshError)
        }
      }
    }
  })
})
