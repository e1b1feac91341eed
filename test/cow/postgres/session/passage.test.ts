import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Branch } from '../../../../src/cow/postgres/branch/branch.ts'
import { BACKEND, readCommandComplete, readReadyForQuery } from '../../../../src/wire/postgres/backend.ts'
import { readErrorFields } from '../../../../src/wire/postgres/error-fields.ts'
import { MessageFramer } from '../../../../src/wire/postgres/framer.ts'
import {
  bind,
  close,
  describe as describeMessage,
  execute,
  flush,
  parse,
  query,
  startupMessage,
  sync,
} from '../../../../src/wire/postgres/frontend.ts'
import { type GatedProxy, startGatedProxy } from '../../../support/cow-proxy.ts'
import { connectTo } from '../../../support/pg-clients.ts'

const SCHEMA = `
CREATE TABLE items (id int PRIMARY KEY, name text);
CREATE TABLE wide (id int PRIMARY KEY, filler text);
CREATE TABLE dirty (id int PRIMARY KEY, name text);`
const DATA = `
INSERT INTO items SELECT i, 'item ' || i FROM generate_series(1, 1000) i;
INSERT INTO dirty SELECT i, 'd' || i FROM generate_series(1, 100) i;
INSERT INTO wide SELECT i, repeat('x', 2000) FROM generate_series(1, 20000) i;`

let proxy: GatedProxy
let branch: Branch

beforeAll(async () => {
  proxy = await startGatedProxy(SCHEMA, DATA)
  const client = await connectTo(proxy.url)
  await client.query(`UPDATE dirty SET name = 'new' WHERE id = 1`)
  await client.end()
  branch = await proxy.branch()
})

afterAll(async () => {
  await proxy?.close()
})

/** A client that speaks the protocol itself, and tells what it is answered by the letters of the messages. */
class Wire {
  readonly #socket: Socket
  readonly #framer = new MessageFramer()

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#framer.push(Uint8Array.from(chunk)))
  }

  static async open(url: string): Promise<Wire> {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    await once(socket, 'connect')
    const wire = new Wire(socket)
    await wire.say([startupMessage({ user: 'app', database: 'shop' })])
    return wire
  }

  /** Sends messages and gives the answers up to `ready` ReadyForQuery: `1 2 D*3 C:SELECT 3 Z:I`. */
  async say(
    messages: readonly Uint8Array[],
    until: (answers: readonly string[]) => boolean = isReady,
  ): Promise<string> {
    for (const message of messages) this.#socket.write(message)
    const answers: string[] = []
    while (!until(answers)) {
      const frame = this.#framer.next()
      if (frame === undefined) await once(this.#socket, 'data')
      else if (frame.piece === undefined) add(answers, frame.type, frame.payload)
    }
    return answers.join(' ')
  }

  end(): void {
    this.#socket.destroy()
  }
}

function isReady(answers: readonly string[]): boolean {
  return answers.at(-1)?.startsWith('Z:') === true
}

function add(answers: string[], type: number, payload: Uint8Array): void {
  const letter = String.fromCharCode(type)
  if (type === BACKEND.dataRow) {
    const [, count] = /^D\*(\d+)$/.exec(answers.at(-1) ?? '') ?? []
    if (count === undefined) answers.push('D*1')
    else answers[answers.length - 1] = `D*${Number(count) + 1}`
  } else if (type === BACKEND.commandComplete) answers.push(`C:${readCommandComplete(payload)}`)
  else if (type === BACKEND.readyForQuery) answers.push(`Z:${readReadyForQuery(payload)}`)
  else if (type === BACKEND.errorResponse) answers.push(`E:${readErrorFields(payload).code}`)
  else answers.push(letter)
}

const text = 'SELECT id, name FROM items WHERE id <= $1 ORDER BY id'
const prepare = (name = '', of = text): Uint8Array => parse({ name, text: of, parameterTypes: [] })
const bound = (value: string | null, portal = '', statement = ''): Uint8Array =>
  bind({ portal, statement, formats: [], values: value === null ? [] : [value], resultFormats: [] })
const described = (kind: 'portal' | 'statement' = 'portal', name = ''): Uint8Array => describeMessage({ kind, name })
const run = (maxRows = 0, portal = ''): Uint8Array => execute({ portal, maxRows })
const closed = (kind: 'portal' | 'statement', name: string): Uint8Array => close({ kind, name })

