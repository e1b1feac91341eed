import type { KeyObject } from 'node:crypto'
import { createHmac, createPrivateKey, sign } from 'node:crypto'
import { MeshError } from '../core/errors.ts'

/** What JSON Web Tokens are signed with: HS256, RS256 or ES256 (RFC 7518 3.1). */
export interface JwtKey {
  readonly algorithm: 'HS256' | 'RS256' | 'ES256'
  /** The signature of a token's first two parts, as its third. */
  sign(text: string): string
}

/** Shorter secrets are not to be signed with (RFC 7518 3.2 asks for 32); what is this short is a mistake. */
const LEAST_SECRET_BYTES = 8

/**
 * The key in a file: a private key (PEM) of RSA or of the curve P-256, or else a secret, without the line end behind it.
 *
 * @throws MeshError MESH_ERR_USAGE for another key, or a secret of less than 8 bytes.
 */
export function readJwtKey(content: Uint8Array, where: string): JwtKey {
  const text = Buffer.from(content).toString('latin1')
  if (text.includes('-----BEGIN')) return privateKey(text, where)
  const secret = Buffer.from(text.replace(/\r?\n$/, ''), 'latin1')
  if (secret.length < LEAST_SECRET_BYTES) {
    const what = `expected a private key (PEM), or a secret of ${LEAST_SECRET_BYTES} bytes or more, found ${secret.length} bytes`
    throw new MeshError('MESH_ERR_USAGE', { what, where })
  }
  return { algorithm: 'HS256', sign: (signed) => createHmac('sha256', secret).update(signed).digest('base64url') }
}

function privateKey(pem: string, where: string): JwtKey {
  const key = keyObject(pem, where)
  const curve = key.asymmetricKeyDetails?.namedCurve
  if (key.asymmetricKeyType === 'rsa') {
    return { algorithm: 'RS256', sign: (text) => sign('sha256', Buffer.from(text), key).toString('base64url') }
  }
  if (key.asymmetricKeyType !== 'ec' || curve !== 'prime256v1') {
    const found = `${String(key.asymmetricKeyType)}${curve === undefined ? '' : ` (${curve})`}`
    throw new MeshError('MESH_ERR_USAGE', {
      what: `expected a key of RSA or of the curve P-256, found ${found}`,
      where,
    })
  }
  // The two numbers as they are, and not in DER (RFC 7518 3.4).
  const pair = { key, dsaEncoding: 'ieee-p1363' as const }
  return { algorithm: 'ES256', sign: (text) => sign('sha256', Buffer.from(text), pair).toString('base64url') }
}

function keyObject(pem: string, where: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    throw new MeshError('MESH_ERR_USAGE', { what: 'expected a private key (PEM) without a passphrase', where, cause })
  }
}
