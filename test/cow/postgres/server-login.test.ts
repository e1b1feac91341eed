import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { connectServer } from '../../../src/cow/postgres/server-connection.ts'
import type { ServerOptions } from '../../../src/cow/postgres/server-connection.ts'
import {
  authenticationOk,
  authenticationSasl,
  authenticationSaslContinue,
  negotiateProtocolVersion,
  parameterStatus,
  readyForQuery,
} from '../../../src/wire/postgres/backend.ts'
import { postgresErrorOf } from '../../../src/wire/postgres/error-fields.ts'
import { MessageFramer } from '../../../src/wire/postgres/framer.ts'
import { readSaslInitial } from '../../../src/wire/postgres/frontend.ts'
import { md5Stored } from '../../../src/wire/postgres/md5.ts'
import {
  formatScramVerifier,
  makeScramVerifier,
  parseScramVerifier,
  ScramServer,
} from '../../../src/wire/postgres/scram.ts'
import { rejectionOf } from '../../support/errors.ts'
import { POSTGRES_ABSENT, startPostgres } from '../../support/postgres.ts'
import type { TestPostgres } from '../../support/postgres.ts'

const signal = new AbortController().signal
const CERTIFICATE = readFileSync(new URL('../../../fixtures/tls/localhost.crt', import.meta.url), 'utf8')
const KEY = readFileSync(new URL('../../../fixtures/tls/localhost.key', import.meta.url), 'utf8')

describe.skipIf(POSTGRES_ABSENT).each(['password', 'md5', 'scram-sha-256'] as const)(
  'a login with %s authentication',
  (authentication) => {
    let server: TestPostgres

    beforeAll(async () => {
      server = await startPostgres({ authentication, password: 'pá ss\u00ADword' })
    })
    afterAll(() => server.stop())

    const options = (more: Partial<ServerOptions> = {}): ServerOptions => ({
      address: { host: '127.0.0.1', port: server.port },
      user: server.superuser,
      database: 'postgres',
      ...more,
    })

    it('lets in who has the password', async () => {
      const connection = await connectServer(options({ password: server.password }), signal)
      expect((await connection.query('select 1'))[0]?.rows).toEqual([['1']])
      await connection.end()
    })

    it('leaves a hash that our side of the server takes', async () => {
      const connection = await connectServer(options({ password: server.password }), signal)
      const [result] = await connection.query('select rolpassword from pg_authid where rolpassword is not null')
      await connection.end()
      const stored = result?.rows[0]?.[0] ?? ''
      const verifier = parseScramVerifier(stored)
      if (verifier === undefined) {
        expect(stored).toBe(md5Stored(server.superuser, server.password))
        return
      }
      const { salt, iterations } = verifier
      expect(formatScramVerifier(await makeScramVerifier(server.password, { salt, iterations }))).toBe(stored)
    })

    it('says that the password is wrong, or that one is needed', async () => {
      const wrong = await rejectionOf(connectServer(options({ password: 'guess' }), signal))
      expect(wrong.message).toMatch(
        /^expected the server to let user postgres into database postgres, found FATAL 28P01: .* \(127\.0\.0\.1:\d+\): check user and password$/,
      )
      expect(postgresErrorOf(wrong)).toMatchObject({ severity: 'FATAL', code: '28P01' })
      const none = await rejectionOf(connectServer(options(), signal))
      expect(none.message).toMatch(/expected no password to be asked of user postgres/)
    })
  },
)

