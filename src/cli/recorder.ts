import { randomUUID } from 'node:crypto'
import type { RecordingEvent, ChunkedRecordingWriter } from '../archive/writer.ts'
import { createRecordingWriter } from '../archive/writer.ts'
import { fileParts, streamPart } from '../archive/parts.ts'
import { RecordingPipeline } from '../capture/pipeline.ts'
import { LedgerKeeper } from '../core/ledger.ts'
import type { RecordSettings } from './record-settings.ts'
import { createStages } from './recording-stages.ts'
import { PROTOCOLS } from '../wire/registry.ts'

/** A recording in the making: feed the pipeline, then close. */
export interface Recorder {
  readonly pipeline: RecordingPipeline
  readonly writer: ChunkedRecordingWriter
  readonly ledger: LedgerKeeper
  /** Ends the recording in order. The pipeline has ended. */
  close(): Promise<void>
}

/**
 * Puts a recorder together: decode, pair, select, mask, write. The pieces are checked before the file is made, so that a
 * mistaken expression leaves nothing behind.
 */
export async function createRecorder(
  settings: RecordSettings,
  onEvent: (event: RecordingEvent) => void,
): Promise<Recorder> {
  const { stages, maskKeyId, note } = createStages(settings)
  const ledger = new LedgerKeeper()
  const writer = await createRecordingWriter({
    info: {
      recordingId: randomUUID(),
      part: 0,
      host: settings.host,
      service: settings.service,
      source: settings.source,
      originUnixNs: settings.originUnixNs,
      match: settings.match,
      sessionBy: settings.session,
      sample: settings.sample,
      secrets: settings.maskKey === undefined ? 'kept' : 'masked',
      maskKeyId,
      maxBodyBytes: settings.maxBodyBytes,
      version: settings.version,
    },
    takeLedgerDelta: () => ledger.takeDelta(),
    openPart: settings.output === '-' ? streamPart(process.stdout, 'stdout') : fileParts(settings.output),
    ...(settings.rotation === undefined ? {} : { rotation: settings.rotation }),
    whenDiskFails: settings.live ? 'resume' : 'stop',
    onEvent,
  })
  const pipeline = new RecordingPipeline({
    protocol: PROTOCOLS.http1,
    writer,
    ledger,
    stages,
    maxBodyBytes: settings.maxBodyBytes,
    limit: settings.limit,
    secure: settings.secure,
  })
  return {
    pipeline,
    writer,
    ledger,
    async close() {
      note(ledger)
      await writer.close()
    },
  }
}
