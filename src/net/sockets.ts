import type { Socket } from 'node:net'
import { systemCode } from '../core/errors.ts'
import type { Endpoint } from '../core/segment.ts'

/** The other end of a socket; port 0 and address '' where the socket is no longer connected. */
export function remoteEndpoint(socket: Socket): Endpoint {
  return { address: plainAddress(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 }
}

/** Our own end of a socket. */
export function localEndpoint(socket: Socket): Endpoint {
  return { address: plainAddress(socket.localAddress ?? ''), port: socket.localPort ?? 0 }
}

/** An IPv4 address that a dual-stack listener reports as `::ffff:192.0.2.1` is that IPv4 address. */
export function plainAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  return mapped?.[1] ?? address
}

/** Why a connection failed, in one short word for a counter's label: the system's code, Node's, or `other`. */
export function failureCode(thrown: unknown): string {
  const system = systemCode(thrown)
  if (system !== undefined) return system
  if (typeof thrown === 'object' && thrown !== null && 'code' in thrown && typeof thrown.code === 'string') {
    return thrown.code
  }
  return 'other'
}

/** A dead peer that never says so is found out by TCP's own probes after this long. */
const KEEP_ALIVE_AFTER_MS = 60_000

/**
 * What waits in memory in each direction of a connection before its source is paused, beyond the chunk at hand. Node's
 * own 16 KiB would pause at every full read.
 */
const MAX_UNSENT_BYTES: number = 128 * 1024

interface SocketSettings {
  readonly allowHalfOpen: true
  readonly noDelay: true
  readonly keepAlive: true
  readonly keepAliveInitialDelay: number
  readonly highWaterMark: number
}

/** How a relay's sockets are made, on both sides: half-closed ones live on, small writes leave at once. */
export const SOCKET_SETTINGS: SocketSettings = {
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS,
  highWaterMark: MAX_UNSENT_BYTES,
}
