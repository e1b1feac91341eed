import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodingOf, READABLE_ENCODINGS } from '../../../src/cow/postgres/session/client-encoding.ts'
import { bind, execute, parse, query, sync } from '../../../src/wire/postgres/frontend.ts'
import {
  type GatedProxy,
  type ProductionServer,
  startGatedProxy,
  startProductionServer,
} from '../../support/gated-proxy.ts'
import { startTestServer, type TestServer } from '../../support/overlay-servers.ts'
import { WireClient } from '../../support/wire-client.ts'
import { compiled } from '../../replay/compiled.ts'

const SCHEMA = `CREATE TABLE cafes (name text PRIMARY KEY, "prêté" int);
CREATE TABLE notes (id int PRIMARY KEY, note text);`
const DATA = `INSERT INTO cafes VALUES ('café', 1), ('thé', 2), ('bar', 3); INSERT INTO notes VALUES (1, 'né'), (2, 'un');`

const thread = compiled('cow/postgres/overlay/pg-dump-thread.ts')
const hex = (text: string, encoding: BufferEncoding = 'utf8'): string => Buffer.from(text, encoding).toString('hex')
const latin1 = (text: string): Uint8Array => query(Buffer.from(text, 'latin1'))
const utf8 = (text: string): Uint8Array => query(text)

/** Each query's answer, one after the other. */
async function answers(client: WireClient, queries: readonly Uint8Array[]): Promise<string[]> {
  const said: string[] = []
  for (const each of queries) {
    client.socket.write(each)
    said.push((await client.answers((words) => words.at(-1)?.startsWith('Z:') === true)).join(' '))
  }
  return said
}

