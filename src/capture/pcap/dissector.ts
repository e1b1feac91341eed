import type { IpAddress } from '../reassemble/ip-address.ts'
import type { TcpPacket } from '../reassemble/tcp-packet.ts'
import { emptyTcpPacket } from '../reassemble/tcp-packet.ts'
import type { PacketCounters } from './counters.ts'
import { FragmentTable } from './fragments.ts'
import { networkStart } from './link-layer.ts'
import type { Packet } from './packet.ts'
import { i32be, u16be, u32, u8 } from './read.ts'

const PROTOCOL_TCP = 6
const PROTOCOL_UDP = 17
const VXLAN_PORT = 4789
const LINK_TYPE_ETHERNET = 1

/** Tunnels inside tunnels that are followed: real networks nest once, maybe twice; a hostile packet as often as it likes. */
const MAX_TUNNELS = 4

/** IPv6 extension headers in one packet that are walked; real ones carry one or two. */
const MAX_EXTENSIONS = 16

/** Extension headers that say their length themselves: hop-by-hop, routing, destination, mobility, HIP, shim6. */
const EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 60, 135, 139, 140])
const EXTENSION_FRAGMENT = 44
const EXTENSION_AUTHENTICATION = 51

/**
 * Finds the TCP packet in a captured one: link layer, VLAN tags, IPv4 with options, IPv6 with extension headers, fragments,
 * VXLAN (RFC 7348) within UDP 4789. Tags and tunnel ids do not tell connections apart: a capture that sees a packet
 * both inside and outside of a tunnel sees one connection, twice.
 */
export class Dissector {
  /** What the last successful `dissect` found. */
  readonly tcp: TcpPacket = emptyTcpPacket()
  readonly #counters: PacketCounters
  readonly #fragments = new FragmentTable()
  /** One flag a port; undefined where all are followed. */
  readonly #followed: Uint8Array | undefined

  constructor(counters: PacketCounters, ports: readonly number[]) {
    this.#counters = counters
    if (ports.length > 0) {
      this.#followed = new Uint8Array(65_536)
      for (const port of ports) this.#followed[port] = 1
    }
  }

  /** True where the packet is TCP of a followed port: then `tcp` is filled. Counts what it is otherwise. */
  dissect(packet: Packet, atNs: number): boolean {
    this.#counters.packets++
    this.#counters.packetBytes += packet.end - packet.start
    this.tcp.atNs = atNs
    const { bytes, start, end } = packet
    return this.#frame(packet.linkType, bytes, start, end, start + packet.originalLength, 0)
  }

  /** No more packets come. */
  finish(): void {
    this.#fragments.finish()
    this.#counters.fragmentsLost = this.#fragments.lost
  }

