import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { concatBytes } from '../core/bytes.ts'
import { MeshError } from '../core/errors.ts'
import type { Seal, Unseal } from '../core/originals.ts'
import { decryptWithAge, encryptWithAge } from './age.ts'

/**
 * The key of one recording's originals. It is encrypted once, with age, for those who may have it; what is sealed under it is
 * AES-256-GCM: synchronous, so that a chunk and the originals of its exchanges are ended in the same turn.
 *
 * ```
 * box = nonce (12 bytes, random) | ciphertext | tag (16)
 * ```
 */
const CIPHER = 'aes-256-gcm'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Binds a box to its use. */
const CONTEXT = Buffer.from('mesh.v1.Sealed')

/** A new key: how it seals, and itself as an armored age file. */
export interface SealingKey {
  readonly seal: Seal
  readonly encrypted: string
}

/** Makes a key for the recipients (`age1...`). @throws MeshError MESH_ERR_USAGE for one that is none. */
export async function createSealingKey(recipients: readonly string[]): Promise<SealingKey> {
  const key = randomBytes(KEY_BYTES)
  return { encrypted: await encryptWithAge(key, recipients), seal: (plain) => sealWith(key, plain) }
}

/**
 * Opens a key with one of the identities; undefined where it was encrypted for none of them.
 *
 * @throws MeshError MESH_ERR_FILE_CORRUPT, naming `where`, for what is no such key.
 */
export async function openSealingKey(
  encrypted: string,
  identities: readonly string[],
  where: string,
): Promise<Unseal | undefined> {
  const key = await decryptWithAge(encrypted, identities, where)
  if (key === undefined) return undefined
  if (key.length !== KEY_BYTES) {
    throw new MeshError('MESH_ERR_FILE_CORRUPT', {
      what: `expected a sealing key of ${KEY_BYTES} bytes, found ${key.length}`,
      where,
    })
  }
  return (box) => unsealWith(key, box)
}

function sealWith(key: Uint8Array, plain: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(CIPHER, key, nonce).setAAD(CONTEXT)
  return concatBytes([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

function unsealWith(key: Uint8Array, box: Uint8Array): Uint8Array {
  const tagStart = box.length - TAG_BYTES
  if (tagStart < NONCE_BYTES) throw damaged()
  try {
    const decipher = createDecipheriv(CIPHER, key, box.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
    decipher.setAAD(CONTEXT).setAuthTag(box.subarray(tagStart))
    return concatBytes([decipher.update(box.subarray(NONCE_BYTES, tagStart)), decipher.final()])
  } catch (cause) {
    throw damaged(cause)
  }
}

function damaged(cause?: unknown): MeshError {
  return new MeshError('MESH_ERR_FILE_CORRUPT', {
    what: 'expected originals as they were sealed, found bytes that were changed since',
    cause,
  })
}
