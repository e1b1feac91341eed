/**
 * One captured packet, as a file holds it. Readers fill the same record again and again: what it says is valid until the
 * next packet is asked for; `bytes` itself is never written to again and may be kept.
 */
export interface Packet {
  /** Time of capture since 1970, in whole seconds and nanoseconds; both 0 where `timed` is false. */
  seconds: number
  nanoseconds: number
  /** False for the packets of a pcapng simple packet block, which carry no time. */
  timed: boolean
  /** LINKTYPE_… of the interface it was seen on. */
  linkType: number
  /** What holds the packet: `bytes[start]` to `bytes[end - 1]`. */
  bytes: Uint8Array
  start: number
  end: number
  /** Its length on the wire: above `end - start` where the capture kept only its beginning. */
  originalLength: number
  /** Where its record begins, in bytes from the start of the (unpacked) file. */
  fileOffset: number
}

export function emptyPacket(): Packet {
  return {
    seconds: 0,
    nanoseconds: 0,
    timed: true,
    linkType: 0,
    bytes: new Uint8Array(0),
    start: 0,
    end: 0,
    originalLength: 0,
    fileOffset: 0,
  }
}

/**
 * The longest packet that is believed, 1 MiB: twice the largest that Linux hands to a capture (512 KiB with BIG TCP).
 * A longer one means that the file is damaged, and nothing after it can be trusted.
 */
export const MAX_PACKET_BYTES: number = 1024 * 1024
