import { randomUUID } from 'node:crypto'
import type { RecordingEvent, ChunkedRecordingWriter } from '../../archive/writer.ts'
import { createRecordingWriter } from '../../archive/writer.ts'
import { fileParts, streamPart } from '../../archive/parts.ts'
import { RecordingPipeline } from '../../capture/pipeline.ts'
import { LedgerKeeper } from '../../core/ledger.ts'
import { createSealingKey } from '../../mask/sealing-key.ts'
import type { RecordSettings } from './record-settings.ts'
import { createStages } from './recording-stages.ts'
import { PROTOCOLS } from '../../wire/registry.ts'

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
  const ledger = new LedgerKeeper()
  const { stages, maskKeyId, note } = createStages(settings, (reason, count) => ledger.note(reason, count))
  const key = settings.seal.length === 0 ? undefined : await createSealingKey(settings.seal)
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
      ...(key === undefined
        ? {}
        : { seal: { key: key.encrypted, recipients: settings.seal.length, maskRules: settings.maskRules } }),
      maxBodyBytes: settings.maxBodyBytes,
      version: settings.version,
    },
    takeLedgerDelta: () => ledger.takeDelta(),
    ...(key === undefined ? {} : { seal: key.seal }),
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