describe.skipIf(POSTGRES_ABSENT)('a login over TLS', () => {
  let server: TestPostgres
  let plain: TestPostgres

  beforeAll(async () => {
    const started = [startPostgres({ tls: { certificate: CERTIFICATE, key: KEY } }), startPostgres()] as const
    ;[server, plain] = await Promise.all(started)
  })
  afterAll(() => Promise.all([server.stop(), plain.stop()]))

  const encrypted = async (more: Partial<ServerOptions>, host = 'localhost', on = server): Promise<unknown> => {
    const address = { host, port: on.port }
    const connection = await connectServer({ address, user: 'postgres', database: 'postgres', ...more }, signal)
    const [result] = await connection.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()')
    await connection.end()
    return result?.rows[0]?.[0]
  }

  it.each([
    ['disable', {}, 'f'],
    ['prefer', {}, 't'],
    ['require', {}, 't'],
    ['require', { ca: CERTIFICATE }, 't'],
    ['verify-ca', { ca: CERTIFICATE }, 't'],
    ['verify-full', { ca: CERTIFICATE }, 't'],
  ] as const)('is encrypted as %s asks', async (tls, more, expected) => {
    expect(await encrypted({ tls, ...more })).toBe(expected)
  })

  it('asks nothing of the certificate under the default', async () => {
    expect(await encrypted({})).toBe('t')
  })

  it.each(['verify-ca', 'verify-full'] as const)('refuses a certificate that nobody vouches for as %s', async (tls) => {
    const error = await rejectionOf(encrypted({ tls }))
    expect(error.code).toBe('MESH_ERR_TLS')
    expect(error.message).toMatch(/self-signed certificate .*localhost:\d+.*: name the authority/)
  })

  it('takes what a server without TLS offers, but where TLS is required', async () => {
    expect(await encrypted({}, 'localhost', plain)).toBe('f')
    for (const tls of ['require', 'verify-ca', 'verify-full'] as const) {
      const error = await rejectionOf(encrypted({ tls }, 'localhost', plain))
      expect(error.message).toMatch(/expected the server to speak TLS, found that it does not/)
    }
  })

  it('cancels over TLS too', async () => {
    const address = { host: 'localhost', port: server.port }
    const options = { address, user: 'postgres', database: 'postgres', tls: 'require' } as const
    const connection = await connectServer(options, signal)
    const stop = new AbortController()
    connection.onNotice(() => stop.abort())
    const sleeping = connection.query("do $$ begin raise notice 'now'; perform pg_sleep(60); end $$", stop.signal)
    await expect(sleeping).rejects.toMatchObject({ code: 'MESH_ERR_ABORTED' })
    await connection.end()
  })
})

describe.skipIf(POSTGRES_ABSENT)('a login that is refused', () => {
  let server: TestPostgres

  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop())

  it('says which database there is not', async () => {
    const address = { socketFolder: server.socketFolder, port: server.port }
    const error = await rejectionOf(connectServer({ address, user: 'postgres', database: 'none' }, signal))
    expect(error.message).toMatch(/found FATAL 3D000: .*"none" does not exist .*: check the name of the database$/)
  })

  it('says that nobody is there', async () => {
    await server.halt()
    const where = { user: 'postgres', database: 'postgres' }
    for (const address of [
      { socketFolder: server.socketFolder, port: server.port },
      { host: '127.0.0.1', port: server.port },
    ]) {
      const error = await rejectionOf(connectServer({ address, ...where }, signal))
      expect(error.code).toBe('MESH_ERR_UNREACHABLE')
      expect(error.message).toMatch(/is the server running\?$/)
    }
    await server.restart()
    const address = { socketFolder: server.socketFolder, port: server.port }
    await (await connectServer({ address, ...where }, signal)).end()
  })
})

