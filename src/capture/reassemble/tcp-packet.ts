import { NO_BYTES } from '../../core/bytes.ts'
import type { IpAddress } from './ip-address.ts'
import { emptyAddress } from './ip-address.ts'

/** Bits of `TcpPacket.flags` (RFC 9293 3.1). */
export const FIN = 0x01
export const SYN = 0x02
export const RST = 0x04
export const ACK = 0x10

/**
 * One TCP packet, its headers read. The same record is filled again and again: valid until the next one. Checksums are
 * not verified: at the sender, where the network card computes them, those that a capture sees are wrong.
 */
export interface TcpPacket {
  /** Time of capture, nanoseconds from the source's origin. Negative where a file is not in order of time. */
  atNs: number
  readonly source: IpAddress
  readonly destination: IpAddress
  sourcePort: number
  destinationPort: number
  /** Signed 32-bit: differences wrap as sequence numbers do. */
  sequence: number
  acknowledgement: number
  flags: number
  /** What holds the payload: `bytes[payloadStart]` to `bytes[capturedEnd - 1]`. */
  bytes: Uint8Array
  payloadStart: number
  capturedEnd: number
  /** Length of the payload on the wire; longer than what is held where the capture kept only its beginning. */
  payloadLength: number
}

export function emptyTcpPacket(): TcpPacket {
  return {
    atNs: 0,
    source: emptyAddress(),
    destination: emptyAddress(),
    sourcePort: 0,
    destinationPort: 0,
    sequence: 0,
    acknowledgement: 0,
    flags: 0,
    bytes: NO_BYTES,
    payloadStart: 0,
    capturedEnd: 0,
    payloadLength: 0,
  }
}
