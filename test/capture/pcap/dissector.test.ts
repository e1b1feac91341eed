import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { latin1 } from '../../../src/core/bytes.ts'
import type { PacketCounters } from '../../../src/capture/pcap/counters.ts'
import { emptyPacketCounters } from '../../../src/capture/pcap/counters.ts'
import { Dissector } from '../../../src/capture/pcap/dissector.ts'
import { emptyPacket } from '../../../src/capture/pcap/packet.ts'
import { formatAddress } from '../../../src/capture/reassemble/ip-address.ts'
import { be, cooked, cooked2, ethernet, ipv4, ipv6, join, tcp, udp, vxlan } from '../../support/packets.ts'

const IPV6 = 0x86dd

interface Found {
  readonly text: string | undefined
  readonly counters: PacketCounters
  readonly dissector: Dissector
}

/** Dissects frames one after the other; `text` is the last one's payload. */
function dissect(
  frames: readonly Uint8Array[],
  { linkType = 1, ports = [], originalLength }: { linkType?: number; ports?: number[]; originalLength?: number } = {},
): Found {
  const counters = emptyPacketCounters()
  const dissector = new Dissector(counters, ports)
  const packet = emptyPacket()
  let text: string | undefined
  for (const [index, frame] of frames.entries()) {
    // Bytes around the packet, as in a file.
    packet.bytes = join('<<<', frame, '>>>')
    packet.start = 3
    packet.end = 3 + frame.length
    packet.linkType = linkType
    packet.originalLength = originalLength ?? frame.length
    const found = dissector.dissect(packet, index * 1e9)
    text = found ? latin1(dissector.tcp.bytes, dissector.tcp.payloadStart, dissector.tcp.capturedEnd) : undefined
  }
  dissector.finish()
  return { text, counters, dissector }
}

const V4 = ipv4(tcp('GET'))
const V6 = ipv6(tcp('GET'))

