import type { Socket } from 'node:net'
import { parseProxyHeader } from './proxy-protocol.ts'
import type { ProxyHeader } from './proxy-protocol.ts'

/** A client that promises a header sends it with its first packet; one that says nothing for this long never will. */
const HEADER_TIMEOUT_MS = 5_000

/**
 * Reads the PROXY header at the start of an accepted connection and calls `onHeader` once: with the header, the socket then
 * paused and holding what followed it; or with undefined where there is none, the socket then reset.
 */
export function readProxyHeader(raw: Socket, onHeader: (header: ProxyHeader | undefined) => void): void {
  let held: Buffer = Buffer.alloc(0)
  const finish = (header: ProxyHeader | undefined): void => {
    raw.setTimeout(0)
    raw.off('data', take).off('timeout', refuse).off('error', refuse).off('end', refuse).off('close', refuse)
    if (header === undefined) {
      // What still goes wrong with it concerns nobody.
      raw.on('error', () => undefined)
      raw.resetAndDestroy()
    }
    onHeader(header)
  }
  const refuse = (): void => finish(undefined)
  const take = (bytes: Buffer): void => {
    held = held.length === 0 ? bytes : Buffer.concat([held, bytes])
    const result = parseProxyHeader(held)
    if (result.kind === 'incomplete') return
    if (result.kind === 'refused') {
      refuse()
      return
    }
    raw.pause()
    const rest = held.subarray(result.length)
    if (rest.length > 0) raw.unshift(rest)
    finish(result.header)
  }
  raw.on('data', take).on('timeout', refuse).on('error', refuse).on('end', refuse).on('close', refuse)
  raw.setTimeout(HEADER_TIMEOUT_MS)
  raw.resume()
}
