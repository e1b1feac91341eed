import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import pg from 'pg'
import postgres from 'postgres'
import { describe, expect, it, onTestFinished } from 'vitest'
import { concatBytes, utf8, utf8Bytes } from '../../../src/core/bytes.ts'
import * as backend from '../../../src/wire/postgres/backend.ts'
import type { PgField } from '../../../src/wire/postgres/backend.ts'
import { MessageFramer } from '../../../src/wire/postgres/framer.ts'
import type { PgMessage } from '../../../src/wire/postgres/framer.ts'
import { FRONTEND, readBind, readPassword, readSaslInitial, readStartup } from '../../../src/wire/postgres/frontend.ts'
import { md5Response, md5Stored } from '../../../src/wire/postgres/md5.ts'
import { makeScramVerifier, SCRAM_SHA_256, ScramServer } from '../../../src/wire/postgres/scram.ts'

const USER = 'ann'
const PASSWORD = 'open sésame'
const SALT = Uint8Array.of(1, 2, 3, 4)
type Method = 'cleartext' | 'md5' | 'scram'

const field = (name: string): PgField => ({
  name,
  tableOid: 0,
  column: 0,
  typeOid: 25,
  typeBytes: -1,
  typeModifier: -1,
  format: 0,
})

/** The server's side of one connection: a login by one method, then every query gives back what it was given. */
async function serve(socket: Socket, method: Method): Promise<void> {
  const stored = { md5: md5Stored(USER, PASSWORD), scram: await makeScramVerifier(PASSWORD) }
  const messages = messagesOf(socket)
  const next = async (): Promise<PgMessage> => {
    const { value, done } = await messages.next()
    if (done === true) throw new Error('the client left')
    return value
  }
  let startup = readStartup((await next()).payload)
  while (startup.kind === 'ssl' || startup.kind === 'gss') {
    socket.write('N')
    startup = readStartup((await next()).payload)
  }
  expect(startup).toMatchObject({ kind: 'startup' })
  let known = false
  if (method === 'cleartext') {
    socket.write(backend.authenticationCleartext())
    known = readPassword((await next()).payload) === PASSWORD
  } else if (method === 'md5') {
    socket.write(backend.authenticationMd5(SALT))
    known = readPassword((await next()).payload) === md5Response(USER, stored.md5, SALT)
  } else {
    const scram = new ScramServer(stored.scram)
    socket.write(backend.authenticationSasl([SCRAM_SHA_256]))
    const { data } = readSaslInitial((await next()).payload)
    socket.write(backend.authenticationSaslContinue(utf8Bytes(scram.first(utf8(data ?? new Uint8Array(0))))))
    const final = scram.final(utf8((await next()).payload))
    known = final !== undefined
    if (final !== undefined) socket.write(backend.authenticationSaslFinal(utf8Bytes(final)))
  }
  if (!known) {
    socket.end(backend.errorResponse({ severity: 'FATAL', code: '28P01', message: 'wrong password' }))
    return
  }
  const key = backend.backendKeyData({ processId: 7, secretKey: SALT })
  const version = backend.parameterStatus('server_version', '18.4')
  socket.write(concatBytes([backend.authenticationOk(), version, key, backend.readyForQuery('I')]))
  await echo(next, socket)
}

/** Answers the extended protocol: the row is the values that were bound. */
async function echo(next: () => Promise<PgMessage>, socket: Socket): Promise<void> {
  let values: readonly (Uint8Array | null)[] = []
  for (;;) {
    const { type, payload } = await next()
    const fields = [field('first'), field('second')]
    if (type === FRONTEND.parse) socket.write(backend.parseComplete())
    else if (type === FRONTEND.bind) {
      values = readBind(payload).values.map((value) => (value === null ? null : Uint8Array.from(value)))
      socket.write(backend.bindComplete())
    } else if (type === FRONTEND.describe) {
      const parameters = payload[0] === 0x53 ? [backend.parameterDescription([25, 25])] : []
      socket.write(concatBytes([...parameters, backend.rowDescription(fields)]))
    } else if (type === FRONTEND.execute) {
      socket.write(concatBytes([backend.dataRow(values), backend.commandComplete('SELECT 1')]))
    } else if (type === FRONTEND.sync) socket.write(backend.readyForQuery('I'))
    else if (type === FRONTEND.terminate) return
  }
}

async function* messagesOf(socket: Socket): AsyncGenerator<PgMessage> {
  const framer = new MessageFramer({ startup: true })
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    framer.push(chunk)
    for (let frame = framer.next(); frame !== undefined; frame = framer.next()) {
      if (frame.piece === undefined) yield frame
    }
  }
}

async function startServer(method: Method): Promise<{ host: string; port: number; user: string; database: string }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    serve(socket, method).catch(() => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('expected a port')
  return { host: '127.0.0.1', port: bound.port, user: USER, database: 'shop' }
}

describe.each(['cleartext', 'md5', 'scram'] as const)('a server built of these messages, with %s', (method) => {
  it('serves node-postgres', async () => {
    const client = new pg.Client({ ...(await startServer(method)), password: PASSWORD })
    await client.connect()
    const { rows } = await client.query('select $1, $2', ['é', null])
    expect(rows).toEqual([{ first: 'é', second: null }])
    await client.end()
  })

  it('serves postgres.js', async () => {
    const sql = postgres({ ...(await startServer(method)), password: PASSWORD, max: 1, fetch_types: false })
    expect([...(await sql`select ${'one'}::text, ${'two'}::text`)]).toEqual([{ first: 'one', second: 'two' }])
    await sql.end()
  })

  it('refuses a wrong password', async () => {
    const client = new pg.Client({ ...(await startServer(method)), password: 'guess' })
    await expect(client.connect()).rejects.toMatchObject({ code: '28P01', message: 'wrong password' })
  })
})