describe('Dissector', () => {
  it.each([
    ['Ethernet', 1, ethernet(V4)],
    ['Ethernet with IPv6', 1, ethernet(V6, IPV6)],
    ['Ethernet with a VLAN tag', 1, ethernet(V4, 0x0800, [0x8100])],
    ['Ethernet with QinQ tags', 1, ethernet(V4, 0x0800, [0x88a8, 0x8100])],
    ['Ethernet with the older QinQ tag', 1, ethernet(V6, IPV6, [0x9100, 0x8100])],
    ['loopback in the order of a little-endian host', 0, join(Uint8Array.of(2, 0, 0, 0), V4)],
    ['loopback in the order of a big-endian host', 0, join(Uint8Array.of(0, 0, 0, 2), V4)],
    ['loopback with the IPv6 of macOS', 0, join(Uint8Array.of(30, 0, 0, 0), V6)],
    ['loopback of OpenBSD', 108, join(be(24, 4), V6)],
    ['raw IP', 12, V4],
    ['raw IP of OpenBSD', 14, V6],
    ['raw IP by its own number', 101, V6],
    ['raw IPv4', 228, V4],
    ['raw IPv6', 229, V6],
    ['Linux cooked', 113, cooked(V4)],
    ['Linux cooked with a VLAN tag', 113, cooked(join(be(7, 2), be(0x0800, 2), V4), 0x8100)],
    ['Linux cooked v2', 276, cooked2(V6, IPV6)],
    ['Linux cooked v2 with a VLAN tag', 276, cooked2(join(be(7, 2), be(IPV6, 2), V6), 0x8100)],
    ['IPv4 with options', 1, ethernet(ipv4(tcp('GET'), { options: new Uint8Array(8).fill(1) }))],
    ['TCP with options', 1, ethernet(ipv4(tcp('GET', { options: new Uint8Array(12).fill(1) })))],
    ['IPv6 with extension headers', 1, ethernet(ipv6(extensions(tcp('GET')), { nextHeader: 0 }), IPV6)],
    ['Ethernet padding behind a short packet', 1, join(ethernet(V4), new Uint8Array(6))],
    ['an IPv4 length of 0, which a card fills in later', 1, ethernet(ipv4(tcp('GET'), { totalLength: 0 }))],
    ['an IPv6 length of 0, which a card fills in later', 1, ethernet(ipv6(tcp('GET'), { payloadLength: 0 }), IPV6)],
    ['VXLAN', 1, ethernet(ipv4(udp(vxlan(ethernet(V6, IPV6)), 4789), { protocol: 17 }))],
  ])('finds TCP in %s', (_, linkType, frame) => {
    const { text, counters, dissector } = dissect([frame], { linkType })
    expect(text).toBe('GET')
    expect(dissector.tcp).toMatchObject({ sourcePort: 40_000, destinationPort: 80, sequence: 1000, payloadLength: 3 })
    expect(counters).toMatchObject({ packets: 1, tcp: 1, snapped: 0 })
  })

  it('reads the addresses of both ends', () => {
    const v4 = dissect([ethernet(V4)]).dissector.tcp
    expect([formatAddress(v4.source), formatAddress(v4.destination)]).toEqual(['10.0.0.1', '10.0.0.2'])
    const v6 = dissect([ethernet(V6, IPV6)]).dissector.tcp
    expect([formatAddress(v6.source), formatAddress(v6.destination)]).toEqual(['2001:db8::1', '2001:db8::2'])
  })

  it.each([
    ['ARP', ethernet(new Uint8Array(28), 0x0806)],
    ['UDP', ethernet(ipv4(udp(new Uint8Array(20), 53), { protocol: 17 }))],
    ['UDP of the VXLAN port that is not VXLAN', ethernet(ipv4(udp(new Uint8Array(60), 4789), { protocol: 17 }))],
    ['IPv6 without a next header', ethernet(ipv6(new Uint8Array(8), { nextHeader: 59 }), IPV6)],
    ['a frame without a type', new Uint8Array(9)],
  ])('counts %s as not TCP', (_, frame) => {
    expect(dissect([frame]).counters).toMatchObject({ packets: 1, tcp: 0, notTcp: 1 })
  })

  it.each([
    ['an IPv4 header shorter than the least', ethernet(Uint8Array.from(V4, (byte, at) => (at === 0 ? 0x44 : byte)))],
    ['an IPv4 length below its header', ethernet(ipv4(tcp('GET'), { totalLength: 19 }))],
    ['a TCP header longer than its packet', ethernet(ipv4(tcp('').with(12, 0xf0)))],
    ['a TCP header that was cut off', ethernet(ipv4(tcp('').subarray(0, 12)))],
    ['an IP version that does not exist', ethernet(V4.with(0, 0x95))],
    ['an IPv6 header that was cut off', ethernet(V6.subarray(0, 30), IPV6)],
    ['extension headers without end', ethernet(ipv6(new Uint8Array(400), { nextHeader: 0 }), IPV6)],
  ])('counts %s as malformed', (_, frame) => {
    expect(dissect([frame]).counters).toMatchObject({ packets: 1, tcp: 0, malformed: 1 })
  })

  it('follows tunnels in tunnels only so far', () => {
    let frame = ethernet(V4)
    for (let depth = 0; depth < 5; depth++) frame = ethernet(ipv4(udp(vxlan(frame), 4789), { protocol: 17 }))
    expect(dissect([frame]).counters).toMatchObject({ tcp: 0, notTcp: 1 })
  })

  it('counts TCP of ports that are not followed, and follows either end', () => {
    const frames = [tcp('a'), tcp('b', { destinationPort: 443 }), tcp('c', { sourcePort: 80, destinationPort: 50_000 })]
    const { counters } = dissect(
      frames.map((packet) => ethernet(ipv4(packet))),
      { ports: [80] },
    )
    expect(counters).toMatchObject({ packets: 3, tcp: 2, otherPorts: 1 })
  })

  it('tells the length on the wire from what the capture kept', () => {
    const frame = ethernet(ipv4(tcp('a long payload')))
    const { text, counters, dissector } = dissect([frame.subarray(0, frame.length - 8)], {
      originalLength: frame.length,
    })
    expect(text).toBe('a long')
    expect(dissector.tcp.payloadLength).toBe(14)
    expect(counters.snapped).toBe(1)
  })
})

/** Hop-by-hop options of 16 bytes, routing, destination options, authentication, then TCP. */
function extensions(transport: Uint8Array): Uint8Array {
  return join(
    Uint8Array.of(43, 1), // next: routing; 16 bytes
    new Uint8Array(14),
    Uint8Array.of(60, 0), // next: destination options; 8 bytes
    new Uint8Array(6),
    Uint8Array.of(51, 0), // next: authentication; 8 bytes
    new Uint8Array(6),
    Uint8Array.of(6, 4), // next: TCP; 24 bytes, counted in fours less two
    new Uint8Array(22),
    transport,
  )
}

