import { u8, u16be } from './read.ts'

const ETHERTYPE_IPV4 = 0x0800
const ETHERTYPE_IPV6 = 0x86dd
/** IEEE 802.1Q, 802.1ad (QinQ) and its older spelling. */
const VLAN_TAGS: ReadonlySet<number> = new Set([0x8100, 0x88a8, 0x9100])

/** Address families of the loopback header: IPv4 everywhere, IPv6 as the BSDs, macOS and Linux number it. */
const LOOPBACK_FAMILIES: ReadonlySet<number> = new Set([2, 10, 24, 28, 30])

/** Where in `bytes` the IP packet of a frame begins, or -1 where the frame carries something else. */
export function networkStart(linkType: number, bytes: Uint8Array, start: number, end: number): number {
  switch (linkType) {
    case 1:
      return afterTags(bytes, start + 12, end)
    case 113:
      return afterTags(bytes, start + 14, end)
    case 276: {
      // sll2: protocol 2 | reserved 2 | interface 4 | ARPHRD 2 | packet type 1 | address length 1 | address 8
      const type = u16be(bytes, start)
      if (VLAN_TAGS.has(type)) return afterTags(bytes, start + 22, end)
      return isIp(type) && start + 20 < end ? start + 20 : -1
    }
    case 0:
    case 108: {
      // The host's byte order or the network's: families are small, so either order tells.
      const family = u8(bytes, start) === 0 ? u16be(bytes, start + 2) : u8(bytes, start) | (u8(bytes, start + 1) << 8)
      return LOOPBACK_FAMILIES.has(family) && start + 4 < end ? start + 4 : -1
    }
    default:
      return start < end ? start : -1
  }
}

/** `at` is the place of an EtherType: skips VLAN tags and gives where IP begins. */
function afterTags(bytes: Uint8Array, at: number, end: number): number {
  let typeAt = at
  while (typeAt + 2 <= end) {
    const type = u16be(bytes, typeAt)
    if (isIp(type)) return typeAt + 2 < end ? typeAt + 2 : -1
    if (!VLAN_TAGS.has(type)) return -1
    typeAt += 4
  }
  return -1
}

function isIp(type: number): boolean {
  return type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6
}