describe('the extended protocol', () => {
  const conversations: readonly (readonly [string, readonly (readonly Uint8Array[])[]])[] = [
    [
      'a statement, again and again',
      Array.from({ length: 3 }, () => [prepare(), bound('3'), described(), run(), sync()]),
    ],
    [
      'a statement that is described alone',
      [
        [prepare(), described('statement'), sync()],
        [bound('2'), run(), sync()],
      ],
    ],
    [
      'a portal that is described and not run',
      [
        [prepare(), bound('2'), described(), sync()],
        [prepare(), bound('2'), described(), flush(), run(), sync()],
      ],
    ],
    [
      'row limits in a transaction',
      [
        [query('BEGIN')],
        [prepare(), bound('10', 'p'), run(4, 'p'), sync()],
        [run(4, 'p'), sync()],
        [run(4, 'p'), sync()],
        [run(4, 'p'), sync()],
        [closed('portal', 'p'), sync()],
        [query('COMMIT')],
      ],
    ],
    [
      'a portal that ends with its Sync',
      [
        [prepare(), bound('10', 'p'), run(4, 'p'), sync()],
        [run(4, 'p'), sync()],
      ],
    ],
    ['a portal twice', [[prepare(), bound('3'), run(), run(), sync()]]],
    [
      'two portals at once',
      [
        [
          prepare('s'),
          bound('3', 'a', 's'),
          bound('2', 'b', 's'),
          described('portal', 'a'),
          run(0, 'b'),
          run(0, 'a'),
          closed('portal', 'a'),
          sync(),
        ],
        [closed('statement', 's'), sync()],
      ],
    ],
    [
      'an error, and what follows up to Sync',
      [
        [
          prepare('', 'SELECT 1 / (id - id) FROM items WHERE id = $1'),
          bound('3'),
          described(),
          run(),
          bound('3'),
          run(),
          query('SELECT 1'),
          sync(),
        ],
        [prepare(), bound('1'), run(), sync()],
      ],
    ],
    [
      'an error in a transaction',
      [
        [query('BEGIN')],
        [prepare('', 'SELECT 1 / (id - id) FROM items WHERE id = $1'), bound('3'), run(), sync()],
        [prepare(), sync()],
        [query('ROLLBACK')],
      ],
    ],
    [
      'too few parameters, and a statement that is not there',
      [
        [prepare(), bound(null), run(), sync()],
        [bound('1', '', 'nowhere'), run(), sync()],
      ],
    ],
    [
      'a name that is taken',
      [
        [prepare('t'), sync()],
        [prepare('t', 'SELECT 1 FROM items'), sync()],
        [bound('2', '', 't'), run(), sync()],
        [query('DEALLOCATE t')],
        [bound('2', '', 't'), run(), sync()],
      ],
    ],
    [
      'reads and others in one batch',
      [
        [
          prepare(),
          bound('2'),
          run(),
          prepare('', 'SELECT 1'),
          bound(null),
          run(),
          prepare(),
          bound('1'),
          run(),
          sync(),
        ],
      ],
    ],
    ['nothing at all', [[sync()], [flush(), sync()], [query(';')]]],
    [
      'a simple query between',
      [[prepare(), sync()], [query('SELECT id FROM items WHERE id < 3')], [bound('1'), run(), sync()]],
    ],
  ]

  it.each(conversations)('answers as the overlay does: %s', async (_title, parts) => {
    const [here, there] = [await Wire.open(proxy.url), await Wire.open(proxy.overlayUrl)]
    for (const part of parts) {
      expect(await here.say(part)).toBe(await there.say(part))
    }
    here.end()
    there.end()
  })

  it('spares the overlay a Parse that it took before', async () => {
    const wire = await Wire.open(proxy.url)
    const whole = [prepare('', `${text} -- once`), bound('3'), described(), run(), sync()]
    for (let time = 0; time < 3; time++) expect(await wire.say(whole)).toBe('1 2 T D*3 C:SELECT 3 Z:I')
    const admin = await proxy.admin()
    const lastChange = async (): Promise<unknown> => {
      return (await admin.query(`SELECT max(state_change)::text FROM pg_stat_activity WHERE usename = 'app'`)).rows
    }
    const changed = await lastChange()
    expect(await wire.say(whole)).toBe('1 2 T D*3 C:SELECT 3 Z:I')
    expect(await lastChange()).toEqual(changed)
    await admin.end()
    wire.end()
  })
})

