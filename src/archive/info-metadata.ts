import { isRecordableTime } from '../core/clock.ts'
import { MeshError } from '../core/errors.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { RecordingInfo, RecordingSeal } from '../core/recording.ts'

/** `Header.profile`: says that an MCAP file is a recording of ours. */
export const PROFILE = 'mesh'

export const RECORDING_METADATA = 'mesh.recording'
export const LEDGER_METADATA = 'mesh.ledger'

/** The version of the format; a reader refuses those it does not know. */
export const FORMAT = 'mesh.v1'

/** What the metadata record `mesh.recording` holds: all of the info, as text. */
export function infoMetadata(info: RecordingInfo): Map<string, string> {
  return new Map([
    ['format', FORMAT],
    ['recording_id', info.recordingId],
    ['part', String(info.part)],
    ['host', info.host],
    ['service', info.service],
    ['source', info.source],
    ['origin_unix_ns', String(info.originUnixNs)],
    ['match', info.match],
    ['session_by', info.sessionBy],
    ['sample', String(info.sample)],
    ['secrets', info.secrets],
    ['mask_key_id', info.maskKeyId],
    ['max_body_bytes', String(info.maxBodyBytes)],
    ['version', info.version],
    ...(info.seal === undefined ? [] : sealEntries(info.seal)),
  ])
}

function sealEntries({ key, recipients, maskRules }: RecordingSeal): [key: string, value: string][] {
  return [
    ['seal_key', key],
    ['seal_recipients', String(recipients)],
    ['seal_mask_rules', maskRules.join(' ')],
  ]
}

/** The inverse of `infoMetadata`. `where` names the file. */
export function parseInfoMetadata(entries: ReadonlyMap<string, string>, where: string): RecordingInfo {
  const format = entries.get('format') ?? ''
  if (format !== FORMAT) {
    throw new MeshError('MESH_ERR_FILE_KIND', {
      what: `expected a recording of format ${FORMAT}, found format "${format}"`,
      where,
      remedy: 'read it with the version of mesh that wrote it',
    })
  }
  const text = (key: string): string => entries.get(key) ?? ''
  const whole = (key: string): number => Number(wholeText(entries, key, where))
  return {
    recordingId: text('recording_id'),
    part: whole('part'),
    host: text('host'),
    service: text('service'),
    source: text('source'),
    originUnixNs: originOf(BigInt(wholeText(entries, 'origin_unix_ns', where)), 'MESH_ERR_FILE_CORRUPT', where),
    match: text('match'),
    sessionBy: text('session_by'),
    sample: share(text('sample')),
    secrets: text('secrets') === 'kept' ? 'kept' : 'masked',
    maskKeyId: text('mask_key_id'),
    maxBodyBytes: whole('max_body_bytes'),
    version: text('version'),
    ...sealIn(entries),
  }
}

function sealIn(entries: ReadonlyMap<string, string>): Pick<RecordingInfo, 'seal'> {
  const key = entries.get('seal_key')
  if (key === undefined) return {}
  const rules = entries.get('seal_mask_rules') ?? ''
  const recipients = Number(entries.get('seal_recipients'))
  return {
    seal: {
      key,
      recipients: Number.isSafeInteger(recipients) ? recipients : 0,
      maskRules: rules === '' ? [] : rules.split(' '),
    },
  }
}

/** The origin itself, which a writer must not write otherwise. Throws where it is out of the time that a recording can tell. */
export function originOf(originUnixNs: bigint, code: ErrorCode, where: string): bigint {
  if (isRecordableTime(originUnixNs)) return originUnixNs
  throw new MeshError(code, {
    what: `expected a time from 1970-01-01 up to 2262-04-11 as the recording's origin, found ${originUnixNs} ns since 1970`,
    where,
  })
}

function wholeText(entries: ReadonlyMap<string, string>, key: string, where: string): string {
  const value = entries.get(key) ?? ''
  if (/^\d{1,19}$/.test(value)) return value
  throw new MeshError('MESH_ERR_FILE_CORRUPT', {
    what: `expected a whole number as ${key} in ${RECORDING_METADATA}, found "${value}"`,
    where,
  })
}

function share(text: string): number {
  const value = Number(text)
  return value > 0 && value <= 1 ? value : 1
}