/** A server that does as the test says with every message it gets; its address. */
async function scriptedServer(answer: (message: Uint8Array, socket: Socket) => void): Promise<ServerOptions> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    const framer = new MessageFramer({ startup: true })
    socket.on('data', (bytes) => {
      framer.push(bytes)
      for (let message = framer.next(); message?.piece === undefined; message = framer.next()) {
        if (message === undefined) return
        answer(message.bytes, socket)
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('expected a port')
  const address = { host: '127.0.0.1', port: bound.port }
  return { address, user: 'ann', database: 'shop', password: 'x', tls: 'disable', connectTimeoutMs: 30_000 }
}

describe('a login at something that is no PostgreSQL', () => {
  it.each([
    ['says nothing that we know', 'HTTP/1.1 400 Bad Request\r\n\r\n', /type "H" to have a length/],
    ['is ready at once', readyForQuery('I'), /expected authentication, found a message of type "Z"/],
    ['asks for Kerberos', Buffer.of(0x52, 0, 0, 0, 8, 0, 0, 0, 7), /found method 7 .*pg_hba\.conf/],
    ['offers another SASL only', authenticationSasl(['OAUTHBEARER']), /expected SCRAM-SHA-256, found OAUTHBEARER/],
    ['has SASL end before it begins', authenticationSaslContinue(Buffer.from('r=')), /expected the beginning of SASL/],
    ['offers another protocol', negotiateProtocolVersion({ protocol: 0x20000, unknownOptions: [] }), /offer of 2\.0/],
    [
      'never gets ready',
      Buffer.concat([authenticationOk(), ...Array.from({ length: 1001 }, () => parameterStatus('a', 'b'))]),
      /at most 1000 messages before the server is ready/,
    ],
    [
      'sends a long message',
      Buffer.concat([authenticationOk(), Buffer.of(0x53, 0x02, 0, 0, 0), Buffer.alloc(100)]),
      /expected a short message/,
    ],
  ])('fails where it %s', async (_, bytes, message) => {
    const options = await scriptedServer((_, socket) => void socket.write(bytes))
    const error = await rejectionOf(connectServer(options, signal))
    expect(error.message).toMatch(message)
    expect(error.message).toContain('127.0.0.1:')
  })

  it('fails where the connection is closed', async () => {
    const options = await scriptedServer((_, socket) => void socket.end())
    const error = await rejectionOf(connectServer(options, signal))
    expect(error).toMatchObject({ code: 'MESH_ERR_UNREACHABLE' })
    expect(error.message).toMatch(/the server closed it/)
  })

  it('does not take a login that skips the proof of the server', async () => {
    const verifier = await makeScramVerifier('x', { iterations: 1 })
    const scram = new ScramServer(verifier)
    const answers = [
      () => authenticationSasl(['SCRAM-SHA-256']),
      (message: Uint8Array) => {
        const { data } = readSaslInitial(message.subarray(5))
        return authenticationSaslContinue(Buffer.from(scram.first(Buffer.from(data ?? []).toString())))
      },
      () => Buffer.concat([authenticationOk(), readyForQuery('I')]),
    ]
    const options = await scriptedServer((message, socket) => {
      const next = answers.shift()
      if (next !== undefined) socket.write(next(message))
    })
    const error = await rejectionOf(connectServer(options, signal))
    expect(error.message).toMatch(/expected the server's proof, found a message of type "R"/)
  })

  it.each([
    ['H', /expected S or N as the answer to an SSLRequest, found 1 bytes/],
    ['Smore', /found 5 bytes/],
  ])('does not begin TLS after %j', async (answer, message) => {
    const options = await scriptedServer((_, socket) => void socket.write(answer))
    const error = await rejectionOf(connectServer({ ...options, tls: 'prefer' }, signal))
    expect(error).toMatchObject({ code: 'MESH_ERR_TLS' })
    expect(error.message).toMatch(message)
  })

  it('gives up when its time is over', async () => {
    const options = await scriptedServer(() => undefined)
    for (const tls of ['disable', 'prefer'] as const) {
      const error = await rejectionOf(connectServer({ ...options, tls, connectTimeoutMs: 20 }, signal))
      expect(error).toMatchObject({ code: 'MESH_ERR_UNREACHABLE' })
      expect(error.message).toMatch(/within 20 ms, found no answer/)
    }
  })

  it('gives up when the signal aborts, before or while it connects', async () => {
    const stop = new AbortController()
    const options = await scriptedServer(() => stop.abort())
    expect(await rejectionOf(connectServer(options, stop.signal))).toMatchObject({ code: 'MESH_ERR_ABORTED' })
    expect(await rejectionOf(connectServer(options, stop.signal))).toMatchObject({ code: 'MESH_ERR_ABORTED' })
  })
})
