import { openRecordings } from '../../archive/open.ts'
import { mergeBatches } from '../../archive/merge.ts'
import { ExchangeIntake } from '../../capture/intake.ts'
import { LedgerKeeper } from '../../core/ledger.ts'
import type { MergedExchange, RecordingReader } from '../../core/recording.ts'
import { MirrorWriter } from '../../mirror/mirror-writer.ts'
import { atRecordedPace } from '../../mirror/recorded-pace.ts'
import { assembleMirror } from './mirror-assembly.ts'
import type { MirrorOutcome } from './mirror-run.ts'
import type { MirrorSettings } from './mirror-settings.ts'
import { progressText } from './mirror-text.ts'
import { showProgress } from '../progress.ts'
import { listenForStop, type StopSignals } from '../signals.ts'
import type { Terminal } from '../terminal.ts'
import { after } from '../timer.ts'
import type { Unsealing } from '../unsealing.ts'
import { checkSealed, recordedMaskRules } from '../unsealing.ts'

/** Recordings number their connections alike; each has this many numbers of its own. */
const CONNECTIONS_PER_RECORDING = 2 ** 32

/** Mirrors recordings, in the order of time and at the pace at which they were recorded, until they end, INT, TERM or `durationNs`. */
export async function mirrorFiles(
  words: readonly string[],
  settings: MirrorSettings,
  unsealing: Unsealing | undefined,
  durationNs: number | undefined,
  terminal: Terminal,
): Promise<MirrorOutcome> {
  const stop = listenForStop((name) =>
    terminal.say(`${name}: sending no more, waiting for replies; once more ends it now`),
  )
  const stopTimer = durationNs === undefined ? undefined : after(durationNs, () => stop.stop())
  try {
    const readers = await openRecordings(words, process.stdin, 'one', unsealing?.openSeal)
    try {
      if (unsealing !== undefined) checkSealed(readers)
      sayMasked(readers, unsealing !== undefined, terminal)
      return await mirrorRecordings(readers, settings, stop, terminal)
    } finally {
      await Promise.all(readers.map((reader) => reader.close()))
    }
  } finally {
    stopTimer?.()
    stop.release()
  }
}

/** Staging refuses credentials that are masked: those of recordings that are not unsealed. */
function sayMasked(readers: readonly RecordingReader[], unseals: boolean, terminal: Terminal): void {
  const masked = readers.filter(({ info }) => info.secrets === 'masked' && !(unseals && info.seal !== undefined))
  if (masked.length === 0) return
  const which = masked.length < readers.length ? `${masked.length} of these recordings` : 'these recordings'
  const sealed = masked.some(({ info }) => info.seal !== undefined)
  const remedy = sealed ? '--unseal KEYFILE sends what was masked' : 'see --keep-secrets, --seal and -H'
  terminal.warn(`mesh: credentials in ${which} are masked, staging will refuse them; ${remedy}`)
}

async function mirrorRecordings(
  readers: readonly RecordingReader[],
  settings: MirrorSettings,
  stop: StopSignals,
  terminal: Terminal,
): Promise<MirrorOutcome> {
  const clock = { nowNs: 0 }
  const maskRules = [...settings.maskRules, ...recordedMaskRules(readers.map(({ info }) => info))]
  const { mirror, stages, note } = assembleMirror({ ...settings, maskRules }, () => clock.nowNs, true)
  const ledger = new LedgerKeeper()
  const intake = new ExchangeIntake({ writer: new MirrorWriter(mirror), ledger, stages })
  terminal.say(`mirroring ${readers.length} recording${readers.length === 1 ? '' : 's'} to ${settings.target.url}`)
  stop.now.addEventListener('abort', () => mirror.destroy())
  const stopProgress = showProgress(terminal, () => progressText(mirror.report()))
  try {
    for await (const { atNs, exchange } of atRecordedPace(
      merged(readers, stop.drain),
      ({ atNs }) => atNs,
      stop.drain,
    )) {
      clock.nowNs = atNs
      intake.offer({ ...exchange, ...onTimeline(exchange, atNs - exchange.requestFirstNs) })
      await mirror.room(stop.drain)
    }
    note(ledger)
    await mirror.close()
  } finally {
    stopProgress()
  }
  return { report: mirror.report(), ledger: ledger.total() }
}

/** The exchange's times on the timeline of all recordings. */
function onTimeline(
  { requestFirstNs, requestLastNs, response }: MergedExchange['exchange'],
  byNs: number,
): Pick<MergedExchange['exchange'], 'requestFirstNs' | 'requestLastNs' | 'response'> {
  return {
    requestFirstNs: requestFirstNs + byNs,
    requestLastNs: requestLastNs + byNs,
    response:
      typeof response === 'string'
        ? response
        : { ...response, firstNs: response.firstNs + byNs, lastNs: response.lastNs + byNs },
  }
}

/** All recordings by their wall clocks, with connections of their own. */
async function* merged(
  readers: readonly RecordingReader[],
  signal: AbortSignal,
): AsyncGenerator<MergedExchange, void, void> {
  const [first] = readers.map(({ info }) => info.originUnixNs).sort((a, b) => (a < b ? -1 : 1))
  const offsets = readers.map(({ info }) => Number(info.originUnixNs - (first ?? 0n)))
  const streams = readers.map((reader) => reader.exchangeBatches(undefined, signal))
  const atNs = (exchange: MergedExchange['exchange'], stream: number): number =>
    exchange.requestFirstNs + (offsets[stream] ?? 0)
  const tagged = streams.map(async function* (stream, recording) {
    for await (const batch of stream) {
      yield batch.map((exchange): MergedExchange => {
        const connection = exchange.connection + recording * CONNECTIONS_PER_RECORDING
        return { recording, atNs: atNs(exchange, recording), exchange: { ...exchange, connection } }
      })
    }
  })
  for await (const batch of mergeBatches(tagged, (item) => item.atNs)) yield* batch
}