  /** In all of these, the bytes from `start` to `end` are held, and on the wire they went on to `wireEnd`. */
  #frame(linkType: number, bytes: Uint8Array, start: number, end: number, wireEnd: number, tunnels: number): boolean {
    const at = networkStart(linkType, bytes, start, end)
    if (at < 0) return this.#notTcp()
    const version = u8(bytes, at) >> 4
    if (version === 4) return this.#ipv4(bytes, at, end, wireEnd, tunnels)
    if (version === 6) return this.#ipv6(bytes, at, end, wireEnd, tunnels)
    return this.#malformed()
  }

  #ipv4(bytes: Uint8Array, start: number, end: number, wireEnd: number, tunnels: number): boolean {
    const headerLength = (u8(bytes, start) & 0x0f) * 4
    const totalLength = u16be(bytes, start + 2)
    if (headerLength < 20 || start + headerLength > end) return this.#malformed()
    // 0 where the network card splits the packet later (TSO): it ends with its frame. Otherwise Ethernet's padding is cut off.
    if (totalLength !== 0 && totalLength < headerLength) return this.#malformed()
    const wholeEnd = totalLength === 0 ? wireEnd : start + totalLength
    const heldEnd = Math.min(end, wholeEnd)
    const { source, destination } = this.tcp
    setIpv4(source, i32be(bytes, start + 12))
    setIpv4(destination, i32be(bytes, start + 16))
    const protocol = u8(bytes, start + 9)
    const fragment = u16be(bytes, start + 6)
    const at = start + headerLength
    if ((fragment & 0x3fff) === 0) return this.#transport(protocol, bytes, at, heldEnd, wholeEnd, tunnels)
    const key = `4 ${source.d} ${destination.d} ${protocol} ${u16be(bytes, start + 4)}`
    const place = (fragment & 0x1fff) * 8
    return this.#fragment(key, protocol, bytes, at, heldEnd, wholeEnd, place, (fragment & 0x2000) !== 0, tunnels)
  }

  #ipv6(bytes: Uint8Array, start: number, end: number, wireEnd: number, tunnels: number): boolean {
    if (start + 40 > end) return this.#malformed()
    const payloadLength = u16be(bytes, start + 4)
    // 0 for a jumbogram (RFC 2675) or where the card splits it later: it ends with its frame.
    const wholeEnd = payloadLength === 0 ? wireEnd : start + 40 + payloadLength
    const heldEnd = Math.min(end, wholeEnd)
    const { source, destination } = this.tcp
    setIpv6(source, bytes, start + 8)
    setIpv6(destination, bytes, start + 24)
    let next = u8(bytes, start + 6)
    let at = start + 40
    for (let walked = 0; walked < MAX_EXTENSIONS; walked++) {
      if (next === PROTOCOL_TCP || next === PROTOCOL_UDP) {
        return this.#transport(next, bytes, at, heldEnd, wholeEnd, tunnels)
      }
      if (at + 8 > heldEnd) break
      if (next === EXTENSION_FRAGMENT) {
        const fragment = u16be(bytes, at + 2)
        const inner = u8(bytes, at)
        if ((fragment & 0xfff9) === 0) {
          next = inner
          at += 8
          continue
        }
        const { source: from, destination: to } = this.tcp
        const id = u32(bytes, at + 4, false)
        const key = `6 ${from.a} ${from.b} ${from.c} ${from.d} ${to.a} ${to.b} ${to.c} ${to.d} ${inner} ${id}`
        const more = (fragment & 1) !== 0
        return this.#fragment(key, inner, bytes, at + 8, heldEnd, wholeEnd, fragment & 0xfff8, more, tunnels)
      }
      const length = extensionLength(next, u8(bytes, at + 1))
      if (length === 0) return this.#notTcp()
      next = u8(bytes, at)
      at += length
    }
    return this.#malformed()
  }

  #fragment(
    key: string,
    protocol: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    wireEnd: number,
    place: number,
    more: boolean,
    tunnels: number,
  ): boolean {
    // A fragment that the capture cut short cannot be put together: as an empty one it counts as lost.
    const heldEnd = end < wireEnd ? start : end
    const whole = this.#fragments.add(key, bytes, start, heldEnd, place, more, this.tcp.atNs)
    if (whole !== undefined) return this.#transport(protocol, whole, 0, whole.length, whole.length, tunnels)
    this.#counters.fragments++
    return false
  }

  #transport(
    protocol: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    wireEnd: number,
    tunnels: number,
  ): boolean {
    if (protocol === PROTOCOL_TCP) return this.#tcp(bytes, start, end, wireEnd)
    if (protocol !== PROTOCOL_UDP || start + 16 > end || u16be(bytes, start + 2) !== VXLAN_PORT) return this.#notTcp()
    // UDP header 8, then VXLAN: flags 1 | reserved 3 | network 3 | reserved 1. The I flag says that there is a network.
    const isVxlan = (u8(bytes, start + 8) & 0x08) !== 0
    if (!isVxlan || tunnels >= MAX_TUNNELS) return this.#notTcp()
    return this.#frame(LINK_TYPE_ETHERNET, bytes, start + 16, end, wireEnd, tunnels + 1)
  }

  #tcp(bytes: Uint8Array, start: number, end: number, wireEnd: number): boolean {
    if (start + 20 > end) return this.#malformed()
    const headerLength = (u8(bytes, start + 12) >> 4) * 4
    const payloadStart = start + headerLength
    if (headerLength < 20 || payloadStart > wireEnd) return this.#malformed()
    const { tcp } = this
    tcp.sourcePort = u16be(bytes, start)
    tcp.destinationPort = u16be(bytes, start + 2)
    if (this.#followed !== undefined && !this.#isFollowed(this.#followed)) {
      this.#counters.otherPorts++
      return false
    }
    tcp.sequence = i32be(bytes, start + 4)
    tcp.acknowledgement = i32be(bytes, start + 8)
    tcp.flags = u8(bytes, start + 13)
    tcp.bytes = bytes
    tcp.payloadStart = payloadStart
    tcp.capturedEnd = Math.max(payloadStart, end)
    tcp.payloadLength = wireEnd - payloadStart
    if (end < wireEnd) this.#counters.snapped++
    this.#counters.tcp++
    return true
  }

  #isFollowed(followed: Uint8Array): boolean {
    return followed[this.tcp.sourcePort] === 1 || followed[this.tcp.destinationPort] === 1
  }

  #notTcp(): false {
    this.#counters.notTcp++
    return false
  }

  #malformed(): false {
    this.#counters.malformed++
    return false
  }
}

function setIpv4(address: IpAddress, word: number): void {
  address.family = 4
  address.a = 0
  address.b = 0
  address.c = 0
  address.d = word
}

function setIpv6(address: IpAddress, bytes: Uint8Array, at: number): void {
  address.family = 6
  address.a = i32be(bytes, at)
  address.b = i32be(bytes, at + 4)
  address.c = i32be(bytes, at + 8)
  address.d = i32be(bytes, at + 12)
}

/** Length of an extension header in bytes; 0 where there is nothing behind it that we could read (ESP, no next header). */
function extensionLength(type: number, lengthField: number): number {
  if (EXTENSIONS.has(type)) return (lengthField + 1) * 8
  return type === EXTENSION_AUTHENTICATION ? (lengthField + 2) * 4 : 0
}