describe.each(['UTF8', 'LATIN1'])('a client in another encoding, production in %s', (upstream) => {
  let production: ProductionServer
  let proxy: GatedProxy

  beforeAll(async () => {
    production = await startProductionServer(SCHEMA, DATA, upstream)
    proxy = await startGatedProxy(production, { thread: thread() })
  })
  afterAll(async () => {
    await proxy?.close()
    await production?.remove()
  })

  const clientOf = (encoding: string): Promise<WireClient> =>
    WireClient.open({ port: proxy.port }, { user: 'app', database: 'shop', client_encoding: encoding })

  it('reads by LATIN1 text, and gets LATIN1', async () => {
    const client = await clientOf('LATIN1')
    expect(
      await answers(client, [
        latin1(`SELECT name FROM cafes WHERE name = 'café'`),
        latin1(`SELECT name FROM cafes WHERE name = 'café'`),
        latin1(`SELECT 'é' AS x`),
      ]),
    ).toEqual([
      `T(name:25:0) D(${hex('café', 'latin1')}) C:SELECT 1 Z:I`,
      `T(name:25:0) D(${hex('café', 'latin1')}) C:SELECT 1 Z:I`,
      `T(x:25:0) D(e9) C:SELECT 1 Z:I`,
    ])
    client.end()
  })

  it('writes LATIN1 text, by keys and columns that are not ASCII, and another client reads it by key', async () => {
    const client = await clientOf('LATIN1')
    const reader = await clientOf('UTF8')
    expect(
      await answers(client, [
        latin1(`UPDATE cafes SET "prêté" = 10 WHERE name = 'café' RETURNING name`),
        latin1(`UPDATE notes SET note = 'été' WHERE id = 1; INSERT INTO cafes VALUES ('crème', 4)`),
      ]),
    ).toEqual([`T(name:25:0) D(${hex('café', 'latin1')}) C:UPDATE 1 Z:I`, 'C:UPDATE 1 C:INSERT 0 1 Z:I'])
    client.socket.write(
      Buffer.concat([
        parse({ name: '', text: Buffer.from('DELETE FROM cafes WHERE name = $1'), parameterTypes: [] }),
        bind({ portal: '', statement: '', formats: [], values: [Buffer.from('thé', 'latin1')], resultFormats: [] }),
        execute({ portal: '', maxRows: 0 }),
        sync(),
      ]),
    )
    expect(await client.answers((words) => words.at(-1) === 'Z:I')).toEqual(['1', '2', 'C:DELETE 1', 'Z:I'])
    expect(
      await answers(reader, [
        utf8(`SELECT "prêté" AS n FROM cafes WHERE name = 'café'`),
        utf8(`SELECT "prêté" AS n FROM cafes WHERE name = 'crème'`),
        utf8(`SELECT 1 AS n FROM cafes WHERE name = 'thé'`),
        utf8('SELECT note FROM notes WHERE id = 1'),
      ]),
    ).toEqual([
      'T(n:23:0) D(10) C:SELECT 1 Z:I',
      'T(n:23:0) D(4) C:SELECT 1 Z:I',
      'T(n:23:0) C:SELECT 0 Z:I',
      `T(note:25:0) D(${hex('été')}) C:SELECT 1 Z:I`,
    ])
    client.end()
    reader.end()
  })

  it('follows an encoding that is set, also in the middle of a batch', async () => {
    const client = await clientOf('UTF8')
    const run = (text: string | Uint8Array): readonly Uint8Array[] => [
      parse({ name: '', text, parameterTypes: [] }),
      bind({ portal: '', statement: '', formats: [], values: [], resultFormats: [] }),
      execute({ portal: '', maxRows: 0 }),
    ]
    const set = [
      ...run('SET client_encoding TO LATIN1'),
      ...run(Buffer.from(`INSERT INTO cafes VALUES ('pâté', 1)`, 'latin1')),
    ]
    client.socket.write(Buffer.concat([...set, sync()]))
    await client.answers((words) => words.at(-1) === 'Z:I')
    const [found] = await answers(client, [latin1(`SELECT 1 AS n FROM cafes WHERE name = 'pâté'`)])
    expect(found).toBe('T(n:23:0) D(1) C:SELECT 1 Z:I')
    client.end()
  })

  it('refuses text that is not ASCII in an encoding that it cannot read, and lets ASCII and parameters through', async () => {
    const client = await clientOf('SJIS')
    // The second byte of this character is a backslash in ASCII, and the quote behind it the string's end.
    const tricky = query(Buffer.from([...Buffer.from(`SELECT '`), 0x95, 0x5c, ...Buffer.from(`' AS x`)]))
    expect(await answers(client, [tricky, utf8(`UPDATE notes SET note = 'a' WHERE id = 2`)])).toEqual([
      'E:0A000 Z:I',
      'C:UPDATE 1 Z:I',
    ])
    client.socket.write(
      Buffer.concat([
        parse({ name: '', text: 'UPDATE notes SET note = $1 WHERE id = 2 RETURNING note', parameterTypes: [] }),
        bind({ portal: '', statement: '', formats: [], values: [Uint8Array.of(0x95, 0x5c)], resultFormats: [] }),
        execute({ portal: '', maxRows: 0 }),
        sync(),
      ]),
    )
    expect((await client.answers((words) => words.at(-1) === 'Z:I')).slice(2)).toEqual(['D(955c)', 'C:UPDATE 1', 'Z:I'])
    client.end()
  })

  it('takes SQL_ASCII for what the server has, and tells of bytes that are no UTF-8 as PostgreSQL does', async () => {
    for (const encoding of ['SQL_ASCII', 'UTF8']) {
      const client = await clientOf(encoding)
      expect(
        await answers(client, [
          utf8(`SELECT 'é' AS x`),
          latin1(`SELECT 'é' AS x`),
          latin1(`DELETE FROM notes WHERE note = 'é'`),
        ]),
      ).toEqual(['T(x:25:0) D(c3a9) C:SELECT 1 Z:I', 'E:22021 Z:I', 'E:22021 Z:I'])
      client.socket.write(
        Buffer.concat([parse({ name: '', text: Buffer.from(`SELECT 'é'`, 'latin1'), parameterTypes: [] }), sync()]),
      )
      expect(await client.answers((words) => words.at(-1) === 'Z:I')).toEqual(['E:22021', 'Z:I'])
      client.end()
    }
  })
})

describe('encodings of one byte a character', () => {
  let server: TestServer

  beforeAll(async () => {
    server = await startTestServer()
  })
  afterAll(() => server?.remove())

  it('are read as PostgreSQL reads them', async () => {
    const client = await server.client('mesh_admin', 'postgres')
    const differences: string[] = []
    for (const name of READABLE_ENCODINGS.filter((each) => each !== 'UTF8')) {
      const { decode, encode } = encodingOf(name, 'UTF8')
      for (let byte = 0x80; byte <= 0xff; byte++) {
        const theirs = await client
          .query<{ x: string }>(`SELECT convert_from($1, '${name}') AS x`, [Buffer.of(byte)])
          .then(
            ({ rows }) => rows[0]?.x,
            () => undefined,
          )
        const ours = decode(Uint8Array.of(byte)) ?? ''
        if (theirs !== undefined && ours !== theirs) differences.push(`${name} ${byte.toString(16)} ${ours} ${theirs}`)
        expect(encode(ours)).toEqual(Uint8Array.of(byte))
      }
    }
    await client.end()
    expect(differences).toEqual([])
  })
})
