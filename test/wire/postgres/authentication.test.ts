import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { md5Response, md5Stored } from '../../../src/wire/postgres/md5.ts'
import { preparePassword } from '../../../src/wire/postgres/saslprep.ts'
import {
  formatScramVerifier,
  makeScramVerifier,
  mockScramVerifier,
  parseScramVerifier,
  ScramClient,
  ScramServer,
} from '../../../src/wire/postgres/scram.ts'
import { thrownBy } from '../../support/errors.ts'

const SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')

/** One exchange: what each side says, `undefined` where the server refuses. */
async function exchange(password: string, server: ScramServer): Promise<string | undefined> {
  const client = new ScramClient(password)
  const final = server.final(await client.final(server.first(client.first())))
  if (final !== undefined) client.verify(final)
  return final
}

describe('SCRAM-SHA-256', () => {
  it('computes the example of RFC 7677', async () => {
    // The RFC's own user name is in its messages; PostgreSQL's clients leave it empty, so only the server's side can be shown.
    const verifier = await makeScramVerifier('pencil', { salt: SALT, iterations: 4096 })
    const server = new ScramServer(verifier, '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0')
    expect(server.first('n,,n=user,r=rOprNGfwEbeRWgbNEkqO')).toBe(
      'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    )
    const clientFinal =
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ='
    expect(server.final(clientFinal)).toBe('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
  })

  it('lets in who knows the password, whatever its letters, and nobody else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), fc.string(), async (password, other) => {
        const verifier = await makeScramVerifier(password, { iterations: 2 })
        expect(await exchange(password, new ScramServer(verifier))).toBeDefined()
        fc.pre(preparePassword(other) !== preparePassword(password))
        expect(await exchange(other, new ScramServer(verifier))).toBeUndefined()
      }),
      { numRuns: 40 },
    )
  })

  it('reads a stored verifier as PostgreSQL writes it', async () => {
    const verifier = await makeScramVerifier('pencil', { salt: SALT })
    const stored = formatScramVerifier(verifier)
    expect(stored).toMatch(/^SCRAM-SHA-256\$4096:W22ZaJ0SNY7soEsUEjb6gQ==\$[\w+/]{43}=:[\w+/]{43}=$/)
    const read = parseScramVerifier(stored)
    expect(read === undefined ? '' : formatScramVerifier(read)).toBe(stored)
    for (const text of ['', 'md5abc', 'SCRAM-SHA-256$4096:xx$yy:zz', stored.slice(0, -3)]) {
      expect(parseScramVerifier(text)).toBeUndefined()
    }
  })

  it('asks a user who does not exist as any other, and lets nobody in', async () => {
    const secret = Buffer.from('of this server')
    const [first, again] = [mockScramVerifier('ann', secret), mockScramVerifier('ann', secret)]
    expect(first.salt).toEqual(again.salt)
    expect(first.salt).not.toEqual(mockScramVerifier('bob', secret).salt)
    expect(await exchange('', new ScramServer(first))).toBeUndefined()
  })

  it.each([
    ['r=other,s=c2FsdA==,i=4096', /a nonce that continues ours/],
    ['r=mine,s=c2FsdA==,i=4096', /a nonce that continues ours/],
    ['r=mineX,s=c2FsdA==,i=0', /1 to 1000000 iterations, found 0/],
    ['r=mineX,s=c2FsdA==,i=999999999', /found 999999999/],
    ['m=ext,r=mineX,s=c2FsdA==,i=1', /another first message/],
    ['e=unknown-user', /another first message/],
  ])('refuses the server that says %s', async (serverFirst, message) => {
    const client = new ScramClient('x', 'mine')
    await expect(client.final(serverFirst)).rejects.toThrow(message)
  })

  it('does not believe a server that does not know the password', async () => {
    const client = new ScramClient('x', 'mine')
    await client.final('r=mineX,s=c2FsdA==,i=1')
    expect(thrownBy(() => client.verify('v=AAAA')).message).toMatch(/a wrong signature/)
    expect(thrownBy(() => client.verify('e=other-error')).message).toMatch(/found e=other-error/)
  })

  it.each(['p=tls-unique,,n=,r=abc', 'n,,r=abc', 'n,,n=,r=', '', 'n,,m=x,n=,r=abc'])(
    'refuses the client that begins with %j',
    async (clientFirst) => {
      const server = new ScramServer(await makeScramVerifier('x', { iterations: 1 }))
      expect(thrownBy(() => server.first(clientFirst)).code).toBe('MESH_ERR_POSTGRES')
    },
  )

  it('refuses a final message of another exchange', async () => {
    const server = new ScramServer(await makeScramVerifier('x', { iterations: 1 }), 'S')
    server.first('n,,n=,r=abc')
    expect(thrownBy(() => server.final('c=biws,r=abcT,p=AAAA')).message).toMatch(/the nonce of both/)
    expect(thrownBy(() => server.final('c=eSws,r=abcS,p=AAAA')).message).toMatch(/c= as in the first message/)
    expect(thrownBy(() => server.final('hello')).code).toBe('MESH_ERR_POSTGRES')
    expect(server.final('c=biws,r=abcS,p=AAAA')).toBeUndefined()
  })
})

describe('a password for SCRAM', () => {
  // The examples of RFC 4013 3, and what PostgreSQL does with forbidden ones: it takes them as they are.
  it.each([
    ['I\u00ADX', 'IX', 'a soft hyphen vanishes'],
    ['user', 'user', 'ASCII stays'],
    ['USER', 'USER', 'case stays'],
    ['\u00AA', 'a', 'it is composed (NFKC)'],
    ['\u2168', 'IX', 'it is composed (NFKC)'],
    ['\u0007', '\u0007', 'a control character is forbidden'],
    ['\u0627\u0031', '\u0627\u0031', 'from right to left it must end so'],
    ['a\u00A0b', 'a b', 'a blank is a space'],
    ['\u00AD', '\u00AD', 'nothing would be left'],
  ])('%j becomes %j: %s', (password, prepared) => {
    expect(preparePassword(password)).toBe(prepared)
  })
})

describe('MD5', () => {
  it('hashes as PostgreSQL does, from a password or from what is stored', () => {
    const stored = md5Stored('ann', 'secret')
    expect(stored).toMatch(/^md5[0-9a-f]{32}$/)
    const salt = Uint8Array.of(1, 2, 3, 4)
    expect(md5Response('ann', stored, salt)).toBe(md5Response('ann', 'secret', salt))
    expect(md5Response('ann', 'other', salt)).not.toBe(md5Response('ann', 'secret', salt))
  })
})
