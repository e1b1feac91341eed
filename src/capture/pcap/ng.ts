import { MeshError } from '../../core/errors.ts'
import type { ByteWindow } from './byte-window.ts'
import type { CaptureFormat } from './format.ts'
import { LINK_TYPES, linkTypeError } from './link-types.ts'
import { eachOption, NgInterface } from './ng-interface.ts'
import type { Packet } from './packet.ts'
import { MAX_PACKET_BYTES } from './packet.ts'
import { i32be, u16, u32 } from './read.ts'

/*
 * draft-ietf-opsawg-pcapng
 *
 * block   type 4 | total length 4 | body, padded to 4 | total length 4
 */
const SECTION_HEADER = 0x0a0d_0d0a
const INTERFACE_DESCRIPTION = 1
const OBSOLETE_PACKET = 2
const SIMPLE_PACKET = 3
const INTERFACE_STATISTICS = 5
const ENHANCED_PACKET = 6

const BYTE_ORDER_MAGIC = 0x1a2b_3c4d
const ISB_IFDROP = 5

/** The longest block that is held in memory: a packet and as much again for its options. Others are skipped unread. */
const MAX_HELD_BLOCK_BYTES = 2 * MAX_PACKET_BYTES

/** More interfaces in one section mean a damaged or hostile file: each costs memory for the rest of the section. */
const MAX_INTERFACES = 10_000

/** True where a file begins with a pcapng section header, which reads the same in both byte orders. */
export function isNgMagic(bytes: Uint8Array, at: number): boolean {
  return i32be(bytes, at) === SECTION_HEADER
}

/** pcapng: any number of sections in either byte order, interfaces with their own clocks, four kinds of packets. */
export class NgFormat implements CaptureFormat {
  unsupportedLinkPackets = 0
  readonly #name: string
  #little = true
  #interfaces: NgInterface[] = []
  #anySupported = false
  #earlierDrops = 0

  constructor(name: string) {
    this.#name = name
  }

  get reportedDrops(): number {
    return this.#interfaces.reduce((sum, { drops }) => sum + drops, this.#earlierDrops)
  }

  next(window: ByteWindow, packet: Packet): boolean {
    while (window.available >= 12) {
      const { bytes, start } = window
      const section = isNgMagic(bytes, start)
      if (section) this.#readByteOrder(window)
      const type = section ? SECTION_HEADER : u32(bytes, start, this.#little)
      const length = u32(bytes, start + 4, this.#little)
      if (length < 12 || length % 4 !== 0) {
        throw this.#corrupt(`expected a block length of at least 12 in fours, found ${length}`, window, 4)
      }
      if (!isRead(type)) {
        window.skip(length)
        continue
      }
      if (length > MAX_HELD_BLOCK_BYTES) {
        throw this.#corrupt(`expected a block of at most ${MAX_HELD_BLOCK_BYTES} bytes, found ${length}`, window, 4)
      }
      if (window.available < length) return false
      const again = u32(bytes, start + length - 4, this.#little)
      if (again !== length) {
        throw this.#corrupt(`expected the block length ${length} again, found ${again}`, window, length - 4)
      }
      packet.fileOffset = window.streamOffset
      const found = this.#readBlock(type, window, length, packet)
      window.skip(length)
      if (found) return true
    }
    return false
  }

  /** A section header sets the byte order of all that follows, its own length included. */
  #readByteOrder(window: ByteWindow): void {
    const { bytes, start } = window
    if (u32(bytes, start + 8, true) === BYTE_ORDER_MAGIC) this.#little = true
    else if (u32(bytes, start + 8, false) === BYTE_ORDER_MAGIC) this.#little = false
    else throw this.#corrupt('expected the pcapng byte order magic 1a2b3c4d, found another number', window, 8)
  }

  /** Takes in one whole block; true where it was a packet that can be looked into. */
  #readBlock(type: number, window: ByteWindow, length: number, packet: Packet): boolean {
    const body = window.start + 8
    const end = window.start + length - 4
    switch (type) {
      case SECTION_HEADER:
        this.#earlierDrops = this.reportedDrops
        this.#interfaces = []
        return false
      case INTERFACE_DESCRIPTION:
        this.#addInterface(window, body, end)
        return false
      case INTERFACE_STATISTICS:
        this.#readStatistics(window.bytes, body, end)
        return false
      case SIMPLE_PACKET:
        return this.#readSimple(window, body, end, packet)
      default:
        return this.#readTimed(type, window, body, end, packet)
    }
  }

  #addInterface(window: ByteWindow, body: number, end: number): void {
    if (end - body < 8) throw this.#corrupt('expected an interface description of at least 20 bytes', window, 4)
    if (this.#interfaces.length >= MAX_INTERFACES) {
      throw this.#corrupt(`expected at most ${MAX_INTERFACES} interfaces, found more`, window, 0)
    }
    const added = new NgInterface(window.bytes, body, end, this.#little)
    this.#interfaces.push(added)
    this.#anySupported ||= LINK_TYPES.has(added.linkType)
  }

  #readStatistics(bytes: Uint8Array, body: number, end: number): void {
    if (end - body < 12) return
    const about = this.#interfaces[u32(bytes, body, this.#little)]
    if (about === undefined) return
    eachOption(bytes, body + 12, end, this.#little, (code, at, length) => {
      if (code !== ISB_IFDROP || length < 8) return
      const [low, high] = this.#little ? [at, at + 4] : [at + 4, at]
      about.drops = u32(bytes, high, this.#little) * 2 ** 32 + u32(bytes, low, this.#little)
    })
  }

