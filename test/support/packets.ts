/** Packets and capture files, built a layer at a time from the inside out; each field has its comment. */

/** A number in network byte order. */
export function be(value: number, bytes: 1 | 2 | 4): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => (value >>> (8 * (bytes - 1 - index))) & 0xff)
}

export function join(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)))
}

export interface TcpFields {
  readonly sourcePort?: number
  readonly destinationPort?: number
  readonly sequence?: number
  readonly acknowledgement?: number
  readonly flags?: number
  /** Bytes of options, a multiple of four. */
  readonly options?: Uint8Array
}

export function tcp(payload: Uint8Array | string, fields: TcpFields = {}): Uint8Array {
  const options = fields.options ?? new Uint8Array(0)
  return join(
    be(fields.sourcePort ?? 40_000, 2), // source port
    be(fields.destinationPort ?? 80, 2), // destination port
    be(fields.sequence ?? 1000, 4), // sequence number
    be(fields.acknowledgement ?? 2000, 4), // acknowledgement number
    be((5 + options.length / 4) << 4, 1), // data offset in words
    be(fields.flags ?? 0x18, 1), // flags: PSH, ACK
    be(65_535, 2), // window
    be(0, 2), // checksum, not verified
    be(0, 2), // urgent pointer
    options,
    payload,
  )
}

export function udp(payload: Uint8Array, destinationPort: number): Uint8Array {
  return join(
    be(50_000, 2), // source port
    be(destinationPort, 2), // destination port
    be(8 + payload.length, 2), // length
    be(0, 2), // checksum
    payload,
  )
}

export function vxlan(frame: Uint8Array): Uint8Array {
  return join(
    be(0x08, 1), // flags: there is a network id
    new Uint8Array(3), // reserved
    be(7 << 8, 4), // network id 7, reserved
    frame,
  )
}

export interface Ipv4Fields {
  readonly source?: readonly [number, number, number, number]
  readonly destination?: readonly [number, number, number, number]
  readonly protocol?: number
  /** Instead of the true length: 0 where the network card splits the packet later. */
  readonly totalLength?: number
  readonly options?: Uint8Array
  readonly id?: number
  /** Place of a fragment in bytes, and whether more follow. */
  readonly fragmentOffset?: number
  readonly moreFragments?: boolean
}

export function ipv4(payload: Uint8Array, fields: Ipv4Fields = {}): Uint8Array {
  const options = fields.options ?? new Uint8Array(0)
  const headerLength = 20 + options.length
  const fragment = ((fields.moreFragments === true ? 0x2000 : 0) | ((fields.fragmentOffset ?? 0) / 8)) & 0xffff
  return join(
    be(0x40 | (headerLength / 4), 1), // version 4, header length in words
    be(0, 1), // type of service
    be(fields.totalLength ?? headerLength + payload.length, 2), // total length
    be(fields.id ?? 1, 2), // identification
    be(fragment, 2), // flags, fragment offset in eights
    be(64, 1), // time to live
    be(fields.protocol ?? 6, 1), // protocol: TCP
    be(0, 2), // checksum, not verified
    Uint8Array.from(fields.source ?? [10, 0, 0, 1]), // source
    Uint8Array.from(fields.destination ?? [10, 0, 0, 2]), // destination
    options,
    payload,
  )
}

/** `2001:db8::<last>`. */
export function ipv6Address(last: number): Uint8Array {
  return join(be(0x2001_0db8, 4), new Uint8Array(10), be(last, 2))
}

export interface Ipv6Fields {
  readonly nextHeader?: number
  readonly payloadLength?: number
}

export function ipv6(payload: Uint8Array, fields: Ipv6Fields = {}): Uint8Array {
  return join(
    be(0x6000_0000, 4), // version 6, traffic class, flow label
    be(fields.payloadLength ?? payload.length, 2), // payload length
    be(fields.nextHeader ?? 6, 1), // next header: TCP
    be(64, 1), // hop limit
    ipv6Address(1), // source
    ipv6Address(2), // destination
    payload,
  )
}

export function ethernet(payload: Uint8Array, type = 0x0800, vlanTags: readonly number[] = []): Uint8Array {
  return join(
    new Uint8Array(6).fill(2), // destination
    new Uint8Array(6).fill(4), // source
    ...vlanTags.map((tag) => join(be(tag, 2), be(42, 2))), // tag, VLAN 42
    be(type, 2), // EtherType
    payload,
  )
}

/** Linux cooked capture, version 1. */
export function cooked(payload: Uint8Array, protocol = 0x0800): Uint8Array {
  return join(
    be(0, 2), // packet type: to us
    be(1, 2), // ARPHRD: Ethernet
    be(6, 2), // address length
    new Uint8Array(8), // address
    be(protocol, 2), // protocol
    payload,
  )
}

