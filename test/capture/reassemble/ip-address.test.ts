import { describe, expect, it } from 'vitest'
import { formatAddress } from '../../../src/capture/reassemble/ip-address.ts'

describe('formatAddress', () => {
  it('writes IPv4 with dots', () => {
    expect(formatAddress({ family: 4, a: 0, b: 0, c: 0, d: 0xc0_00_02_ff | 0 })).toBe('192.0.2.255')
  })

  it.each([
    [[0, 0, 0, 1], '::1'],
    [[0, 0, 0, 0], '::'],
    [[0x2001_0db8, 0, 0, 0], '2001:db8::'],
    [[0x2001_0db8, 0x0000_0001, 0, 0x0000_0001], '2001:db8:0:1::1'], // the longest run is shortened
    [[0x2001_0db8, 0x0000_0001, 0x0001_0001, 0x0001_0001], '2001:db8:0:1:1:1:1:1'], // a single zero is not
    [[0x0001_0002, 0x0003_0004, 0x0005_0006, 0x0007_fff8], '1:2:3:4:5:6:7:fff8'],
  ])('writes IPv6 %j as RFC 5952 says', ([a = 0, b = 0, c = 0, d = 0], expected) => {
    expect(formatAddress({ family: 6, a, b, c, d })).toBe(expected)
  })
})
