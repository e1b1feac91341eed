import type * as Age from 'age-encryption'
import { MeshError } from '../core/errors.ts'

/**
 * The one file that knows the age library (https://age-encryption.org/v1). It is loaded when something is sealed or unsealed: it takes some
 * 0.3 s, most of it for the post-quantum kind.
 */
const library = (): Promise<typeof Age> => import('age-encryption')

/** Each adds a header of 100 bytes, a post-quantum one 2 KB, to each part of a recording. */
const MAX_RECIPIENTS = 32

/** The kinds that both ends of `mesh` know. bech32 has no `1`, `b`, `i` and `o` behind its first `1`. */
const RECIPIENT = /^age1(?:pq1)?[02-9ac-hj-np-z]+$/
const IDENTITY = /^AGE-SECRET-KEY-(?:PQ-)?1[02-9AC-HJ-NP-Z]+$/

/** Said of nothing but secret keys, in any case of letters: such a text is never shown. */
export function looksLikeIdentity(text: string): boolean {
  return /AGE-SECRET-KEY-|PRIVATE KEY/i.test(text)
}

/** @throws MeshError MESH_ERR_USAGE where one has not the form of a recipient. Whether it is one shows when it is used. */
export function checkRecipients(recipients: readonly string[], where: string): void {
  if (recipients.length > MAX_RECIPIENTS) {
    throw new MeshError('MESH_ERR_USAGE', {
      what: `expected at most ${MAX_RECIPIENTS} public keys, found ${recipients.length}`,
      where,
    })
  }
  for (const recipient of recipients) {
    if (RECIPIENT.test(recipient)) continue
    if (looksLikeIdentity(recipient)) {
      throw new MeshError('MESH_ERR_USAGE', {
        what: 'expected a public key of age (age1...), found a secret key',
        where,
        remedy: 'give the public one, which age-keygen -y prints; who has seen this command has the secret one',
      })
    }
    throw noRecipient(recipient, where)
  }
}

/**
 * The secret keys in a file as `age-keygen` writes it: one a line, `#` begins a comment.
 *
 * @throws MeshError MESH_ERR_USAGE that names file and line, and never shows what stands there.
 */
export function readIdentities(text: string, where: string): readonly string[] {
  if (/^(?:age-encryption\.org\/|-----BEGIN AGE ENCRYPTED FILE-----)/.test(text)) {
    throw new MeshError('MESH_ERR_USAGE', {
      what: 'expected secret keys of age, found an encrypted file',
      where,
      remedy: 'decrypt it first: --unseal <(age -d key.age)',
    })
  }
  const identities: string[] = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const identity = line.trim()
    if (identity === '' || identity.startsWith('#')) continue
    if (!IDENTITY.test(identity)) {
      throw new MeshError('MESH_ERR_USAGE', {
        what: `expected a secret key of age (AGE-SECRET-KEY-1...), found ${RECIPIENT.test(identity) ? 'a public one' : 'something else'}`,
        where: `${where}, line ${index + 1}`,
        remedy: 'age-keygen -o key.txt makes one',
      })
    }
    identities.push(identity)
  }
  if (identities.length > 0) return identities
  throw new MeshError('MESH_ERR_USAGE', { what: 'expected a secret key of age, found none', where })
}

/** Encrypts for each of the recipients, as an armored age file. @throws MeshError MESH_ERR_USAGE for one that is none. */
export async function encryptWithAge(plain: Uint8Array, recipients: readonly string[]): Promise<string> {
  checkRecipients(recipients, '--seal')
  const { armor, Encrypter } = await library()
  const encrypter = new Encrypter()
  for (const recipient of recipients) {
    try {
      encrypter.addRecipient(recipient)
    } catch {
      throw noRecipient(recipient, '--seal')
    }
  }
  return armor.encode(await encrypter.encrypt(plain))
}

/**
 * Decrypts with the identity that fits; undefined where none does.
 *
 * @throws MeshError MESH_ERR_USAGE for an identity that is none; MESH_ERR_FILE_CORRUPT, naming `where`, for what is no age file.
 */
export async function decryptWithAge(
  armored: string,
  identities: readonly string[],
  where: string,
): Promise<Uint8Array | undefined> {
  const { armor, Decrypter } = await library()
  const decrypter = new Decrypter()
  for (const identity of identities) {
    try {
      decrypter.addIdentity(identity)
    } catch {
      // The library's own words quote the key.
      throw new MeshError('MESH_ERR_USAGE', {
        what: 'expected secret keys of age, found one with a mistake in it',
        where: '--unseal',
      })
    }
  }
  try {
    return await decrypter.decrypt(armor.decode(armored))
  } catch (cause) {
    if (cause instanceof Error && cause.message.startsWith('no identity matched')) return undefined
    throw new MeshError('MESH_ERR_FILE_CORRUPT', {
      what: 'expected a sealing key encrypted with age, found other bytes',
      where,
      cause,
    })
  }
}

/** Shown shortened: a post-quantum one has 2,000 characters. */
function noRecipient(recipient: string, where: string): MeshError {
  const shown = recipient.length > 100 ? `${recipient.slice(0, 100)}...` : recipient
  return new MeshError('MESH_ERR_USAGE', {
    what: `expected a public key of age (age1...), found "${shown}"`,
    where,
    remedy: 'age-keygen prints one beside the secret key that it makes',
  })
}
