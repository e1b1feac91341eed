import { isIPv4, isIPv6, SocketAddress } from 'node:net'
import { concatBytes, int16At, latin1, latin1Bytes } from '../core/bytes.ts'
import type { Endpoint } from '../core/segment.ts'

/** PROXY protocol, versions 1 and 2 (HAProxy, `proxy-protocol.txt`, 2020-03-05): who the client behind a relay is. */
export const PROXY_PROTOCOL_VERSIONS = ['v1', 'v2'] as const
export type ProxyProtocolVersion = (typeof PROXY_PROTOCOL_VERSIONS)[number]

/** What a header says. Both are undefined where it says `UNKNOWN`, `LOCAL` or a family without ports. */
export interface ProxyHeader {
  readonly source: Endpoint | undefined
  readonly destination: Endpoint | undefined
}

/** How reading a header went. `length`: the bytes of the header; what follows is the connection's own. */
type ProxyHeaderResult =
  | { readonly kind: 'header'; readonly header: ProxyHeader; readonly length: number }
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'refused'; readonly reason: string }

const SIGNATURE = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a)
const PREFIX_V1 = latin1Bytes('PROXY ')

/** The longest line of version 1, its CRLF included (section 2.1). */
const MAX_V1_BYTES = 107

/** Header and additions (TLVs) of version 2 beyond this are refused: real ones stay below 536 bytes (section 2.2). */
const MAX_V2_BYTES = 4096

const UNKNOWN: ProxyHeader = { source: undefined, destination: undefined }

/** The header that announces `source`, which connected to `destination`. */
export function formatProxyHeader(version: ProxyProtocolVersion, source: Endpoint, destination: Endpoint): Uint8Array {
  return version === 'v1' ? formatV1(source, destination) : formatV2(source, destination)
}

function formatV1(source: Endpoint, destination: Endpoint): Uint8Array {
  const family = commonFamily(source, destination)
  if (family === undefined) return latin1Bytes('PROXY UNKNOWN\r\n')
  const addresses = [source, destination].map(({ address }) => (family === 6 ? asIPv6(address) : address)).join(' ')
  return latin1Bytes(`PROXY TCP${family} ${addresses} ${source.port} ${destination.port}\r\n`)
}

function formatV2(source: Endpoint, destination: Endpoint): Uint8Array {
  const family = commonFamily(source, destination)
  if (family === undefined) return concatBytes([SIGNATURE, Uint8Array.of(0x20, 0x00, 0, 0)])
  const bytesOf = family === 4 ? ipv4Bytes : ipv6Bytes
  const addresses = concatBytes([
    bytesOf(source.address),
    bytesOf(destination.address),
    uint16Bytes(source.port),
    uint16Bytes(destination.port),
  ])
  // 0x21: version 2, PROXY. 0x11 and 0x21: TCP over IPv4 and over IPv6.
  const head = Uint8Array.of(0x21, family === 4 ? 0x11 : 0x21, 0, addresses.length)
  return concatBytes([SIGNATURE, head, addresses])
}

/** The family in which both ends can be written; undefined where one is not an address. */
function commonFamily(source: Endpoint, destination: Endpoint): 4 | 6 | undefined {
  if (isIPv4(source.address) && isIPv4(destination.address)) return 4
  return [source, destination].every(({ address }) => isIPv4(address) || isIPv6(address)) ? 6 : undefined
}

/** Reads a header at the start of a connection's bytes. Never throws. */
export function parseProxyHeader(bytes: Uint8Array): ProxyHeaderResult {
  if (startsLike(bytes, SIGNATURE)) return bytes.length < 16 ? { kind: 'incomplete' } : parseV2(bytes)
  if (startsLike(bytes, PREFIX_V1)) return parseV1(bytes)
  return { kind: 'refused', reason: 'expected a PROXY protocol header, found other bytes' }
}

function startsLike(bytes: Uint8Array, prefix: Uint8Array): boolean {
  const length = Math.min(bytes.length, prefix.length)
  for (let index = 0; index < length; index++) if (bytes[index] !== prefix[index]) return false
  return true
}

