import { statSync } from 'node:fs'
import { MeshError } from '../core/errors.ts'
import type { Unseal } from '../core/originals.ts'
import type { OpenSeal, RecordingInfo, RecordingReader } from '../core/recording.ts'
import { formatCount, formatMany } from '../core/units.ts'
import { looksLikeIdentity, readIdentities } from '../mask/age.ts'
import { NOT_SEALED, SEALED_VALUES } from '../mask/keep-originals.ts'
import { openSealingKey } from '../mask/sealing-key.ts'
import type { Flag } from './flags.ts'
import { listFlag } from './flags.ts'
import { readText } from './read-text.ts'

/** Who is not the owner may read, write or run it. */
const OTHERS = 0o077

/** `--unseal`, and what a verb does with the originals: `send`. */
export function unsealFlag(does: string): Flag<readonly string[]> {
  const about = `${does} originals of masked values, of recordings sealed for a secret key of age in it; several`
  return listFlag('unseal', '<file>', about)
}

/** Opens sealed recordings with the secret keys of `--unseal`. */
export interface Unsealing {
  readonly openSeal: OpenSeal
  /** Lines for a plan: how much is restored, and what cannot be. @throws MeshError MESH_ERR_USAGE where none is sealed. */
  planLines(readers: readonly RecordingReader[]): Promise<readonly string[]>
}

/**
 * Reads the secret keys in the files of `--unseal`; undefined without any. Keys that others could read are warned about.
 *
 * @throws MeshError that never shows what stands in a file: MESH_ERR_USAGE for what is no key, else as reading the file fails.
 */
export function readUnsealing(files: readonly string[], warn: (line: string) => void): Unsealing | undefined {
  if (files.length === 0) return undefined
  const identities = files.flatMap((file) => identitiesIn(file, warn))
  const opened = new Map<string, Promise<Unseal>>()
  return {
    openSeal: async ({ seal }, where) => {
      if (seal === undefined) return undefined
      const known = opened.get(seal.key) ?? openOrRefuse(seal.key, identities, where)
      opened.set(seal.key, known)
      return known
    },
    planLines: (readers) => planLines(readers),
  }
}

/** What a plan says of recordings whose originals it does not use. */
export function sealedLines(readers: readonly RecordingReader[]): readonly string[] {
  const sealed = readers.filter(({ info }) => info.seal !== undefined).length
  if (sealed === 0) return []
  return [
    `  sealed     ${recordings(sealed)} hold${sealed === 1 ? 's' : ''} what was masked: --unseal KEYFILE sends it`,
  ]
}

/** What else the recorders took for secrets, where it may have been restored. What one of them kept on purpose, another may not have. */
export function recordedMaskRules(infos: readonly RecordingInfo[]): readonly string[] {
  return infos.flatMap(({ seal }) => seal?.maskRules ?? []).filter((rule) => !rule.startsWith('keep:'))
}

function identitiesIn(file: string, warn: (line: string) => void): readonly string[] {
  if (looksLikeIdentity(file)) {
    throw new MeshError('MESH_ERR_USAGE', {
      what: 'expected a file with secret keys, found a secret key',
      where: '--unseal',
      remedy: 'put it into a file of mode 600: others see command lines',
    })
  }
  const identities = readIdentities(readText(file), file)
  const status = statSync(file)
  if (status.isFile() && (status.mode & OTHERS) !== 0 && process.platform !== 'win32') {
    warn(`mesh: ${file} holds secret keys, and others may read it: chmod 600 is safer`)
  }
  return identities
}

async function openOrRefuse(key: string, identities: readonly string[], where: string): Promise<Unseal> {
  const unseal = await openSealingKey(key, identities, where)
  if (unseal !== undefined) return unseal
  throw new MeshError('MESH_ERR_PERMISSION', {
    what: `expected a key that this recording was sealed for, found ${identities.length === 1 ? 'another' : `${identities.length} others`}`,
    where,
    remedy: 'give the file with its secret key too: --unseal may be repeated',
  })
}

/** @throws MeshError MESH_ERR_USAGE where none of them is sealed: then `--unseal` is a mistake. */
export function checkSealed(readers: readonly RecordingReader[]): void {
  if (readers.every(({ info }) => info.seal === undefined)) throw nothingSealed(readers.map(({ info }) => info))
}

async function planLines(readers: readonly RecordingReader[]): Promise<readonly string[]> {
  checkSealed(readers)
  const sealed = readers.filter(({ info }) => info.seal !== undefined)
  let values = 0
  let tooLarge = 0
  for (const reader of sealed) {
    const { reasons } = await reader.ledger()
    values += reasons.get(SEALED_VALUES) ?? 0
    tooLarge += reasons.get(NOT_SEALED) ?? 0
  }
  const of = sealed.length < readers.length ? ` of ${readers.length}` : ''
  const missing = tooLarge === 0 ? '' : `; ${formatCount(tooLarge)} messages were too large to be sealed`
  return [
    `  unsealed   ${formatMany(values, 'value')} of ${formatCount(sealed.length)}${of} recording${readers.length === 1 ? '' : 's'} as they were received${missing}`,
  ]
}

function nothingSealed(infos: readonly RecordingInfo[]): MeshError {
  const kept = infos.every(({ secrets }) => secrets === 'kept')
  return new MeshError('MESH_ERR_USAGE', {
    what: kept
      ? 'expected a sealed recording, found only such with their secrets kept: nothing is to be restored'
      : 'expected a sealed recording, found only such whose secrets were masked for good',
    where: '--unseal',
    remedy: kept ? 'leave it out' : 'leave it out, or record with mesh capture --seal',
  })
}

function recordings(count: number): string {
  return formatMany(count, 'recording')
}
