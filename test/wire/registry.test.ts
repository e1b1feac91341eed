import { describe, expect, it } from 'vitest'
import { latin1Bytes } from '../../src/core/bytes.ts'
import { recogniseForeign } from '../../src/wire/foreign.ts'
import { isHttp2Preface } from '../../src/wire/http2/preface.ts'
import { DEFAULT_DECODE_LIMITS } from '../../src/wire/protocol.ts'
import { PROTOCOLS } from '../../src/wire/registry.ts'
import { isClientHello, isTlsRecord } from '../../src/wire/tls/client-hello.ts'

const HTTP2_PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

function recognised(text: string): string | undefined {
  const bytes = latin1Bytes(text)
  const foreign = recogniseForeign(bytes)
  if (foreign !== 'none') return foreign
  const detected = PROTOCOLS.http1.detect(bytes)
  if (detected === undefined) return undefined
  return detected ? 'http1' : 'not-http'
}

describe('the first bytes of a client', () => {
  it.each([
    ['http1', 'GET / HTTP/1.1\r\nHost: a\r\n'],
    ['http1', '\r\n\nM-SEARCH * HTTP/1.1\r\n'],
    ['http1', 'GET /old\r\n'],
    ['http1', `GET /${'long'.repeat(3000)}`],
    ['http2', HTTP2_PREFACE],
    ['tls', '\x16\x03\x01\x02\x00\x01'],
    ['not-http', '\x16\x03\x01\x02\x00\x02'],
    ['not-http', '*1\r\n$4\r\nPING\r\n'],
    ['not-http', 'PING\r\n'],
    ['not-http', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['not-http', 'EHLO mail.example\r\n'],
    ['not-http', '\x00\x00\x00\x08\x04\xd2\x16\x2f'],
    ['not-http', `${'M'.repeat(400)} / HTTP/1.1\r\n`],
    ['http1', 'GET/ HTTP/1.1\r\n'],
    [undefined, ''],
    [undefined, '\r\n'],
    [undefined, 'GE'],
    [undefined, 'GET / HTT'],
    [undefined, HTTP2_PREFACE.slice(0, -1)],
    [undefined, '\x16\x03\x01'],
  ])('says %s of a client that begins with %j', (expected, text) => {
    expect(recognised(text)).toBe(expected)
  })

  it('never changes its mind as more bytes come', () => {
    for (const text of [
      'GET / HTTP/1.1\r\n',
      HTTP2_PREFACE,
      '\x16\x03\x03\x00\x10\x01more',
      'PING\r\n',
      '*1\r\n$4\r\n',
    ]) {
      const said = Array.from(text, (_, index) => recognised(text.slice(0, index + 1))).filter(
        (name) => name !== undefined,
      )
      expect(new Set(said).size).toBe(1)
    }
  })
})

describe('first bytes', () => {
  it('are an HTTP/2 preface only to their end', () => {
    expect(isHttp2Preface(latin1Bytes(HTTP2_PREFACE))).toBe(true)
    expect(isHttp2Preface(latin1Bytes('PRI * HTTP/1.1\r\n'))).toBe(false)
  })

  it('are a ClientHello only in a handshake record', () => {
    expect(isClientHello(latin1Bytes('\x16\x03\x01\x00\xf0\x01'))).toBe(true)
    expect(isClientHello(latin1Bytes('\x17\x03\x03\x00\xf0\x01'))).toBe(false)
    expect(isClientHello(latin1Bytes('\x16\x03\x09'))).toBe(false)
  })

  it('are a TLS record only of a length that records have', () => {
    expect(isTlsRecord(latin1Bytes('\x17\x03\x03\x40\x00'))).toBe(true)
    expect(isTlsRecord(latin1Bytes('\x17\x03\x03\xff\xff'))).toBe(false)
    expect(isTlsRecord(latin1Bytes('\x17\x03\x03\x40'))).toBeUndefined()
  })
})

describe('every protocol', () => {
  it.each(Object.values(PROTOCOLS))('$name leaves no memory behind and says nothing of nothing', (protocol) => {
    const decoder = protocol.createDecoder(DEFAULT_DECODE_LIMITS, false)
    expect(decoder.push('request', new Uint8Array(0), 0, 0)).toEqual([])
    expect(decoder.push('request', new Uint8Array(0), 0, 0)).toBe(decoder.push('response', new Uint8Array(0), 0, 0))
    expect(decoder.end('request', 'fin')).toEqual([])
    expect(decoder.end('response', 'fin')).toEqual([])
    expect(decoder.heldBytes).toBe(0)
  })
})
