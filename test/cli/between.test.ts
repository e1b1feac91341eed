import { describe, expect, it } from 'vitest'
import { parseBetween } from '../../src/cli/between.ts'
import { thrownBy } from '../support/errors.ts'

const ORIGIN = BigInt(new Date(2026, 0, 31, 9, 30).getTime()) * 1_000_000n

function local(day: number, hour: number, minute: number, second = 0): bigint {
  return BigInt(new Date(2026, 0, day, hour, minute, second).getTime()) * 1_000_000n
}

describe('--between', () => {
  it('takes times of the day on which the recording begins, in the time zone of this machine', () => {
    expect(parseBetween('14:00-14:30', ORIGIN)).toEqual({ fromUnixNs: local(31, 14, 0), toUnixNs: local(31, 14, 30) })
    expect(parseBetween('9:00:05-9:00:07', ORIGIN)).toEqual({
      fromUnixNs: local(31, 9, 0, 5),
      toUnixNs: local(31, 9, 0, 7),
    })
  })

  it('goes over midnight where the second time is earlier', () => {
    expect(parseBetween('23:30-00:30', ORIGIN)).toEqual({ fromUnixNs: local(31, 23, 30), toUnixNs: local(32, 0, 30) })
  })

  it('takes two ISO times', () => {
    const range = parseBetween('2026-01-31T14:00Z/2026-01-31T14:00:01Z', ORIGIN)
    expect(range.toUnixNs - range.fromUnixNs).toBe(1_000_000_000n)
  })

  it.each(['', '14:00', '25:00-26:00', '14:00-14:61', '2026-01-31T14:00Z/2026-01-30T14:00Z'])(
    'refuses "%s"',
    (text) => {
      expect(thrownBy(() => parseBetween(text, ORIGIN)).code).toBe('MESH_ERR_UNIT')
    },
  )
})
