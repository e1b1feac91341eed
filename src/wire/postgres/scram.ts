import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { MeshError } from '../../core/errors.ts'
import { preparePassword } from './saslprep.ts'

/**
 * SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding, as PostgreSQL speaks it:
 *
 *     client -> n,,n=,r=<client nonce>
 *     server -> r=<client nonce + server nonce>,s=<salt>,i=<iterations>
 *     client -> c=biws,r=<both nonces>,p=<proof>
 *     server -> v=<signature>
 *
 * The user's name stays empty: PostgreSQL takes the startup message's.
 */

export const SCRAM_SHA_256 = 'SCRAM-SHA-256'

/** PostgreSQL's own default (scram_iterations). */
const DEFAULT_ITERATIONS = 4096

/** A server may name any count: this many take about a second, more would be an attack on the client. */
const MAX_ITERATIONS = 1_000_000

const KEY_BYTES = 32
const SALT_BYTES = 16
const NONCE_BYTES = 18
const NONCE = /^[\x21-\x2b\x2d-\x7e]+$/

/** What a server keeps of a password (pg_authid.rolpassword): enough to check a client, not to be one. */
export interface ScramVerifier {
  readonly iterations: number
  readonly salt: Uint8Array
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
}

/** Computed off the loop: thousands of hashes. */
export async function makeScramVerifier(
  password: string,
  options: { readonly iterations?: number; readonly salt?: Uint8Array } = {},
): Promise<ScramVerifier> {
  const { iterations = DEFAULT_ITERATIONS, salt = randomBytes(SALT_BYTES) } = options
  const salted = await saltedPassword(password, salt, iterations)
  return {
    iterations,
    salt,
    storedKey: sha256(hmac(salted, 'Client Key')),
    serverKey: hmac(salted, 'Server Key'),
  }
}

/** As PostgreSQL stores one: `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`. */
export function formatScramVerifier(verifier: ScramVerifier): string {
  const { iterations, salt, storedKey, serverKey } = verifier
  return `${SCRAM_SHA_256}$${iterations}:${base64(salt)}$${base64(storedKey)}:${base64(serverKey)}`
}

/** Undefined where the text is no verifier. */
export function parseScramVerifier(text: string): ScramVerifier | undefined {
  const match = /^SCRAM-SHA-256\$(\d{1,9}):([\w+/=]+)\$([\w+/=]+):([\w+/=]+)$/.exec(text)
  if (match === null) return undefined
  const [, iterations = '', salt = '', stored = '', server = ''] = match
  const storedKey = fromBase64(stored)
  const serverKey = fromBase64(server)
  if (storedKey.length !== KEY_BYTES || serverKey.length !== KEY_BYTES) return undefined
  return { iterations: Number(iterations), salt: fromBase64(salt), storedKey, serverKey }
}

/**
 * A verifier that no password passes, for a user who does not exist: always the same salt for a user, so that nobody can tell.
 * `secret` is the server's own, the same for all users.
 */
export function mockScramVerifier(user: string, secret: Uint8Array): ScramVerifier {
  const salt = hmac(secret, user).subarray(0, SALT_BYTES)
  return { iterations: DEFAULT_ITERATIONS, salt, storedKey: randomBytes(KEY_BYTES), serverKey: randomBytes(KEY_BYTES) }
}

/** The client's side of one exchange: `first`, `final`, `verify`, in this order. Throws `MESH_ERR_POSTGRES` at a server that breaks it. */
export class ScramClient {
  readonly #password: string
  readonly #nonce: string
  #authMessage = ''
  #serverKey: Uint8Array | undefined

  constructor(password: string, nonce: string = newNonce()) {
    this.#password = password
    this.#nonce = nonce
  }

  first(): string {
    return `n,,${this.#firstBare()}`
  }

