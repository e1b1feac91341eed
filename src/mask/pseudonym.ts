import { createHash, createHmac } from 'node:crypto'
import { MeshError } from '../core/errors.ts'

/** How a pseudonym looks: `mesh-` and 16 hexadecimal digits, which need no escaping in a header, a URL, a cookie or JSON. */
const PSEUDONYM = /mesh-[0-9a-f]{16}/

/** What every pseudonym begins with, and how long one is. */
export const PSEUDONYM_PREFIX = 'mesh-'
export const PSEUDONYM_CHARS: number = PSEUDONYM_PREFIX.length + 16

const ONLY_PSEUDONYM = /^mesh-[0-9a-f]{16}$/

/** True where a value is, or holds, a pseudonym: it is no longer what the client sent, and a server will not take it. */
export function holdsPseudonym(value: string): boolean {
  return PSEUDONYM.test(value)
}

/** True where a value is a pseudonym and nothing else. */
export function isPseudonym(value: string): boolean {
  return ONLY_PSEUDONYM.test(value)
}

/** Shorter keys could be found by trying. */
const LEAST_KEY_BYTES = 16

/** Pseudonyms are asked for again and again (a session's cookie in each request); this many are remembered. */
const MAX_REMEMBERED = 20_000

/** Longer values are not remembered: 20,000 of these are 20 MB at most. */
const MAX_REMEMBERED_CHARS = 1_000

/** A longer value is no JSON Web Token that a server would take in a header, and is masked whole. */
const MAX_TOKEN_CHARS = 16_384

/**
 * Gives secrets names: the same secret has the same pseudonym everywhere, on every host that has the key; without the key
 * neither can be had from the other (HMAC-SHA-256, 64 bits of it: collisions are expected after some billion secrets).
 */
export class Pseudonyms {
  readonly #key: Uint8Array
  readonly #remembered = new Map<string, string>()

  /** @throws MeshError MESH_ERR_USAGE where the key is shorter than 16 bytes. */
  constructor(key: Uint8Array) {
    if (key.length < LEAST_KEY_BYTES) {
      throw new MeshError('MESH_ERR_USAGE', {
        what: `expected a mask key of at least ${LEAST_KEY_BYTES} bytes, found ${key.length}`,
        remedy: 'make one with: head -c 32 /dev/urandom > mask.key',
      })
    }
    this.#key = key
  }

  /** Identifies the key without giving it away. */
  get keyId(): string {
    return createHash('sha256').update('mesh mask key id').update(this.#key).digest('hex').slice(0, 12)
  }

  /** The pseudonym of a secret. A value that is a pseudonym already stays as it is, so that masking twice changes nothing. */
  of(secret: string): string {
    if (isPseudonym(secret)) return secret
    return `mesh-${createHmac('sha256', this.#key).update(secret).digest('hex').slice(0, 16)}`
  }

  /**
   * Masks a value that is a secret. Of a JSON Web Token (RFC 7519) header and claims stay, because replays need to know who
   * and until when; its signature, without which it opens nothing, becomes a pseudonym.
   */
  maskValue(value: string): string {
    if (value === '') return value
    const known = this.#remembered.get(value)
    if (known !== undefined) return known
    const masked = this.#masked(value)
    if (value.length <= MAX_REMEMBERED_CHARS) {
      if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear()
      // A copy: the value may be a slice of a body, which it would keep in memory.
      this.#remembered.set(Buffer.from(value, 'utf16le').toString('utf16le'), masked)
    }
    return masked
  }

  #masked(value: string): string {
    if (value.length > MAX_TOKEN_CHARS) return this.of(value)
    const [, scheme, credentials] = /^((?:Bearer|Token) +)(\S+)$/i.exec(value) ?? []
    if (scheme !== undefined && credentials !== undefined) return scheme + this.#masked(credentials)
    const [, header = '', claims = '', signature = ''] = /^(eyJ[\w-]+)\.(eyJ[\w-]+)\.([\w-]+)$/.exec(value) ?? []
    if (header === '' || objectOf(claims) === undefined) return this.of(value)
    const algorithm = objectOf(header)
    if (algorithm === undefined || !('alg' in algorithm)) return this.of(value)
    return `${header}.${claims}.${this.of(signature)}`
  }
}

/** The object in a part of a JSON Web Token; undefined where there is none. */
function objectOf(part: string): object | undefined {
  try {
    const found: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return typeof found === 'object' && found !== null ? found : undefined
  } catch {
    return undefined
  }
}