  /** Simple packet block: original length 4 | data. No time; always of the first interface. */
  #readSimple(window: ByteWindow, body: number, end: number, packet: Packet): boolean {
    const seenOn = this.#interfaceOf(0, window)
    if (end - body < 4) throw this.#corrupt('expected a simple packet block of at least 16 bytes', window, 4)
    const original = u32(window.bytes, body, this.#little)
    const limit = seenOn.snapLength === 0 ? original : Math.min(original, seenOn.snapLength)
    packet.seconds = 0
    packet.nanoseconds = 0
    packet.timed = false
    return this.#fill(seenOn, window, body + 4, Math.min(limit, end - body - 4), original, packet)
  }

  /**
   * Enhanced packet block: interface 4 | time 8 | captured length 4 | original length 4 | data | options.
   * The obsolete packet block has interface 2 | drops 2 in place of the first.
   */
  #readTimed(type: number, window: ByteWindow, body: number, end: number, packet: Packet): boolean {
    const { bytes } = window
    if (end - body < 20) throw this.#corrupt('expected a packet block of at least 32 bytes', window, 4)
    const index = type === OBSOLETE_PACKET ? u16(bytes, body, this.#little) : u32(bytes, body, this.#little)
    const seenOn = this.#interfaceOf(index, window)
    const captured = u32(bytes, body + 12, this.#little)
    const original = u32(bytes, body + 16, this.#little)
    if (captured > end - body - 20 || captured > MAX_PACKET_BYTES) {
      const most = Math.min(end - body - 20, MAX_PACKET_BYTES)
      throw this.#corrupt(`expected a packet of at most ${most} bytes, found a length of ${captured}`, window, 20)
    }
    seenOn.setTime(u32(bytes, body + 4, this.#little), u32(bytes, body + 8, this.#little))
    packet.seconds = seenOn.seconds
    packet.nanoseconds = seenOn.nanoseconds
    packet.timed = true
    return this.#fill(seenOn, window, body + 20, captured, original, packet)
  }

  #fill(seenOn: NgInterface, window: ByteWindow, at: number, captured: number, original: number, packet: Packet) {
    if (!LINK_TYPES.has(seenOn.linkType)) {
      if (!this.#anySupported) throw linkTypeError(seenOn.linkType, `${this.#name}, offset ${window.streamOffset}`)
      this.unsupportedLinkPackets++
      return false
    }
    const whole = captured >= original
    const fcsBytes = whole ? Math.min(seenOn.fcsBytes, captured) : 0
    packet.linkType = seenOn.linkType
    packet.bytes = window.bytes
    packet.start = at
    packet.end = at + captured - fcsBytes
    packet.originalLength = Math.max(captured, original) - fcsBytes
    return true
  }

  #interfaceOf(index: number, window: ByteWindow): NgInterface {
    const found = this.#interfaces[index]
    if (found !== undefined) return found
    const known = this.#interfaces.length
    throw this.#corrupt(`expected a packet of one of ${known} described interfaces, found ${index}`, window, 8)
  }

  #corrupt(what: string, window: ByteWindow, at: number): MeshError {
    return new MeshError('MESH_ERR_FILE_CORRUPT', {
      what,
      where: `${this.#name}, offset ${window.streamOffset + at}`,
      remedy: 'the file is damaged there; what came before it was read',
    })
  }
}

function isRead(type: number): boolean {
  return (
    type === ENHANCED_PACKET ||
    type === SIMPLE_PACKET ||
    type === OBSOLETE_PACKET ||
    type === INTERFACE_DESCRIPTION ||
    type === INTERFACE_STATISTICS ||
    type === SECTION_HEADER
  )
}
