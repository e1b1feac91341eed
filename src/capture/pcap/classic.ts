import { MeshError } from '../../core/errors.ts'
import type { ByteWindow } from './byte-window.ts'
import type { CaptureFormat } from './format.ts'
import { LINK_TYPES, linkTypeError } from './link-types.ts'
import type { Packet } from './packet.ts'
import { MAX_PACKET_BYTES } from './packet.ts'
import { u16, u32 } from './read.ts'

/*
 * draft-ietf-opsawg-pcap
 *
 * file    magic 4 | major 2 | minor 2 | reserved 8 | snap length 4 | FCS length 4 bits, f 1 bit, link type
 * packet  seconds 4 | microseconds or nanoseconds 4 | captured length 4 | original length 4 | data
 */
export const CLASSIC_FILE_HEADER_BYTES = 24
const PACKET_HEADER_BYTES = 16

const MAGIC_MICROSECONDS = 0xa1b2c3d4
const MAGIC_NANOSECONDS = 0xa1b23c4d

/** Bits of the link type field: whether the packets end with a frame check sequence, and how long it is in 16-bit words. */
const FCS_PRESENT = 0x0400_0000
const LINK_TYPE_BITS = 0x03ff_ffff

/** True where the first four bytes are those of a classic pcap, of either byte order and resolution. */
export function isClassicMagic(bytes: Uint8Array, at: number): boolean {
  return [true, false].some((little) => {
    const magic = u32(bytes, at, little)
    return magic === MAGIC_MICROSECONDS || magic === MAGIC_NANOSECONDS
  })
}

/** Classic pcap: microseconds or nanoseconds, either byte order. */
export class ClassicFormat implements CaptureFormat {
  readonly unsupportedLinkPackets = 0
  readonly reportedDrops = 0
  readonly #name: string
  readonly #little: boolean
  readonly #nsPerUnit: number
  readonly #linkType: number
  readonly #fcsBytes: number

  /** Takes the file header off the window, which must hold it whole. */
  constructor(name: string, window: ByteWindow) {
    const { bytes, start } = window
    this.#name = name
    const first = u32(bytes, start, true)
    this.#little = first === MAGIC_MICROSECONDS || first === MAGIC_NANOSECONDS
    this.#nsPerUnit = u32(bytes, start, this.#little) === MAGIC_NANOSECONDS ? 1 : 1000
    const major = u16(bytes, start + 4, this.#little)
    const minor = u16(bytes, start + 6, this.#little)
    if (major !== 2) {
      throw new MeshError('MESH_ERR_FILE_KIND', {
        what: `expected pcap version 2.4, found ${major}.${minor}`,
        where: `${name}, offset 4`,
        remedy: 'convert it with `tcpdump -r OLD -w NEW`',
      })
    }
    const link = u32(bytes, start + 20, this.#little)
    this.#linkType = link & LINK_TYPE_BITS
    this.#fcsBytes = (link & FCS_PRESENT) === 0 ? 0 : (link >>> 28) * 2
    if (!LINK_TYPES.has(this.#linkType)) throw linkTypeError(this.#linkType, `${name}, offset 20`)
    window.skip(CLASSIC_FILE_HEADER_BYTES)
  }

  next(window: ByteWindow, packet: Packet): boolean {
    if (window.available < PACKET_HEADER_BYTES) return false
    const { bytes, start } = window
    const captured = u32(bytes, start + 8, this.#little)
    if (captured > MAX_PACKET_BYTES) {
      throw new MeshError('MESH_ERR_FILE_CORRUPT', {
        what: `expected a packet of at most ${MAX_PACKET_BYTES} bytes, found a length of ${captured}`,
        where: `${this.#name}, offset ${window.streamOffset + 8}`,
        remedy: 'the file is damaged there; what came before it was read',
      })
    }
    if (window.available < PACKET_HEADER_BYTES + captured) return false
    const original = Math.max(captured, u32(bytes, start + 12, this.#little))
    const fcsBytes = captured === original ? Math.min(this.#fcsBytes, captured) : 0
    packet.seconds = u32(bytes, start, this.#little)
    packet.nanoseconds = u32(bytes, start + 4, this.#little) * this.#nsPerUnit
    packet.timed = true
    packet.linkType = this.#linkType
    packet.bytes = bytes
    packet.start = start + PACKET_HEADER_BYTES
    packet.end = packet.start + captured - fcsBytes
    packet.originalLength = original - fcsBytes
    packet.fileOffset = window.streamOffset
    window.skip(PACKET_HEADER_BYTES + captured)
    return true
  }
}
