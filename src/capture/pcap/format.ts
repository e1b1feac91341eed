import type { ByteWindow } from './byte-window.ts'
import type { Packet } from './packet.ts'

/** A kind of capture file: takes packets out of the bytes at hand. */
export interface CaptureFormat {
  /**
   * Fills `packet` with the next one and moves the window past it; false where more bytes are needed. Throws
   * `MESH_ERR_FILE_CORRUPT` or `MESH_ERR_LINK_TYPE`; after that nothing more can be read.
   */
  next(window: ByteWindow, packet: Packet): boolean
  /** Packets of interfaces whose link type is not supported. */
  readonly unsupportedLinkPackets: number
  /** What the file itself says that its capture lost: pcapng interface statistics. */
  readonly reportedDrops: number
}
