import type { Socket } from 'node:net'
import type { CancelKey } from '../../wire/postgres/backend.ts'
import { cancelRequest } from '../../wire/postgres/frontend.ts'
import { ConnectLimit, connectError, dialServer } from './server-dial.ts'
import { addressText } from './server-options.ts'
import type { ServerOptions } from './server-options.ts'

/**
 * Asks a server to cancel what a session runs: a connection of its own, one message, no answer. Resolves when the server has
 * taken it, which is not yet the statement's end.
 */
export async function cancelSession(options: ServerOptions, key: CancelKey): Promise<void> {
  const limit = new ConnectLimit(options, new AbortController().signal)
  try {
    const socket = await dialServer(options, limit)
    const over = closed(socket)
    socket.resume()
    socket.write(cancelRequest(key))
    // The server closes when it has signalled the session; before that, closing might overtake the request.
    await over
    limit.release()
  } catch (thrown) {
    limit.drop()
    throw connectError(thrown, addressText(options.address))
  }
}

/** A server may reset the connection once it has read the request. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    let fault: Error | undefined
    socket.once('error', (error: Error & { readonly code?: unknown }) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') fault = error
    })
    socket.once('close', () => (fault === undefined ? resolve() : reject(fault)))
  })
}
