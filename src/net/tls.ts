import type { Socket } from 'node:net'
import { connect, createSecureContext, TLSSocket } from 'node:tls'
import type { SecureContext } from 'node:tls'
import { MeshError } from '../core/errors.ts'

/**
 * What both sides of a relay may agree on. HTTP/1.1 only: a relay passes bytes on as they are, so client and upstream must
 * speak the same protocol, and HTTP/1.1 is what every upstream speaks and the decoder reads.
 */
const DEFAULT_ALPN: readonly string[] = ['http/1.1']

/** The certificate with which a relay answers its clients. PEM texts, the certificate with its chain. */
export interface TlsTermination {
  readonly certificate: string
  readonly key: string
  /** Protocols to agree on with clients that ask (ALPN). Default: `http/1.1`. */
  readonly alpnProtocols?: readonly string[]
}

/** TLS towards the upstream. */
export interface UpstreamTls {
  /** PEM certificates to trust instead of Node's own list. */
  readonly certificateAuthority?: string
  /** The name to ask for and to verify. Default: the upstream's host. */
  readonly serverName?: string
  /** Verify nothing. */
  readonly insecure?: boolean
  /** Default: `http/1.1`. */
  readonly alpnProtocols?: readonly string[]
}

/** Reads certificate and key once, for all connections. Throws `MESH_ERR_TLS` where they cannot be read or do not match. */
export function serverContext(tls: TlsTermination): SecureContext {
  return readContext('the TLS certificate and key', { cert: tls.certificate, key: tls.key })
}

/** The same for the upstream's authorities. */
export function clientContext(tls: UpstreamTls): SecureContext {
  const { certificateAuthority } = tls
  return readContext(
    'the certificate authority',
    certificateAuthority === undefined ? {} : { ca: certificateAuthority },
  )
}

function readContext(what: string, options: { cert?: string; key?: string; ca?: string }): SecureContext {
  try {
    return createSecureContext(options)
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown)
    throw new MeshError('MESH_ERR_TLS', {
      what: `expected ${what} in PEM, found ${reason}`,
      remedy: 'check the files and that they belong together',
      cause: thrown,
    })
  }
}

/** The client's side in clear text. The raw socket belongs to the result, but for resets. */
export function terminateTls(raw: Socket, tls: TlsTermination, context: SecureContext): TLSSocket {
  return new TLSSocket(raw, {
    isServer: true,
    secureContext: context,
    ALPNProtocols: [...(tls.alpnProtocols ?? DEFAULT_ALPN)],
  })
}

/** The upstream's side in clear text, over a connected raw socket. It emits `secureConnect` once it is verified. */
export function originateTls(raw: Socket, tls: UpstreamTls, context: SecureContext, host: string): TLSSocket {
  const serverName = tls.serverName ?? host
  return connect({
    socket: raw,
    secureContext: context,
    // A name is asked for (SNI), an address is not (RFC 6066 3), but either is verified.
    servername: /^[\d.]+$|:/.test(serverName) ? '' : serverName,
    host: serverName,
    rejectUnauthorized: tls.insecure !== true,
    ALPNProtocols: [...(tls.alpnProtocols ?? DEFAULT_ALPN)],
  })
}
