import { describe, expect, it } from 'vitest'
import {
  formatBytes,
  formatCount,
  formatDurationNs,
  formatRate,
  parseAddress,
  parseCount,
  parseDurationNs,
  parseMultiplier,
  parseRatePerSecond,
  parseShare,
  parseSizeBytes,
} from '../../src/core/units.ts'
import { thrownBy } from '../support/errors.ts'

describe('the grammar of values', () => {
  it.each([
    ['500us', 5e5],
    ['200ms', 2e8],
    ['30s', 3e10],
    ['5m', 3e11],
    ['1h30m', 5.4e12],
    ['2d', 1.728e14],
    ['1.5s', 1.5e9],
    ['30', 3e10],
  ])('reads the duration %s', (text, ns) => {
    expect(parseDurationNs(text, '-d')).toBe(ns)
  })

  it.each([
    ['100', 100],
    ['100/s', 100],
    ['6000/m', 100],
    ['1k/s', 1000],
    ['2M/h', 2e6 / 3600],
    ['50/1s', 50],
    ['10/100ms', 100],
  ])('reads the rate %s', (text, perSecond) => {
    expect(parseRatePerSecond(text, '-R')).toBeCloseTo(perSecond, 9)
  })

  it.each([
    ['2x', 2],
    ['0.5x', 0.5],
    ['200%', 2],
    ['2.5', 2.5],
  ])('reads the multiplier %s', (text, factor) => {
    expect(parseMultiplier(text, '--amplify')).toBe(factor)
  })

  it.each([
    ['64KiB', 65_536],
    ['10MB', 1e7],
    ['1g', 2 ** 30],
    ['17', 17],
  ])('reads the size %s', (text, bytes) => {
    expect(parseSizeBytes(text, '--max-body')).toBe(bytes)
  })

  it.each([
    ['8080', { address: '127.0.0.1', port: 8080 }],
    [':8080', { address: '127.0.0.1', port: 8080 }],
    ['10.0.0.1:80', { address: '10.0.0.1', port: 80 }],
    ['[::1]:80', { address: '::1', port: 80 }],
    ['shop.example:80', { address: 'shop.example', port: 80 }],
  ])('reads the address %s', (text, address) => {
    expect(parseAddress(text, '--listen')).toEqual(address)
  })

  it.each([
    [
      () => parseDurationNs('5 minutes', '-d'),
      'expected a duration such as 500us, 200ms, 30s, 5m, 1h30m, found "5 minutes" (-d)',
    ],
    [() => parseDurationNs('', '-d'), 'expected a duration such as 500us, 200ms, 30s, 5m, 1h30m, found "" (-d)'],
    [() => parseRatePerSecond('fast', '-R'), 'expected a rate such as 100/s, 6000/m, 1k/s, found "fast" (-R)'],
    [() => parseRatePerSecond('5/0s', '-R'), 'expected a rate such as 100/s, 6000/m, 1k/s, found "5/0s" (-R)'],
    [() => parseMultiplier('0x', '--speed'), 'expected a multiplier such as 2x, 0.5x, 200%, found "0x" (--speed)'],
    [
      () => parseShare('150%', '--sample'),
      'expected a share above 0 and up to 100% such as 10%, 0.1, found "150%" (--sample)',
    ],
    [
      () => parseSizeBytes('10 apples', '--ring'),
      'expected a size such as 64KiB, 10MB, 1GiB, found "10 apples" (--ring)',
    ],
    [() => parseCount('-1', '-c', 1, 9), 'expected a whole number from 1 to 9 such as 1, found "-1" (-c)'],
    [
      () => parseAddress('a:b:c', '--listen'),
      'expected [host:]port such as 127.0.0.1:8080, :8080, [::1]:8080, found "a:b:c" (--listen)',
    ],
    [
      () => parseAddress('70000', '--listen'),
      'expected [host:]port such as 127.0.0.1:8080, :8080, [::1]:8080, found "70000" (--listen)',
    ],
  ])('refuses what it does not know, with what it does: %#', (parse, message) => {
    expect(thrownBy(parse)).toMatchObject({ code: 'MESH_ERR_UNIT', message })
  })

  it('writes durations, sizes, counts and rates in three figures', () => {
    expect([412, 1520, 23_456_789, 2.31e9, 250e9, 3.725e12].map(formatDurationNs)).toEqual([
      '412ns',
      '1.52us',
      '23.5ms',
      '2.31s',
      '4m10s',
      '1h2m5s',
    ])
    expect([812, 1489, 5 * 1024 ** 2, 2.5 * 1024 ** 3].map(formatBytes)).toEqual([
      '812 B',
      '1.45 KiB',
      '5.00 MiB',
      '2.50 GiB',
    ])
    expect([1, 1234, 1_234_567].map(formatCount)).toEqual(['1', '1,234', '1,234,567'])
    expect([0.5, 12.3, 12_345].map(formatRate)).toEqual(['0.50/s', '12.3/s', '12,345/s'])
  })
})
