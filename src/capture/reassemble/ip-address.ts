/**
 * An IP address as four signed 32-bit words, the first the highest; IPv4 has only the last. Comparing and hashing numbers
 * is what makes following a hundred thousand flows cheap: the text of an address is made once a connection.
 */
export interface IpAddress {
  family: 4 | 6
  a: number
  b: number
  c: number
  d: number
}

export function emptyAddress(): IpAddress {
  return { family: 4, a: 0, b: 0, c: 0, d: 0 }
}

export function sameAddress(one: IpAddress, other: IpAddress): boolean {
  return one.d === other.d && one.c === other.c && one.b === other.b && one.a === other.a && one.family === other.family
}

/** `192.0.2.1`, `2001:db8::1` (RFC 5952: the longest run of zeros shortened, lower case). */
export function formatAddress(address: IpAddress): string {
  const { family, a, b, c, d } = address
  if (family === 4) return [d >>> 24, (d >>> 16) & 0xff, (d >>> 8) & 0xff, d & 0xff].join('.')
  const groups = [a, b, c, d].flatMap((word) => [word >>> 16, word & 0xffff])
  const zeros = longestZeros(groups)
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':')
  if (zeros.length < 2) return hex(groups)
  return `${hex(groups.slice(0, zeros.start))}::${hex(groups.slice(zeros.start + zeros.length))}`
}

function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  let start = 0
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start }
  }
  return best
}