/** Linux cooked capture, version 2. */
export function cooked2(payload: Uint8Array, protocol = 0x0800): Uint8Array {
  return join(
    be(protocol, 2), // protocol
    be(0, 2), // reserved
    be(1, 4), // interface
    be(1, 2), // ARPHRD: Ethernet
    be(0, 1), // packet type
    be(6, 1), // address length
    new Uint8Array(8), // address
    payload,
  )
}

export interface FileOptions {
  readonly little?: boolean
  readonly nanoseconds?: boolean
  readonly linkType?: number
}

export interface CapturedPacket {
  readonly bytes: Uint8Array
  /** Since 1970. Default: one second more for each packet, from 1,700,000,000 s. */
  readonly seconds?: number
  /** Micro- or nanoseconds, as the file has them. */
  readonly fraction?: number
  /** Length on the wire. Default: all of it was captured. */
  readonly originalLength?: number
}

/** A number in the file's byte order. */
export function word(value: number, bytes: 2 | 4, little: boolean): Uint8Array {
  const big = be(value, bytes)
  return little ? big.toReversed() : big
}

export function pcap(packets: readonly CapturedPacket[], options: FileOptions = {}): Uint8Array {
  const little = options.little ?? true
  const header = join(
    word(options.nanoseconds === true ? 0xa1b2_3c4d : 0xa1b2_c3d4, 4, little), // magic
    word(2, 2, little), // major version
    word(4, 2, little), // minor version
    new Uint8Array(8), // reserved
    word(262_144, 4, little), // snap length
    word(options.linkType ?? 1, 4, little), // link type
  )
  const records = packets.map((packet, index) =>
    join(
      word(packet.seconds ?? 1_700_000_000 + index, 4, little), // seconds
      word(packet.fraction ?? 0, 4, little), // micro- or nanoseconds
      word(packet.bytes.length, 4, little), // captured length
      word(packet.originalLength ?? packet.bytes.length, 4, little), // original length
      packet.bytes,
    ),
  )
  return join(header, ...records)
}

/** Blocks of a pcapng file, in one byte order. */
export function ngBlocks(little: boolean) {
  const block = (type: number, body: Uint8Array): Uint8Array => {
    const padded = join(body, new Uint8Array((4 - (body.length % 4)) % 4))
    const length = word(padded.length + 12, 4, little)
    return join(word(type, 4, little), length, padded, length)
  }
  const option = (code: number, value: Uint8Array): Uint8Array =>
    join(word(code, 2, little), word(value.length, 2, little), value, new Uint8Array((4 - (value.length % 4)) % 4))
  const time = (units: bigint): Uint8Array =>
    join(word(Number(units >> 32n), 4, little), word(Number(units & 0xffff_ffffn), 4, little))
  return {
    block,
    option,
    section: (): Uint8Array =>
      block(
        0x0a0d_0d0a,
        join(
          word(0x1a2b_3c4d, 4, little), // byte order magic
          word(1, 2, little), // major version
          word(0, 2, little), // minor version
          new Uint8Array(8).fill(0xff), // section length: not known
        ),
      ),
    /** Interface description. */
    interface: (linkType: number, options: Uint8Array = new Uint8Array(0), snapLength = 0): Uint8Array =>
      block(1, join(word(linkType, 2, little), word(0, 2, little), word(snapLength, 4, little), options)),
    /** Enhanced packet. */
    enhanced: (bytes: Uint8Array, units: bigint, on = 0, originalLength: number = bytes.length): Uint8Array =>
      block(
        6,
        join(
          word(on, 4, little), // interface
          time(units),
          word(bytes.length, 4, little), // captured length
          word(originalLength, 4, little), // original length
          bytes,
        ),
      ),
    /** Simple packet. */
    simple: (bytes: Uint8Array, originalLength: number = bytes.length): Uint8Array =>
      block(3, join(word(originalLength, 4, little), bytes)),
    /** Obsolete packet block. */
    obsolete: (bytes: Uint8Array, units: bigint): Uint8Array =>
      block(
        2,
        join(
          word(0, 2, little), // interface
          word(0, 2, little), // drops
          time(units),
          word(bytes.length, 4, little), // captured length
          word(bytes.length, 4, little), // original length
          bytes,
        ),
      ),
    /** Interface statistics that tell of drops. */
    statistics: (drops: number): Uint8Array =>
      block(
        5,
        join(
          word(0, 4, little),
          time(0n),
          option(5, little ? join(word(drops, 4, true), be(0, 4)) : join(be(0, 4), be(drops, 4))),
        ),
      ),
  }
}
