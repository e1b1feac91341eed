import { connect } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { Endpoint } from '../core/segment.ts'
import type { RelayedConnection } from './relayed-connection.ts'
import { sharedRead } from './shared-reader.ts'
import { SOCKET_SETTINGS } from './sockets.ts'
import { originateTls } from './tls.ts'
import type { UpstreamTls } from './tls.ts'

/** How an upstream is reached. */
interface Dial {
  readonly to: Endpoint
  readonly timeoutMs: number
  readonly secure: { readonly tls: UpstreamTls; readonly context: SecureContext } | undefined
  /** Goes first, before TLS: a PROXY header. */
  readonly preface: Uint8Array | undefined
}

/**
 * Opens the upstream's side of a connection and starts it once that takes bytes. Where it fails, or takes longer than the
 * timeout, the connection does.
 */
export function dialUpstream(connection: RelayedConnection, dial: Dial): void {
  const { to, secure } = dial
  const target = { ...SOCKET_SETTINGS, host: to.address, port: to.port }
  const raw = connect(
    secure === undefined ? { ...target, onread: sharedRead(connection.takeBorrowed.response) } : target,
  )
  connection.attachUpstream({ socket: raw, raw })
  const ready = (): void => {
    raw.setTimeout(0)
    connection.start()
  }
  raw.setTimeout(dial.timeoutMs, () => connection.fail('response', { code: 'ETIMEDOUT' }))
  // Queued until the socket is connected.
  if (dial.preface !== undefined) raw.write(dial.preface)
  raw.once('connect', () => {
    if (secure === undefined) {
      ready()
      return
    }
    const side = { socket: originateTls(raw, secure.tls, secure.context, to.address), raw }
    connection.attachUpstream(side)
    connection.readByEvents(side, 'response')
    side.socket.once('secureConnect', ready)
  })
}
