import { existsSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { MeshError, toMeshError } from '../../core/errors.ts'
import { checkRecipients } from '../../mask/age.ts'
import { createMaskKey } from '../../mask/masker.ts'
import type { Flag, FlagGroups, FlagValues } from '../flags.ts'
import {
  countFlag,
  durationFlag,
  listFlag,
  required,
  shareFlag,
  sizeFlag,
  spanFlag,
  switchFlag,
  textFlag,
  withDefault,
} from '../flags.ts'
import { readBytes } from '../read-text.ts'
import type { RecordSettings } from './record-settings.ts'
import { VERSION } from '../version.ts'

/** Flags that all ways of capturing share. */
export type CaptureFlags = {
  readonly output: Flag<string | undefined>
  readonly host: Flag<string | undefined>
  readonly service: Flag<string>
  readonly match: Flag<string | undefined>
  readonly session: Flag<string | undefined>
  readonly sample: Flag<number>
  readonly mask: Flag<readonly string[]>
  readonly maskKey: Flag<string | undefined>
  readonly seal: Flag<readonly string[]>
  readonly keepSecrets: Flag<boolean>
  readonly maxBody: Flag<number>
  readonly duration: Flag<number | undefined>
  readonly limit: Flag<number | undefined>
  readonly rotate: Flag<string | undefined>
  readonly keepReplayed: Flag<boolean>
}

export const CAPTURE_FLAGS: CaptureFlags = {
  output: textFlag(['o', 'output'], '<file>', 'the recording to write, - for stdout; never overwritten'),
  host: textFlag('host', '<name>', 'name of the captured host (default this machine)'),
  service: withDefault(textFlag('service', '<name>', 'name of the service on it'), 'http'),
  match: textFlag('match', '<cel>', 'record only exchanges for which this is true'),
  session: textFlag('session', '<cel>', 'whose request it is (default session cookie, else authorization)'),
  sample: withDefault(shareFlag('sample', 'share of sessions to record, each whole'), '100%'),
  mask: listFlag('mask', '<rule>', 'mask also header:NAME, cookie:NAME, field:NAME; or keep:NAME'),
  maskKey: textFlag(
    'mask-key',
    '<file>',
    'key of the pseudonyms, made if absent; hosts that share it share pseudonyms',
  ),
  seal: listFlag(
    'seal',
    '<age1...>',
    'keep originals of what is masked, encrypted for this public key of age; several',
  ),
  keepSecrets: switchFlag('keep-secrets', 'write cookies, tokens and passwords as they are'),
  maxBody: withDefault(sizeFlag('max-body', 'longer bodies are cut; such requests are not replayable'), '1MiB'),
  duration: spanFlag(['d', 'duration'], 'stop after this time'),
  limit: countFlag('limit', 'stop after this many exchanges'),
  rotate: textFlag('rotate', '<size|duration>', 'go on in a new part after 256MiB or 10m'),
  keepReplayed: switchFlag('keep-replayed', 'record requests that a replay of mesh sent, too'),
}

/** How the help of every way of capturing shows them, after its own. */
export const CAPTURE_GROUPS: FlagGroups<CaptureFlags> = {
  'The recording:': ['output', 'host', 'service', 'rotate', 'duration', 'limit', 'maxBody'],
  'Which exchanges:': ['match', 'session', 'sample', 'keepReplayed'],
  'Secrets:': ['mask', 'maskKey', 'seal', 'keepSecrets'],
}

/** Keys of others' making may be longer; a file beyond this is no key. */
const MAX_MASK_KEY_BYTES = 64 * 1024

/** What the flags say, for the recorder. `source` tells how it was captured; `live` sources cannot wait for the disk. */
export function recordSettings(
  flags: FlagValues<CaptureFlags>,
  source: { readonly description: string; readonly live: boolean; readonly secure: boolean },
): RecordSettings {
  const output = required(flags.output, 'output', '-o shop.mcap')
  if (output !== '-' && existsSync(output)) {
    throw new MeshError('MESH_ERR_FILE_EXISTS', {
      what: 'the file exists already, and recordings are never overwritten',
      where: output,
      remedy: 'choose another name with -o',
    })
  }
  return {
    output,
    host: flags.host ?? hostname(),
    service: flags.service,
    source: source.description,
    originUnixNs: 0n,
    match: flags.match ?? '',
    session: flags.session ?? '',
    sample: flags.sample,
    maskKey: flags.keepSecrets ? undefined : readMaskKey(flags.maskKey),
    maskRules: flags.mask,
    seal: recipientsOf(flags),
    keepReplayed: flags.keepReplayed,
    maxBodyBytes: flags.maxBody,
    limit: flags.limit,
    rotation: readRotation(flags.rotate),
    secure: source.secure,
    live: source.live,
    version: VERSION,
  }
}

/** @throws MeshError MESH_ERR_USAGE where they are no public keys, or nothing is masked. */
function recipientsOf({ seal, keepSecrets }: FlagValues<CaptureFlags>): readonly string[] {
  if (seal.length > 0 && keepSecrets) {
    throw new MeshError('MESH_ERR_USAGE', {
      what: '--seal and --keep-secrets exclude each other',
      remedy: 'leave --keep-secrets out: what is masked is sealed',
    })
  }
  const recipients = [...new Set(seal.map((text) => text.trim()))]
  checkRecipients(recipients, '--seal')
  return recipients
}

function readRotation(text: string | undefined): RecordSettings['rotation'] {
  if (text === undefined) return undefined
  const isDuration = /^[\d.]+(ms|s|m|h|d)/.test(text)
  const flag = isDuration ? durationFlag('rotate', '') : sizeFlag('rotate', '')
  const value = flag.read([text], '--rotate') ?? 0
  return isDuration ? { maxBytes: Infinity, maxSpanNs: value } : { maxBytes: value, maxSpanNs: Infinity }
}

/** Without a file, a key for this run alone. A named file that is absent is made, readable by its owner only. */
export function readMaskKey(path: string | undefined): Uint8Array {
  if (path === undefined) return createMaskKey()
  try {
    if (existsSync(path)) return readBytes(path, MAX_MASK_KEY_BYTES)
    const key = createMaskKey()
    writeFileSync(path, key, { mode: 0o600, flag: 'wx' })
    return key
  } catch (error) {
    throw toMeshError(error, path)
  }
}
