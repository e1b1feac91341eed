import { isHttp2Preface } from './http2/preface.ts'
import type { OpaqueReason } from './protocol.ts'
import { isClientHello } from './tls/client-hello.ts'

/**
 * Protocols that are recognised and not decoded, by a client's first bytes. `none`: it is none of them; undefined: too few
 * bytes to tell.
 */
export function recogniseForeign(head: Uint8Array): Extract<OpaqueReason, 'tls' | 'http2'> | 'none' | undefined {
  const tls = isClientHello(head)
  if (tls === true) return 'tls'
  const http2 = isHttp2Preface(head)
  if (http2 === true) return 'http2'
  return tls === undefined || http2 === undefined ? undefined : 'none'
}
