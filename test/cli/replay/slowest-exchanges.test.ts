import { describe, expect, it } from 'vitest'
import { slowestExchanges } from '../../../src/cli/replay/slowest-exchanges.ts'
import type { Exchange } from '../../../src/core/exchange.ts'
import type { RecordingInfo, RecordingReader } from '../../../src/core/recording.ts'
import { SlowestShots } from '../../../src/measure/slowest-shots.ts'
import { surveyRecordings } from '../../../src/replay/survey.ts'
import { MS, outcome } from '../../measure/outcomes.ts'
import { asked, recording, recordingInfo, scheduleOptions, SECOND } from '../../replay/recordings.ts'
import { emptyLedger } from '../../../src/core/ledger.ts'

function readerOf(info: RecordingInfo, exchanges: readonly Exchange[]): RecordingReader {
  return {
    ...recording(info, exchanges),
    ending: 'closed',
    exchangeBatches: () => (async function* (): AsyncGenerator<readonly Exchange[]> {})(),
    ledger: () => Promise.resolve(emptyLedger()),
    close: () => Promise.resolve(),
  }
}

const TOKEN = 'a3f9c2d17b604e58'

/** Two requests in one millisecond, as in a recording whose clock is coarse. */
const EXCHANGES = [
  { ...asked({ atNs: 2 * SECOND, path: '/first' }), id: 0 },
  { ...asked({ atNs: 5 * SECOND, path: '/twin' }), id: 1 },
  {
    ...asked({ atNs: 5 * SECOND, path: `/slow?api_key=${TOKEN}`, connection: 3, session: `sid=${TOKEN}` }),
    id: 2,
  },
]

async function found(readers: readonly RecordingReader[], shown = readers): ReturnType<typeof slowestExchanges> {
  const options = scheduleOptions()
  const survey = await surveyRecordings(readers, options, () => false, new AbortController().signal)
  const slowest = new SlowestShots()
  const origin = { recording: 1, exchange: 2, recordedAtNs: 3 * SECOND, clone: 1 }
  slowest.offer(outcome({ dueNs: 10 * MS, readyNs: 14 * MS, sentNs: 15 * MS, doneNs: 40 * MS }), origin)
  return slowestExchanges(slowest, survey, shown, ['GET /slow'])
}

const other = readerOf(recordingInfo({ recordingId: 'other' }), [asked({ atNs: 0, path: '/other' })])
const kept = readerOf(recordingInfo({ recordingId: 'kept', host: 'web-b', secrets: 'kept' }), EXCHANGES)

describe('slowestExchanges', () => {
  it('finds the recorded exchange among others of the same moment, and masks what the recording has kept', async () => {
    const [one] = await found([other, kept])
    expect(one).toMatchObject({
      atNs: 10 * MS,
      responseNs: 30 * MS,
      serviceNs: 25 * MS,
      blockedNs: 4 * MS,
      lagNs: 1 * MS,
      route: 'GET /slow',
      clone: 1,
      recorded: { host: 'web-b', exchange: 2, connection: 3, at: '2026-01-05T10:00:05.000Z' },
    })
    expect(one?.recorded?.request).toMatch(/^GET \/slow\?api_key=mesh-[0-9a-f]{16}$/)
    expect(one?.recorded?.session).toMatch(/^sid=mesh-[0-9a-f]{16}$/)
    expect(JSON.stringify(one)).not.toContain(TOKEN)
  })

  it('keeps the figures where the recording cannot be read again', async () => {
    const [one] = await found([other, kept], [other])
    expect(one).toMatchObject({ route: 'GET /slow', responseNs: 30 * MS, recorded: null })
  })
})