describe('drivers', () => {
  it('pipeline, use cursors, and read rows by key beside touched ones', async () => {
    const sql = postgres(proxy.url, { max: 2 })
    expect(
      await proxy.passedBy(async () => {
        const found = await Promise.all(
          Array.from({ length: 60 }, (_, id) => sql`SELECT name FROM items WHERE id = ${id + 1}`),
        )
        expect(found.map(([row]) => row?.['name'] as string)).toEqual(
          Array.from({ length: 60 }, (_, id) => `item ${id + 1}`),
        )
      }),
    ).toBe(60)
    const { byKey } = branch.counters
    const names = await Promise.all([1, 2, 3].map((id) => sql`SELECT name FROM dirty WHERE id = ${id}`))
    expect(names.map(([row]) => row?.['name'] as string)).toEqual(['new', 'd2', 'd3'])
    expect(branch.counters.byKey - byKey).toBe(2)
    let seen = 0
    for await (const part of sql`SELECT id FROM items ORDER BY id`.cursor(300)) seen += part.length
    expect(seen).toBe(1000)
    await sql.end()
    await expect.poll(() => proxy.gate.counters().busy).toBe(0)
  })

  it('cancel what runs on production, and what takes longer than their statement_timeout ends', async () => {
    const endless = 'SELECT count(*) FROM wide a, wide b, wide c WHERE a.id + b.id <> c.id'
    const sql = postgres(proxy.url, { max: 1 })
    const slow = sql.unsafe(endless).execute()
    await expect.poll(() => proxy.gate.counters().busy).toBe(1)
    slow.cancel()
    await expect(slow).rejects.toMatchObject({ code: '57014', message: 'canceling statement due to user request' })
    expect(await sql`SELECT name FROM items WHERE id = 1`).toMatchObject([{ name: 'item 1' }])
    await sql`SET statement_timeout = '100ms'`
    await expect(sql.unsafe(endless)).rejects.toMatchObject({ message: 'canceling statement due to statement timeout' })
    await sql.end()
  })

  it('that leave while rows come do not hold a connection to production', async () => {
    const wire = await Wire.open(proxy.url)
    await wire.say([query('SELECT * FROM wide')], (answers) => answers.length > 1)
    wire.end()
    await expect.poll(() => proxy.gate.counters().busy).toBe(0)
  })

  it('that read slowly are waited for', async () => {
    const client = await connectTo(proxy.url)
    const { rows } = await client.query<{ bytes: string }>('SELECT filler AS bytes FROM wide')
    expect([rows.length, rows.every(({ bytes }) => bytes.length === 2000)]).toEqual([20_000, true])
    await client.end()
  })
})

describe('production', () => {
  it('has at most ten connections of fifty clients, none of them idle in a transaction', async () => {
    const clients = await Promise.all(Array.from({ length: 50 }, () => connectTo(proxy.url)))
    const admin = await proxy.upstream.client('mesh_admin', 'shop')
    for (const client of clients) await client.query('BEGIN')
    await Promise.all(
      clients.map(async (client) => {
        for (let id = 1; id <= 20; id++) await client.query('SELECT name FROM items WHERE id = $1', [id])
      }),
    )
    const { rows } = await admin.query<{ n: number; idle: number }>(
      `SELECT count(*)::int AS n, count(*) FILTER (WHERE state LIKE 'idle in%')::int AS idle FROM pg_stat_activity WHERE usename = 'reader'`,
    )
    expect(rows[0]?.n).toBeLessThanOrEqual(10)
    expect(rows[0]?.idle).toBe(0)
    await Promise.all([...clients, admin].map((client) => client.end()))
  })

  it('may be gone for a while: statements fail with 08006, and sessions go on when it is back', async () => {
    const client = await connectTo(proxy.url)
    const read = (): Promise<unknown> => client.query('SELECT name FROM items WHERE id = $1', [1])
    await read()
    await proxy.upstream.halt()
    await expect(read()).rejects.toMatchObject({ code: '08006' })
    await client.query('BEGIN')
    await expect(read()).rejects.toMatchObject({ code: '08006' })
    await expect(read()).rejects.toMatchObject({ code: '25P02' })
    await client.query('ROLLBACK')
    await proxy.upstream.start()
    expect(await read()).toMatchObject({ rows: [{ name: 'item 1' }] })
    await client.end()
  })
})
