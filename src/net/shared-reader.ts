import { Socket } from 'node:net'
import type { ConnectOpts, OnReadOpts, SocketConstructorOpts } from 'node:net'
import { TLSSocket } from 'node:tls'
import { copyOf } from '../core/bytes.ts'
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
  return adopt(accepted, { ...SOCKET_SETTINGS, onread: sharedRead(onBytes) })
}

function adopt(socket: Socket, settings: SocketConstructorOpts & ConnectOpts): Socket | undefined {
  const handle: unknown = Reflect.get(socket, '_handle')
  if (typeof handle !== 'object' || handle === null || !('useUserBuffer' in handle)) return undefined
  const options = { ...settings, handle, pauseOnCreate: true }
  const adopted = new Socket(options)
  Reflect.set(socket, '_handle', null)
  socket.destroy()
  return adopted
}

/**
 * Makes a socket that reads into the shared buffer out of one that is connected, and of which nothing is under way. The new one owns the
 * connection, is paused, and tells of bytes by 'data' events, one for each read: a chunk is a copy, the receiver's own. Only `resume()`
 * begins. The other one is done with, listeners and all. Undefined where it is left as it is: it is encrypted, bytes wait to be read or
 * written, it is at its end, or Node has no such handle.
 */
export function readByCopies(socket: Socket): Socket | undefined {
  const isAmid = socket.readableLength > 0 || socket.writableLength > 0 || !socket.readable || !socket.writable
  if (isAmid || socket.connecting || socket instanceof TLSSocket) return undefined
  const { allowHalfOpen, readableHighWaterMark, writableHighWaterMark } = socket
  const take = (bytes: Buffer): boolean => adopted?.emit('data', copyOf(bytes)) === true
  const settings = { allowHalfOpen, readableHighWaterMark, writableHighWaterMark, onread: sharedRead(take) }
  const adopted = adopt(socket, settings)
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
