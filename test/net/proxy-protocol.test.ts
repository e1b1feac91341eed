import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatProxyHeader, parseProxyHeader } from '../../src/net/proxy-protocol.ts'
import { connectTo, failureOf, KeepingTap, readAll, readBytes, startRelay, startServer, until } from './support.ts'

const SIGNATURE = '0d0a0d0a000d0a515549540a'
const V4 = [
  { address: '192.0.2.1', port: 40_000 },
  { address: '198.51.100.7', port: 443 },
] as const
const V6 = [
  { address: '2001:db8::1', port: 40_000 },
  { address: '::1', port: 443 },
] as const

describe('formatProxyHeader', () => {
  it('writes version 1 over IPv4 and IPv6', () => {
    expect(Buffer.from(formatProxyHeader('v1', ...V4)).toString()).toBe(
      'PROXY TCP4 192.0.2.1 198.51.100.7 40000 443\r\n',
    )
    expect(Buffer.from(formatProxyHeader('v1', ...V6)).toString()).toBe('PROXY TCP6 2001:db8::1 ::1 40000 443\r\n')
  })

  it('writes version 2 over IPv4 and IPv6', () => {
    expect(Buffer.from(formatProxyHeader('v2', ...V4)).toString('hex')).toBe(
      // signature, version 2 PROXY, TCP over IPv4, 12 bytes, addresses, ports
      [SIGNATURE, '21', '11', '000c', 'c0000201', 'c6336407', '9c40', '01bb'].join(''),
    )
    expect(Buffer.from(formatProxyHeader('v2', ...V6)).toString('hex')).toBe(
      [SIGNATURE, '21', '21', '0024', '20010db8000000000000000000000001', `${'0'.repeat(31)}1`, '9c40', '01bb'].join(
        '',
      ),
    )
  })

  it('writes both ends as IPv6 where one is', () => {
    expect(Buffer.from(formatProxyHeader('v1', V4[0], V6[1])).toString()).toBe(
      'PROXY TCP6 ::ffff:192.0.2.1 ::1 40000 443\r\n',
    )
    expect(Buffer.from(formatProxyHeader('v2', V4[0], V6[1])).toString('hex')).toContain(
      '00000000000000000000ffffc0000201',
    )
  })

  it('says that it does not know where an end has no address', () => {
    const nowhere = { address: '', port: 0 }
    expect(Buffer.from(formatProxyHeader('v1', nowhere, V4[1])).toString()).toBe('PROXY UNKNOWN\r\n')
    expect(Buffer.from(formatProxyHeader('v2', nowhere, V4[1])).toString('hex')).toBe(`${SIGNATURE}20000000`)
  })
})

const ipv6 = fc
  .array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 })
  .map((groups) => new URL(`http://[${groups.map((group) => group.toString(16)).join(':')}]`).hostname.slice(1, -1))
const port = fc.integer({ min: 0, max: 65_535 })

describe('parseProxyHeader', () => {
  it.each(['v1', 'v2'] as const)('reads what %s writes, whatever follows, and needs all of it', (version) => {
    const end = (address: fc.Arbitrary<string>) => fc.record({ address, port })
    const pair = (address: fc.Arbitrary<string>) => fc.tuple(end(address), end(address))
    fc.assert(
      fc.property(fc.oneof(pair(fc.ipV4()), pair(ipv6)), fc.uint8Array(), ([source, destination], rest) => {
        const header = formatProxyHeader(version, source, destination)
        const result = parseProxyHeader(Buffer.concat([header, rest]))
        expect(result).toMatchObject({ kind: 'header', length: header.length })
        if (result.kind !== 'header') return
        for (const [found, wanted] of [
          [result.header.source, source],
          [result.header.destination, destination],
        ] as const) {
          expect(found?.port).toBe(wanted.port)
          expect(canonical(found?.address ?? '')).toBe(canonical(wanted.address))
        }
        for (let length = 0; length < header.length; length++) {
          expect(parseProxyHeader(header.subarray(0, length))).toEqual({ kind: 'incomplete' })
        }
      }),
      { numRuns: 50 },
    )
  })

  it('never throws, and never asks for more than its limits', () => {
    const prefixed = fc.tuple(fc.constantFrom('PROXY ', Buffer.from(SIGNATURE, 'hex').toString('latin1')), fc.string())
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          prefixed.map(([a, b]) => Buffer.from(a + b, 'latin1')),
        ),
        (bytes) => {
          parseProxyHeader(bytes)
        },
      ),
    )
    expect(parseProxyHeader(Buffer.from(`PROXY ${'x'.repeat(200)}`))).toMatchObject({ kind: 'refused' })
    expect(parseProxyHeader(Buffer.from(`${SIGNATURE}2111ffff`, 'hex'))).toMatchObject({ kind: 'refused' })
  })

  it.each([
    ['other bytes', Buffer.from('GET / HTTP/1.1\r\n')],
    ['a bad address', Buffer.from('PROXY TCP4 1.2.3 4.5.6.7 1 2\r\n')],
    ['a bad port', Buffer.from('PROXY TCP4 1.2.3.4 4.5.6.7 1 99999\r\n')],
    ['too many words', Buffer.from('PROXY TCP4 1.2.3.4 4.5.6.7 1 2 3\r\n')],
    ['version 3', Buffer.from(`${SIGNATURE}31110000`, 'hex')],
    ['too few bytes of addresses', Buffer.from(`${SIGNATURE}2111000401020304`, 'hex')],
  ])('refuses %s', (_, bytes) => {
    expect(parseProxyHeader(bytes)).toMatchObject({ kind: 'refused' })
  })

  it('reads LOCAL, UNKNOWN and Unix sockets as nobody', () => {
    const nobody = { source: undefined, destination: undefined }
    for (const bytes of [
      Buffer.from('PROXY UNKNOWN ffff:: :: 1 2\r\n'),
      Buffer.from(`${SIGNATURE}20000000`, 'hex'),
      Buffer.from(`${SIGNATURE}213100d8${'00'.repeat(216)}`, 'hex'),
    ]) {
      expect(parseProxyHeader(bytes)).toEqual({ kind: 'header', header: nobody, length: bytes.length })
    }
  })
})

