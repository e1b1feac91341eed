/** What became of the packets of a capture: each is in exactly one of the fates below `packets`. */
export interface PacketCounters {
  packets: number
  /** Bytes of them that the capture holds. */
  packetBytes: number
  /** TCP of a followed port: handed to reassembly. */
  tcp: number
  /** TCP of other ports. */
  otherPorts: number
  /** Not TCP: UDP, ARP, ICMP, IPsec, and whatever else. */
  notTcp: number
  /** Fragments of IP packets, but for the one that completes its packet, which counts as what it completes. */
  fragments: number
  /** Headers that contradict themselves, or that the capture cut off. */
  malformed: number
  /** On interfaces of other link types (pcapng with several). */
  unsupportedLink: number
  /** Beside the fates. Fragments among `fragments` that were given up: their packet never became whole. */
  fragmentsLost: number
  /** Beside the fates. TCP packets of which the capture kept only the beginning: the rest is a gap. */
  snapped: number
  /** Beside the fates. Packets lost by the capture itself: by the kernel (live), or as the file says (pcapng). */
  captureDropped: number
}

export function emptyPacketCounters(): PacketCounters {
  return {
    packets: 0,
    packetBytes: 0,
    tcp: 0,
    otherPorts: 0,
    notTcp: 0,
    fragments: 0,
    malformed: 0,
    unsupportedLink: 0,
    fragmentsLost: 0,
    snapped: 0,
    captureDropped: 0,
  }
}
