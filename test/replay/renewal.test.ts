import { createHmac, generateKeyPairSync, verify } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { latin1, utf8Bytes } from '../../src/core/bytes.ts'
import { readJwtKey } from '../../src/replay/jwt-key.ts'
import { Renewal, shiftedTime } from '../../src/replay/renewal.ts'
import { thrownBy } from '../support/errors.ts'

const HOUR_MS = 3_600_000
const SECRET = 'a secret of the service'

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const claimsOf = (token: string): unknown => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

/** As a masked recording has it: header and claims as they were, no signature that opens anything. */
const recorded = (claims: object, alg = 'HS256'): string =>
  `${part({ alg, kid: 'k1' })}.${part(claims)}.mesh-0123456789abcdef`

const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pemOf = (key: typeof rsa.privateKey): Uint8Array =>
  utf8Bytes(key.export({ type: 'pkcs8', format: 'pem' }).toString())

/** The token in the request as it is sent. */
function sent(token: string, key: Uint8Array): string {
  const renewal = new Renewal({ jwtKey: readJwtKey(key, 'key'), times: [] }, HOUR_MS)
  const { bytes } = renewal.renew(utf8Bytes(`GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`), '')
  return /^Authorization: Bearer (\S+)\r$/m.exec(latin1(bytes))?.[1] ?? ''
}

describe('a JSON Web Token', () => {
  it('keeps who it is for, is good for as long as it was, and is signed with the secret', () => {
    const token = sent(
      recorded({ sub: 'u1', iat: 1_767_607_200, nbf: 1_767_607_200, exp: 1_767_610_800.5 }),
      utf8Bytes(`${SECRET}\n`),
    )
    expect(claimsOf(token)).toEqual({ sub: 'u1', iat: 1_767_610_800, nbf: 1_767_610_800, exp: 1_767_614_401 })
    const [header = '', claims = '', signature] = token.split('.')
    expect(signature).toBe(createHmac('sha256', SECRET).update(`${header}.${claims}`).digest('base64url'))
  })

  it.each([
    ['RS256', pemOf(rsa.privateKey), { key: rsa.publicKey }],
    ['ES256', pemOf(curve.privateKey), { key: curve.publicKey, dsaEncoding: 'ieee-p1363' as const }],
  ])('is signed with %s by such a key, and says so', (algorithm, pem, publicKey) => {
    const [header = '', claims = '', signature = ''] = sent(recorded({ sub: 'u1' }), pem).split('.')
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({ alg: algorithm, kid: 'k1' })
    const signed = Buffer.from(`${header}.${claims}`)
    expect(verify('sha256', signed, publicKey, Buffer.from(signature, 'base64url'))).toBe(true)
  })

  it('is found in cookies too, and told by what was recorded; what only looks like one stays', () => {
    const renewal = new Renewal({ jwtKey: readJwtKey(utf8Bytes(SECRET), 'key'), times: [] }, HOUR_MS)
    const [token, other] = [recorded({ sub: 'u2' }), 'eyJub3BlIQ.eyJub3BlIQ.sig']
    const request = utf8Bytes(`GET /a HTTP/1.1\r\nCookie: jwt=${token}; a=${other}\r\n\r\n`)
    const renewed = renewal.renew(request, '')
    const [[now, before] = []] = [...renewed.recorded]
    expect([before, renewed.recorded.size]).toEqual([token, 1])
    expect(latin1(renewed.bytes)).toBe(latin1(request).replace(token, now ?? ''))
  })
})

it.each([
  ['a short secret', utf8Bytes('abc')],
  ['no private key', utf8Bytes('-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n')],
  ['another curve', pemOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)],
])('a key that is %s is refused', (_, content) => {
  expect(thrownBy(() => readJwtKey(content, 'my.key'))).toMatchObject({ code: 'MESH_ERR_USAGE', where: 'my.key' })
})

describe('a time in a request', () => {
  it.each([
    ['1767607200', '1767610800'],
    ['1767607200123', '1767610800123'],
    ['1767607200123456', '1767610800123456'],
    ['1767607200123456789', '1767610800123456789'],
    ['2026-01-05T10:00:00Z', '2026-01-05T11:00:00Z'],
    ['2026-01-05T10:00:00.250Z', '2026-01-05T11:00:00.250Z'],
    ['12', undefined],
    ['9999999999', undefined],
    ['2026-13-05T10:00:00Z', undefined],
    ['tomorrow', undefined],
  ])('is shifted in its own form: %s', (before, after) => {
    expect(shiftedTime(before, HOUR_MS)).toBe(after)
  })

  it('is shifted where it is named and nowhere else, and the length of the body is right', () => {
    const times = ['query ts', 'header x-time', 'json .sentAt']
    const renewal = new Renewal({ jwtKey: undefined, times }, 2e12)
    const body = '{"sentAt":1767607200000,"other":1767607200000,"ä":1}'
    const request = (query: string, header: string, sentBody: string): string =>
      `POST /a?ts=${query}&id=1767607200 HTTP/1.1\r\nX-Time: ${header}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(sentBody)}\r\n\r\n${sentBody}`
    const { bytes } = renewal.renew(utf8Bytes(request('1767607200', '2026-01-05T10:00:00Z', body)), '')
    const later = body.replace('1767607200000', '3767607200000')
    expect(Buffer.from(bytes).toString()).toBe(request('3767607200', '2089-05-22T13:33:20Z', later))
  })
})