/** The same address in one spelling: the URL parser's, and dotted IPv4 for mapped ones. */
function canonical(address: string): string {
  return address.includes(':') ? new URL(`http://[${address}]`).hostname : address
}

describe('a relay with the PROXY protocol', () => {
  it.each(['v1', 'v2'] as const)('announces its client to the upstream before any byte (%s)', async (version) => {
    const arrived: Promise<Buffer>[] = []
    const upstream = await startServer((socket) => {
      arrived.push(readAll(socket))
      socket.end()
    })
    const relay = await startRelay(upstream, { proxyProtocol: version })
    const client = await connectTo(relay.address)
    const source = { address: '127.0.0.1', port: client.localPort ?? 0 }
    client.end('hello')
    await until(() => arrived.length === 1)
    const header = formatProxyHeader(version, source, relay.address)
    expect((await arrived[0])?.toString('hex')).toBe(Buffer.concat([header, Buffer.from('hello')]).toString('hex'))
    expect(relay.counters.requestBytes).toBe(5)
  })

  it('takes the client from the header of a relay in front of it', async () => {
    const upstream = await startServer((socket) => socket.pipe(socket))
    const tap = new KeepingTap()
    const relay = await startRelay(upstream, { acceptProxyProtocol: true }, tap)
    const client = await connectTo(relay.address)
    const header = formatProxyHeader('v2', ...V4)
    for (const byte of header) client.write(Uint8Array.of(byte))
    client.write('hello')
    expect((await readBytes(client, 5)).toString()).toBe('hello')
    expect(tap.connections[0]?.client).toEqual(V4[0])
    expect(Buffer.concat(tap.connections[0]?.request ?? []).toString()).toBe('hello')
  })

  it('passes a header on that came in one packet with the first bytes', async () => {
    const arrived: Promise<Buffer>[] = []
    const upstream = await startServer((socket) => {
      arrived.push(readAll(socket))
      socket.end()
    })
    const relay = await startRelay(upstream, { acceptProxyProtocol: true, proxyProtocol: 'v1' })
    const client = await connectTo(relay.address)
    client.end(Buffer.concat([formatProxyHeader('v1', ...V6), Buffer.from('hello')]))
    await until(() => arrived.length === 1)
    expect((await arrived[0])?.toString()).toBe('PROXY TCP6 2001:db8::1 ::1 40000 443\r\nhello')
  })

  it('cuts off a client without a header, and counts it', async () => {
    const tap = new KeepingTap()
    const relay = await startRelay(await startServer(() => undefined), { acceptProxyProtocol: true }, tap)
    const client = await connectTo(relay.address)
    client.resume()
    client.write('GET / HTTP/1.1\r\n\r\n')
    expect(await failureOf(client)).toBe('ECONNRESET')
    expect(relay.counters).toMatchObject({ headerMissing: 1, open: 0 })
    expect(tap.connections).toEqual([])
  })
})
