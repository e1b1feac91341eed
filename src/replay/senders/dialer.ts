import { type Socket, type TcpNetConnectOpts, connect } from 'node:net'
import { type ConnectionOptions, type SecureContext, connect as connectTls, createSecureContext } from 'node:tls'

import { MeshError, toMeshError } from '../../core/errors.ts'
import type { Target } from './target.ts'

/**
 * What is read at once from any connection of a thread. One buffer serves them all: the system fills it and the reply's
 * framing is done with it before the next read, so that reading allocates nothing.
 */
const READ_BUFFER_BYTES = 64 * 1024

/** Takes `length` bytes of the shared buffer, borrowed for the call; false stops reading. */
export type TakeBytes = (length: number, buffer: Uint8Array) => boolean

/** Opens sockets to one target: TCP or TLS, from the source addresses in turn. Not connected yet when they are returned. */
export class Dialer {
  readonly #target: Target
  readonly #buffer = new Uint8Array(READ_BUFFER_BYTES)
  readonly #context: SecureContext | undefined
  #turn = 0

  /** Throws MESH_ERR_TLS where certificate, key or authorities cannot be read. */
  constructor(target: Target) {
    this.#target = target
    this.#context = target.tls === undefined ? undefined : secureContext(target)
  }

  /** The event that says that requests can be written: `connect`, with TLS `secureConnect`. */
  get readyEvent(): 'connect' | 'secureConnect' {
    return this.#context === undefined ? 'connect' : 'secureConnect'
  }

  dial(take: TakeBytes): Socket {
    const { address, port, tls } = this.#target
    const from = this.#sourceAddress()
    const plain: TcpNetConnectOpts = {
      host: address,
      port,
      noDelay: true,
      ...(from === undefined ? {} : { localAddress: from }),
      onread: { buffer: this.#buffer, callback: take },
    }
    if (tls === undefined || this.#context === undefined) return connect(plain)
    const secure: ConnectionOptions = {
      secureContext: this.#context,
      rejectUnauthorized: tls.verify,
      ALPNProtocols: ['http/1.1'],
      ...(tls.serverName === '' ? {} : { servername: tls.serverName }),
    }
    return connectTls({ ...plain, ...secure })
  }

  #sourceAddress(): string | undefined {
    const { sourceAddresses } = this.#target
    return sourceAddresses.length === 0 ? undefined : sourceAddresses[this.#turn++ % sourceAddresses.length]
  }
}

function secureContext(target: Target): SecureContext {
  const { ca, cert, key } = target.tls ?? {}
  try {
    return createSecureContext({
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    })
  } catch (error) {
    throw new MeshError('MESH_ERR_TLS', {
      what: `expected PEM texts of a certificate and its key, found ${toMeshError(error).message}`,
      where: '--cacert, --cert, --key',
      cause: error,
    })
  }
}
