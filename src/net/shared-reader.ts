import { Socket } from 'node:net'
import type { OnReadOpts } from 'node:net'
import { SOCKET_SETTINGS } from './sockets.ts'

/**
 * Reading without a buffer for each socket. Node allocates 64 KiB for every read of an ordinary socket; with its `onread`
 * option a socket reads into memory of ours. Reads are synchronous, so all sockets of a thread can share one buffer: 8,000
 * idle connections hold none, and a busy relay is a third faster (no allocation, no stream machinery for each chunk).
 */

/** As much as Node itself reads at once; a longer burst is several chunks. */
const READ_BUFFER_BYTES = 64 * 1024
const READ_BUFFER = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES)

/** Takes bytes that are borrowed for the call; false asks for no more until `resume()`. */
type OnBytes = (bytes: Buffer) => boolean

/** The `onread` option of a socket that reads into the shared buffer. */
export function sharedRead(onBytes: OnBytes): OnReadOpts {
  return {
    buffer: READ_BUFFER,
    callback: (length) => onBytes(READ_BUFFER.subarray(0, length)),
  }
}

/**
 * Makes a socket that reads into the shared buffer out of one that a server accepted with `pauseOnConnect`. The new one
 * owns the connection, is paused, and is half-open allowed; the accepted one is done with and counts as closed for its server.
 *
 * Node passes `onread` to sockets that connect but not to those that are accepted, hence the detour over the handle. Where a
 * Node to come has no such handle the answer is undefined, and the caller reads by 'data' events.
 */
export function adoptSharedReader(accepted: Socket, onBytes: OnBytes): Socket | undefined {
  const handle: unknown = Reflect.get(accepted, '_handle')
  if (typeof handle !== 'object' || handle === null || !('useUserBuffer' in handle)) return undefined
  const options = { ...SOCKET_SETTINGS, handle, pauseOnCreate: true, onread: sharedRead(onBytes) }
  const adopted = new Socket(options)
  Reflect.set(accepted, '_handle', null)
  accepted.destroy()
  return adopted
}

/** Below this a copy comes from Node's pool, which costs next to nothing; above, it would be an allocation. */
const POOLED_BYTES = Buffer.poolSize >>> 1

/** What the next large write is copied to. */
let spare = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES)

/**
 * Writes bytes that are borrowed for the call; false where the socket wants no more until 'drain'. Most writes are taken by
 * the kernel at once, and then the copy's memory serves the next one: large chunks need no allocation each.
 */
export function writeBorrowed(socket: Socket, bytes: Buffer): boolean {
  if (bytes.length < POOLED_BYTES || bytes.length > spare.length || socket.writableLength > 0) {
    const copy = Buffer.allocUnsafe(bytes.length)
    copy.set(bytes)
    return socket.write(copy)
  }
  const copy = spare.subarray(0, bytes.length)
  copy.set(bytes)
  const goOn = socket.write(copy)
  // Whatever is still to be written refers to that memory.
  if (socket.writableLength > 0) spare = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES)
  return goOn
}
