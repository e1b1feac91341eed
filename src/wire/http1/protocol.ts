import type { ConnectionDecoder, DecodeLimits, Protocol } from '../protocol.ts'
import { Http1Decoder } from './decoder.ts'
import { detectHttp1 } from './first-bytes.ts'

/** HTTP/1.0 and HTTP/1.1 (RFC 9112). */
export const http1: Protocol = {
  name: 'http1',
  detect: detectHttp1,
  createDecoder(limits: DecodeLimits, midStream: boolean): ConnectionDecoder {
    return new Http1Decoder(limits, midStream)
  },
}
