import { MeshError } from '../core/errors.ts'
import type { TimeRange } from '../core/recording.ts'

/**
 * Reads `--between`: two times of day (`14:00-14:30`, also with seconds, in this machine's time zone, on the day on which the
 * recording begins; over midnight where the second is earlier), or two ISO 8601 times with a slash between them.
 * @throws MeshError MESH_ERR_UNIT for anything else.
 */
export function parseBetween(text: string, originUnixNs: bigint, where = '--between'): TimeRange {
  const refuse = (): never => {
    throw new MeshError('MESH_ERR_UNIT', {
      what: `expected two times such as 14:00-14:30 or 2026-01-31T14:00Z/2026-01-31T14:30Z, found "${text}"`,
      where,
    })
  }
  const clock = /^(\d{1,2}):(\d\d)(?::(\d\d))?-(\d{1,2}):(\d\d)(?::(\d\d))?$/.exec(text)
  if (clock !== null) {
    const [fromHour = 0, fromMinute = 0, fromSecond = 0, toHour = 0, toMinute = 0, toSecond = 0] = clock
      .slice(1)
      .map((part) => Number(part ?? 0))
    if (Math.max(fromHour, toHour) > 24 || Math.max(fromMinute, toMinute, fromSecond, toSecond) > 59) return refuse()
    const day = new Date(Number(originUnixNs / 1_000_000n))
    const at = (hour: number, minute: number, second: number, days: number): number =>
      new Date(day.getFullYear(), day.getMonth(), day.getDate() + days, hour, minute, second).getTime()
    const from = at(fromHour, fromMinute, fromSecond, 0)
    const to = at(toHour, toMinute, toSecond, 0)
    return range(from, to > from ? to : at(toHour, toMinute, toSecond, 1))
  }
  const [from = Number.NaN, to = Number.NaN] = text.split('/').map((part) => Date.parse(part))
  return from < to ? range(from, to) : refuse()
}

function range(fromMs: number, toMs: number): TimeRange {
  return { fromUnixNs: BigInt(fromMs) * 1_000_000n, toUnixNs: BigInt(toMs) * 1_000_000n }
}