const LONG = tcp('x'.repeat(4000) + 'GET')

/** An IPv4 fragment of `LONG`. */
function fragment(start: number, end: number, id = 1): Uint8Array {
  const moreFragments = end < LONG.length
  return ethernet(ipv4(LONG.subarray(start, end), { fragmentOffset: start, moreFragments, id }))
}

/** An IPv6 fragment of `LONG`. */
function fragment6(start: number, end: number): Uint8Array {
  const header = join(
    Uint8Array.of(6, 0), // next: TCP
    be(start | (end < LONG.length ? 1 : 0), 2), // offset, more fragments
    be(77, 4), // identification
  )
  return ethernet(ipv6(join(header, LONG.subarray(start, end)), { nextHeader: 44 }), IPV6)
}

describe('Dissector, fragments', () => {
  const first = fragment(0, 1480)
  const second = fragment(1480, 2960)
  const third = fragment(2960, LONG.length)

  it.each([
    ['in order', [first, second, third]],
    ['in another order', [third, first, second]],
    ['with repetitions', [first, first, second, first, third]],
    ['of two packets at once', [first, fragment(0, 1480, 2), second, fragment(1480, 2960, 2), third]],
    ['of IPv6', [fragment6(1480, LONG.length), fragment6(0, 1480)]],
  ])('puts fragments together, %s', (_, frames) => {
    const { text, counters } = dissect(frames)
    expect(text).toHaveLength(4003)
    expect(text?.endsWith('xGET')).toBe(true)
    expect(counters).toMatchObject({ packets: frames.length, tcp: 1, fragments: frames.length - 1 })
  })

  it('reads an IPv6 packet whose fragment header says that it is whole', () => {
    expect(dissect([fragment6(0, LONG.length)]).counters).toMatchObject({ tcp: 1, fragments: 0 })
  })

  it.each([
    ['that overlap', [first, fragment(1472, 2960), third], 3],
    ['beyond the last one', [third, fragment(4800, 4816)], 2],
    ['that stay incomplete', [first, third], 2],
    ['of which the capture kept only the beginning', [first.subarray(0, 500)], 1],
  ])('gives up fragments %s, and counts them', (_, frames, lost) => {
    const { counters } = dissect(frames)
    expect(counters).toMatchObject({ packets: frames.length, tcp: 0, fragments: frames.length, fragmentsLost: lost })
  })

  it('gives up the oldest packets when too many are incomplete', () => {
    const frames = Array.from({ length: 4_000 }, (_, id) => fragment(0, 1480, id))
    const kept = dissect([...frames, fragment(1480, 2960, 3_999), fragment(2960, LONG.length, 3_999)])
    expect(kept.text).toHaveLength(4003)
    const lost = dissect([...frames, fragment(1480, 2960, 0), fragment(2960, LONG.length, 0)])
    expect(lost.text).toBeUndefined()
  })

  it('gives up a packet that stays incomplete for 30 s', () => {
    const pause = Array.from({ length: 31 }, () => fragment(0, 1480, 9))
    expect(dissect([first, ...pause, second, third]).text).toBeUndefined()
  })
})

describe('Dissector, hostile packets', () => {
  it('never throws, and counts each packet once', () => {
    const frames = [
      ethernet(V4),
      ethernet(V6, IPV6, [0x8100]),
      ethernet(ipv6(extensions(tcp('GET')), { nextHeader: 0 }), IPV6),
      ethernet(ipv4(udp(vxlan(ethernet(V4)), 4789), { protocol: 17 })),
      fragment(0, 1480),
      fragment6(0, 1480),
    ]
    const hit = fc.tuple(fc.nat({ max: 120 }), fc.nat({ max: 255 }))
    const packet = fc.record({
      frame: fc.constantFrom(...frames),
      hits: fc.array(hit, { maxLength: 6 }),
      length: fc.nat({ max: 160 }),
      linkType: fc.constantFrom(0, 1, 101, 113, 276),
    })
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 20 }), (packets) => {
        for (const { frame, hits, length, linkType } of packets) {
          const damaged = Uint8Array.from(frame.subarray(0, length))
          for (const [at, value] of hits) if (at < damaged.length) damaged[at] = value
          const { counters } = dissect([damaged, damaged], { linkType, originalLength: frame.length })
          const { packets, tcp, otherPorts, notTcp, fragments, malformed } = counters
          expect(tcp + otherPorts + notTcp + fragments + malformed).toBe(packets)
        }
      }),
    )
  })
})