function parseV1(bytes: Uint8Array): ProxyHeaderResult {
  const text = latin1(bytes, 0, Math.min(bytes.length, MAX_V1_BYTES))
  const end = text.indexOf('\r\n')
  if (end < 0) {
    if (text.length < MAX_V1_BYTES) return { kind: 'incomplete' }
    return { kind: 'refused', reason: `expected a PROXY line of at most ${MAX_V1_BYTES} bytes, found no end of line` }
  }
  const [, family, from, to, fromPort, toPort, ...more] = text.slice(0, end).split(' ')
  const length = end + 2
  if (family === 'UNKNOWN') return { kind: 'header', header: UNKNOWN, length }
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : () => false
  const source = endpointOf(from, fromPort, isAddress)
  const destination = endpointOf(to, toPort, isAddress)
  if (source === undefined || destination === undefined || more.length > 0) {
    return { kind: 'refused', reason: `expected "PROXY TCP4|TCP6 from to port port", found "${text.slice(0, end)}"` }
  }
  return { kind: 'header', header: { source, destination }, length }
}

function endpointOf(
  address: string | undefined,
  port: string | undefined,
  isAddress: (text: string) => boolean,
): Endpoint | undefined {
  if (address === undefined || port === undefined || !isAddress(address) || !/^\d{1,5}$/.test(port)) return undefined
  return Number(port) > 65_535 ? undefined : { address, port: Number(port) }
}

function parseV2(bytes: Uint8Array): ProxyHeaderResult {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const command = view.getUint8(12)
  const family = view.getUint8(13)
  const length = 16 + view.getUint16(14)
  if (command !== 0x20 && command !== 0x21) {
    return { kind: 'refused', reason: `expected PROXY version 2, LOCAL or PROXY, found 0x${command.toString(16)}` }
  }
  if (length > MAX_V2_BYTES) {
    return { kind: 'refused', reason: `expected a PROXY header of at most ${MAX_V2_BYTES} bytes, found ${length}` }
  }
  if (bytes.length < length) return { kind: 'incomplete' }
  const size = family === 0x11 ? 4 : family === 0x21 ? 16 : 0
  if (command === 0x20 || size === 0) return { kind: 'header', header: UNKNOWN, length }
  if (length < 16 + 2 * size + 4) {
    return { kind: 'refused', reason: `expected ${2 * size + 4} bytes of addresses, found ${length - 16}` }
  }
  const portsAt = 16 + 2 * size
  const source = { address: addressText(bytes.subarray(16, 16 + size)), port: view.getUint16(portsAt) }
  const destination = { address: addressText(bytes.subarray(16 + size, portsAt)), port: view.getUint16(portsAt + 2) }
  return { kind: 'header', header: { source, destination }, length }
}

function uint16Bytes(value: number): Uint8Array {
  return Uint8Array.of((value >>> 8) & 0xff, value & 0xff)
}

function ipv4Bytes(address: string): Uint8Array {
  return Uint8Array.from(address.split('.').map(Number))
}

function asIPv6(address: string): string {
  return isIPv4(address) ? `::ffff:${address}` : address
}

/** The 16 bytes of an IPv6 address, or of an IPv4 address mapped into IPv6 (RFC 4291 2.5.5.2). A zone is left out. */
function ipv6Bytes(address: string): Uint8Array {
  const text = asIPv6(address).replace(/%.*$/, '')
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  const tail = dotted?.[2] === undefined ? [] : [...ipv4Bytes(dotted[2])]
  const [before = '', after] = (dotted?.[1]?.replace(/([^:]):$/, '$1') ?? text).split('::')
  const left = groupBytes(before)
  const right = [...groupBytes(after ?? ''), ...tail]
  const zeros = Array.from({ length: Math.max(0, 16 - left.length - right.length) }, () => 0)
  return Uint8Array.from([...left, ...zeros, ...right])
}

function groupBytes(text: string): number[] {
  return text
    .split(':')
    .filter((group) => group !== '')
    .flatMap((group) => [...uint16Bytes(Number.parseInt(group, 16))])
}

function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups: string[] = []
  for (let at = 0; at < 16; at += 2) groups.push(int16At(bytes, at).toString(16))
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address
}