  async final(serverFirst: string): Promise<string> {
    const match = /^r=([^,]+),s=([\w+/=]+),i=(\d{1,9})(?:,.*)?$/.exec(serverFirst)
    if (match === null) throw broken('r=, s= and i= from the server', 'another first message')
    const [, nonce = '', salt = '', count = ''] = match
    if (!nonce.startsWith(this.#nonce) || nonce.length === this.#nonce.length) {
      throw broken('a nonce that continues ours', 'another one')
    }
    const iterations = Number(count)
    if (iterations < 1 || iterations > MAX_ITERATIONS) throw broken(`1 to ${MAX_ITERATIONS} iterations`, count)
    const salted = await saltedPassword(this.#password, fromBase64(salt), iterations)
    const withoutProof = `c=biws,r=${nonce}`
    this.#authMessage = `${this.#firstBare()},${serverFirst},${withoutProof}`
    this.#serverKey = hmac(salted, 'Server Key')
    const clientKey = hmac(salted, 'Client Key')
    const signature = hmac(sha256(clientKey), this.#authMessage)
    return `${withoutProof},p=${base64(xor(clientKey, signature))}`
  }

  /** Proves that the server knows the password too. */
  verify(serverFinal: string): void {
    const match = /^v=([\w+/=]+)(?:,.*)?$/.exec(serverFinal)
    if (match === null)
      throw broken('v= from the server', serverFinal.startsWith('e=') ? serverFinal : 'another message')
    if (this.#serverKey === undefined) throw broken('its first message before', 'its final one')
    const expected = hmac(this.#serverKey, this.#authMessage)
    if (!equalKeys(expected, fromBase64(match[1] ?? ''))) {
      throw broken('a server that knows the password', 'a wrong signature: this may be somebody else')
    }
  }

  #firstBare(): string {
    return `n=,r=${this.#nonce}`
  }
}

/** The server's side of one exchange: `first`, then `final`. Throws `MESH_ERR_POSTGRES` at a client that breaks the protocol. */
export class ScramServer {
  readonly #verifier: ScramVerifier
  readonly #nonce: string
  #bothNonces = ''
  #header = ''
  #authMessage = ''

  constructor(verifier: ScramVerifier, nonce: string = newNonce()) {
    this.#verifier = verifier
    this.#nonce = nonce
  }

  first(clientFirst: string): string {
    const match = /^([ny],(?:a=[^,]*)?,)(n=[^,]*,r=([^,]+)(?:,.*)?)$/.exec(clientFirst)
    const [, header = '', bare = '', nonce = ''] = match ?? []
    if (match === null || !NONCE.test(nonce)) {
      throw broken('n=, r= without channel binding from the client', 'another first message')
    }
    const { salt, iterations } = this.#verifier
    this.#header = header
    this.#bothNonces = nonce + this.#nonce
    const reply = `r=${this.#bothNonces},s=${base64(salt)},i=${iterations}`
    this.#authMessage = `${bare},${reply}`
    return reply
  }

  /** The last message for the client; undefined where the password is wrong. */
  final(clientFinal: string): string | undefined {
    const match = /^(c=([\w+/=]+),r=([^,]+)(?:,.*)?),p=([\w+/=]+)$/.exec(clientFinal)
    if (match === null) throw broken('c=, r= and p= from the client', 'another final message')
    const [, withoutProof = '', binding = '', nonce = '', proof = ''] = match
    if (nonce !== this.#bothNonces || this.#bothNonces === '') throw broken('the nonce of both', 'another one')
    if (fromBase64(binding).toString('latin1') !== this.#header) throw broken('c= as in the first message', 'another')
    const authMessage = `${this.#authMessage},${withoutProof}`
    const sent = fromBase64(proof)
    if (sent.length !== KEY_BYTES) return undefined
    const clientKey = xor(sent, hmac(this.#verifier.storedKey, authMessage))
    if (!equalKeys(sha256(clientKey), this.#verifier.storedKey)) return undefined
    return `v=${base64(hmac(this.#verifier.serverKey, authMessage))}`
  }
}

const derive = promisify(pbkdf2)

function saltedPassword(password: string, salt: Uint8Array, iterations: number): Promise<Buffer> {
  return derive(preparePassword(password), salt, iterations, KEY_BYTES, 'sha256')
}

function newNonce(): string {
  return randomBytes(NONCE_BYTES).toString('base64')
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest()
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, index) => byte ^ (b[index] ?? 0))
}

function equalKeys(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

function fromBase64(text: string): Buffer {
  return Buffer.from(text, 'base64')
}

function broken(expected: string, found: string): MeshError {
  return new MeshError('MESH_ERR_POSTGRES', {
    what: `expected ${expected}, found ${found}`,
    where: `${SCRAM_SHA_256} authentication`,
    remedy: 'check the password and who answers at this address',
  })
}
