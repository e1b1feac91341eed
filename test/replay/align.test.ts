import { describe, expect, it } from 'vitest'
import type { AlignMode, RecordedSpan } from '../../src/replay/align.ts'
import { alignRecordings } from '../../src/replay/align.ts'
import { recordingInfo, SECOND, TEN_OCLOCK } from './recordings.ts'

/** What host `host` recorded from one second after ten to another. */
function span(host: string, fromSeconds: number, toSeconds: number, part = 0): RecordedSpan {
  return {
    info: recordingInfo({ host, part }),
    fromUnixNs: TEN_OCLOCK + BigInt(fromSeconds * SECOND),
    toUnixNs: TEN_OCLOCK + BigInt(toSeconds * SECOND),
  }
}

describe('alignRecordings', () => {
  it.each<[string, AlignMode, readonly RecordedSpan[], 'clock' | 'start', string, readonly number[]]>([
    [
      'hosts recorded together',
      'auto',
      [span('a', 3, 103), span('b', 0, 100)],
      'clock',
      'wall clocks kept: spans overlap by 97 %',
      [3, 0],
    ],
    [
      'half an overlap',
      'auto',
      [span('a', 0, 100), span('b', 50, 150)],
      'clock',
      'wall clocks kept: spans overlap by 50 %',
      [0, 50],
    ],
    [
      'less than half',
      'auto',
      [span('a', 0, 100), span('b', 51, 151)],
      'start',
      'starts aligned: spans overlap by 49 % only',
      [0, 0],
    ],
    [
      'a short one within a long one',
      'auto',
      [span('a', 0, 100), span('b', 40, 50)],
      'start',
      'starts aligned: spans overlap by 10 % only',
      [0, 0],
    ],
    [
      'different days',
      'auto',
      [span('a', 0, 100), span('b', 86_400, 86_500)],
      'start',
      'starts aligned: spans overlap by 0 % only',
      [0, 0],
    ],
    [
      'three, two of which overlap',
      'auto',
      [span('a', 0, 10), span('b', 0, 10), span('c', 90, 100)],
      'start',
      'starts aligned: spans overlap by 0 % only',
      [0, 0, 0],
    ],
    [
      'clocks on request',
      'clock',
      [span('a', 500, 600), span('b', 0, 100)],
      'clock',
      'wall clocks kept, as asked: spans overlap by 0 %',
      [500, 0],
    ],
    [
      'starts on request',
      'start',
      [span('a', 5, 105), span('b', 0, 100)],
      'start',
      'starts aligned, as asked: spans overlap by 95 %',
      [0, 0],
    ],
    ['one recording', 'auto', [span('a', 7, 9)], 'clock', 'one recording', [0]],
    [
      'instants',
      'auto',
      [span('a', 1, 1), span('b', 2, 2)],
      'start',
      'starts aligned: spans overlap by 0 % only',
      [0, 0],
    ],
  ])('of %s (%s)', (_, mode, spans, done, reason, offsets) => {
    const alignment = alignRecordings(spans, mode)
    expect(alignment.mode).toBe(done)
    expect(alignment.reason).toBe(reason)
    expect(alignment.recordings.map(({ offsetNs }) => offsetNs / SECOND)).toEqual(offsets)
  })

  it('takes parts of one recording id for one recording', () => {
    const { recordings, mode } = alignRecordings(
      [span('a', 50, 100, 1), span('b', 0, 100), span('a', 0, 49, 0)],
      'auto',
    )
    expect(mode).toBe('clock')
    expect(recordings.map(({ info, parts, spanNs }) => [info.host, info.part, parts, spanNs / SECOND])).toEqual([
      ['a', 0, 2, 100],
      ['b', 0, 1, 100],
    ])
  })

  it('takes no recordings for none', () => {
    expect(alignRecordings([], 'auto').recordings).toEqual([])
  })
})
