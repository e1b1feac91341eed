import { capture, captureExchanges } from '../../capture/capture.ts'
import type { ExchangeSource } from '../../capture/exchange-source.ts'
import type { Source } from '../../capture/source.ts'
import type { LedgerKeeper } from '../../core/ledger.ts'
import { formatCount } from '../../core/units.ts'
import type { ExitCode } from '../exit-codes.ts'
import { EXIT } from '../exit-codes.ts'
import { balanceLine, ledgerTable } from '../ledger-text.ts'
import { showProgress } from '../progress.ts'
import { sayRecordingEvent } from './recording-events.ts'
import type { RecordSettings } from './record-settings.ts'
import type { Recorder } from './recorder.ts'
import { createRecorder } from './recorder.ts'
import { listenForStop } from '../signals.ts'
import type { Terminal } from '../terminal.ts'
import { after } from '../timer.ts'

/** How a source is recorded, beside its settings. */
export interface SourceRun {
  readonly settings: RecordSettings
  readonly durationNs: number | undefined
  /** Nanoseconds from the source's origin, now, for live sources. */
  readonly nowNs?: (() => number) | undefined
  /** Called when the source has ended: what it lost on its own goes into the ledger as reasons. */
  readonly notes?: ((ledger: LedgerKeeper) => void) | undefined
}

/** Records a source of segments until it ends, INT, TERM, `--duration` or `--limit`; says what was recorded and what was not. */
export async function recordSegments(source: Source, run: SourceRun, terminal: Terminal): Promise<ExitCode> {
  return record(run, terminal, async ({ pipeline, writer }, signal) => {
    await capture(source, pipeline, writer, signal, run.nowNs === undefined ? {} : { nowNs: run.nowNs })
  })
}

/** The same for a source of exchanges. */
export async function recordExchanges(source: ExchangeSource, run: SourceRun, terminal: Terminal): Promise<ExitCode> {
  return record(run, terminal, async ({ pipeline, writer, ledger }, signal) => {
    await captureExchanges(source, pipeline.intake, writer, signal)
    for (const [name, count] of source.counts) ledger.note(`source.${name}`, count)
  })
}

async function record(
  run: SourceRun,
  terminal: Terminal,
  pull: (recorder: Recorder, signal: AbortSignal) => Promise<void>,
): Promise<ExitCode> {
  const stop = listenForStop((name) => terminal.say(`${name}: finishing the recording`))
  let failed = false
  const recorder = await createRecorder(run.settings, (event) => {
    if (event.kind === 'failed') failed = true
    sayRecordingEvent(event, terminal)
  })
  const stopTimer = run.durationNs === undefined ? undefined : after(run.durationNs, () => stop.stop())
  const stopProgress = showProgress(
    terminal,
    () => `${formatCount(recorder.pipeline.intake.written)} exchanges recorded`,
  )
  try {
    await pull(recorder, stop.drain)
    run.notes?.(recorder.ledger)
    await recorder.close()
  } catch (error) {
    if (failed) terminal.warn(ledgerTable(recorder.writer.total()))
    throw error
  } finally {
    stopProgress()
    stopTimer?.()
    stop.release()
  }
  const total = recorder.writer.total()
  terminal.say(
    `recorded ${formatCount(recorder.pipeline.intake.written)} exchanges to ${run.settings.output}; ${balanceLine(total)}`,
  )
  terminal.say(ledgerTable(total))
  if (total.requests.seen === 0) terminal.warn('mesh: no request was seen; the reasons above say what was')
  return failed ? EXIT.couldNotRun : EXIT.ok
}
