import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { concatBytes } from '../../../src/core/bytes.ts'
import { connectServer } from '../../../src/cow/postgres/server-connection.ts'
import type { ServerConnection, ServerOptions } from '../../../src/cow/postgres/server-connection.ts'
import { postgresErrorOf } from '../../../src/wire/postgres/error-fields.ts'
import { BACKEND, readTextRow } from '../../../src/wire/postgres/backend.ts'
import {
  bind,
  copyData,
  copyDone,
  describe as describeMessage,
  execute,
  parse,
  query,
  sync,
} from '../../../src/wire/postgres/frontend.ts'
import { rejectionOf } from '../../support/errors.ts'
import { POSTGRES_ABSENT, startPostgres } from '../../support/postgres.ts'
import type { TestPostgres } from '../../support/postgres.ts'

describe.skipIf(POSTGRES_ABSENT)('a server connection', () => {
  let server: TestPostgres
  const signal = new AbortController().signal

  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop())

  const options = (more: Partial<ServerOptions> = {}): ServerOptions => ({
    address: { socketFolder: server.socketFolder, port: server.port },
    user: server.superuser,
    database: 'postgres',
    ...more,
  })
  const withConnection = async (
    use: (connection: ServerConnection) => Promise<void>,
    more: Partial<ServerOptions> = {},
  ): Promise<void> => {
    const connection = await connectServer(options(more), signal)
    try {
      await use(connection)
    } finally {
      connection.destroy()
    }
  }

  it('gives one result for each statement of a text', async () => {
    await withConnection(async (connection) => {
      const results = await connection.query("select 1 as one, null as nothing; create temp table t(a int); select 'é'")
      expect(results.map(({ rows, tag }) => ({ rows, tag }))).toEqual([
        { rows: [['1', null]], tag: 'SELECT 1' },
        { rows: [], tag: 'CREATE TABLE' },
        { rows: [['é']], tag: 'SELECT 1' },
      ])
      expect(results[0]?.fields.map(({ name, typeOid }) => ({ name, typeOid }))).toEqual([
        { name: 'one', typeOid: 23 },
        { name: 'nothing', typeOid: 25 },
      ])
    })
  })

  it('runs a statement with parameters', async () => {
    await withConnection(async (connection) => {
      const result = await connection.execute('select $1::int + 1 as sum, $2::text as word', ['41', null])
      expect(result).toMatchObject({ fields: [{ name: 'sum' }, { name: 'word' }], rows: [['42', null]] })
      const typed = await connection.execute('select pg_typeof($1)', ['7'], [20])
      expect(typed.rows).toEqual([['bigint']])
      expect(await connection.execute('', [])).toEqual({ fields: [], rows: [], tag: '' })
    })
  })

  it('runs queries one after the other, however they are called', async () => {
    await withConnection(async (connection) => {
      const calls = Array.from({ length: 20 }, (_, index) => connection.execute('select $1::int', [String(index)]))
      const results = await Promise.all(calls)
      expect(results.map(({ rows }) => Number(rows[0]?.[0]))).toEqual(Array.from({ length: 20 }, (_, index) => index))
    })
  })

  it('says what the server said of a statement, and goes on', async () => {
    await withConnection(async (connection) => {
      const error = await rejectionOf(connection.query('select 1; select * from nowhere'))
      expect(error.code).toBe('MESH_ERR_POSTGRES')
      expect(error.message).toMatch(
        /expected the statement to run, found ERROR 42P01: relation "nowhere" does not exist/,
      )
      expect(postgresErrorOf(error)).toMatchObject({ severity: 'ERROR', code: '42P01', position: 25 })
      const failed = await rejectionOf(connection.execute('select 1/$1::int', ['0']))
      expect(postgresErrorOf(failed)?.code).toBe('22012')
      expect((await connection.query('select 1'))[0]?.rows).toEqual([['1']])
    })
  })

  it('knows its transaction, its settings and its process', async () => {
    await withConnection(
      async (connection) => {
        expect(connection.status).toBe('I')
        await connection.query('begin')
        expect(connection.status).toBe('T')
        await rejectionOf(connection.query('nonsense'))
        expect(connection.status).toBe('E')
        await connection.query('rollback')
        expect(connection.parameters.get('application_name')).toBe('mesh test')
        await connection.query("set application_name = 'another'")
        expect(connection.parameters.get('application_name')).toBe('another')
        expect(connection.parameters.get('client_encoding')).toBe('UTF8')
        const [own] = await connection.query('select pg_backend_pid()')
        expect(own?.rows).toEqual([[String(connection.processId)]])
      },
      { parameters: { application_name: 'mesh test' } },
    )
  })

  it('hands notices over', async () => {
    await withConnection(async (connection) => {
      const notices: string[] = []
      connection.onNotice(({ code, message }) => notices.push(`${code} ${message}`))
      await connection.query("do $$ begin raise info 'mesh touched 7' using errcode = 'MSH01'; end $$")
      expect(notices).toEqual(['MSH01 mesh touched 7'])
    })
  })

  it('refuses a result that is too large, and goes on', async () => {
    await withConnection(
      async (connection) => {
        const error = await rejectionOf(connection.query("select repeat('x', 1000), generate_series(1, 10000000)"))
        expect(error).toMatchObject({ code: 'MESH_ERR_LIMIT' })
        expect(error.message).toMatch(/at most 100000 bytes/)
        expect((await connection.query('select 2'))[0]?.rows).toEqual([['2']])
      },
      { maxResultBytes: 100_000 },
    )
  })

  it('puts a row together that came in pieces', async () => {
    await withConnection(
      async (connection) => {
        const [result] = await connection.query("select repeat('x', 300000) as long, 'y' as short")
        expect(result?.rows[0]?.map((value) => value?.length)).toEqual([300_000, 1])
      },
      { maxHeldBytes: 1000 },
    )
  })

  it('refuses a COPY in a query, and goes on', async () => {
    await withConnection(async (connection) => {
      await connection.query('create temp table c(a int)')
      for (const text of ['copy c from stdin', 'copy c to stdout']) {
        expect((await rejectionOf(connection.query(text))).message).toMatch(/found a COPY/)
        expect((await rejectionOf(connection.execute(text, []))).message).toMatch(/found a COPY/)
      }
      expect((await connection.query('select count(*) from c'))[0]?.rows).toEqual([['0']])
    })
  })

  it('stops a statement when the signal aborts, and goes on', async () => {
    await withConnection(async (connection) => {
      const stop = new AbortController()
      const running = rejectionOf(connection.query('select pg_sleep(60)', stop.signal))
      const waiting = rejectionOf(connection.query('select 1', stop.signal))
      const [first] = await connectServer(options(), signal).then(async (other) => {
        await untilActive(other, connection.processId)
        stop.abort()
        const errors = await Promise.all([running, waiting])
        await other.end()
        return errors
      })
      expect(first).toMatchObject({ code: 'MESH_ERR_ABORTED' })
      expect((await connection.query('select 3'))[0]?.rows).toEqual([['3']])
    })
  })

  it('hands over every message in raw mode, and goes back', async () => {
    await withConnection(async (connection) => {
      const types = await rawReply(
        connection,
        concatBytes([
          parse({ name: 's', text: 'select $1::int', parameterTypes: [] }),
          describeMessage({ kind: 'statement', name: 's' }),
          bind({ portal: '', statement: 's', formats: [], values: ['5'], resultFormats: [] }),
          execute({ portal: '', maxRows: 0 }),
          sync(),
        ]),
      )
      expect(types).toBe('1tT2DCZ')
      await expect(connection.query('select 1')).rejects.toThrow(/expected no query in raw mode/)
      connection.onMessage(undefined)
      expect((await connection.query('select 1'))[0]?.rows).toEqual([['1']])
    })
  })

  it('copies data in, and hands rows over in runs', async () => {
    await withConnection(async (connection) => {
      await connection.query('create temp table c(a int)')
      const data = copyData(Buffer.from(Array.from({ length: 1000 }, (_, index) => `${index}\n`).join('')))
      expect(await rawReply(connection, concatBytes([query('copy c from stdin'), data, copyDone()]))).toBe('GCZ')
      connection.onMessage(undefined)
      let rows = 0
      let frames = 0
      await new Promise<void>((resolve) => {
        connection.onMessage(
          (frame) => {
            frames++
            if (frame.piece !== undefined) rows += frame.messages
            if (frame.type === BACKEND.readyForQuery) resolve()
          },
          { runTypes: [BACKEND.dataRow] },
        )
        connection.write(query('select * from c'))
      })
      expect(rows).toBe(1000)
      expect(frames).toBeLessThan(30)
    })
  })

  it('gives nothing while it is paused, and every row in order after that', async () => {
    await withConnection(async (connection) => {
      const seen: number[] = []
      let paused = false
      let whilePaused = 0
      await new Promise<void>((resolve) => {
        connection.onMessage((frame) => {
          if (paused) whilePaused++
          if (frame.type === BACKEND.dataRow && frame.piece === undefined) {
            seen.push(Number(readTextRow(frame.payload)[0]))
            if (seen.length % 1000 === 0) {
              paused = true
              connection.pause()
              setImmediate(() => {
                paused = false
                connection.resume()
              })
            }
          }
          if (frame.type === BACKEND.readyForQuery) resolve()
        })
        connection.write(query('select generate_series(0, 49999)'))
      })
      expect(seen).toEqual(Array.from({ length: 50_000 }, (_, index) => index))
      expect(whilePaused).toBe(0)
    })
  })

  it('says when to stop writing, and when to go on', async () => {
    await withConnection(async (connection) => {
      await connection.query('create temp table c(a text)')
      const line = copyData(Buffer.from(`${'x'.repeat(65_000)}\n`))
      let stops = 0
      let maxUnsentBytes = 0
      let left = 200
      const reply = await new Promise<string>((resolve) => {
        let types = ''
        const fill = (): void => {
          while (left > 0) {
            left--
            const more = connection.write(line)
            maxUnsentBytes = Math.max(maxUnsentBytes, connection.unsentBytes)
            if (!more) {
              stops++
              return
            }
          }
          if (left-- === 0) connection.write(copyDone())
        }
        connection.onMessage(
          (frame) => {
            types += String.fromCharCode(frame.type)
            if (frame.type === BACKEND.copyInResponse) fill()
            if (frame.type === BACKEND.readyForQuery) resolve(types)
          },
          { drain: fill },
        )
        connection.write(query('copy c from stdin'))
      })
      expect(reply).toBe('GCZ')
      expect(stops).toBeGreaterThan(10)
      expect(maxUnsentBytes).toBeLessThan(400_000)
    })
  })

  it('ends what a handler throws with its connection', async () => {
    const connection = await connectServer(options(), signal)
    connection.onMessage(() => {
      throw new Error('of the handler')
    })
    connection.write(query('select 1'))
    expect((await connection.closed)?.message).toMatch(/of the handler/)
  })

  it('gives what the server said before it closed, however long that waited', async () => {
    await withConnection(async (other) => {
      const connection = await connectServer(options(), signal)
      const types: string[] = []
      connection.onMessage((frame) => types.push(String.fromCharCode(frame.type)))
      connection.pause()
      await other.execute('select pg_terminate_backend($1, 60000)', [String(connection.processId)])
      expect(types).toEqual([])
      connection.resume()
      expect((await connection.closed)?.message).toMatch(/FATAL 57P01/)
      expect(types).toEqual(['E'])
    })
  })

  it('says why the server ended it', async () => {
    await withConnection(async (other) => {
      const connection = await connectServer(options(), signal)
      const running = rejectionOf(connection.query('select pg_sleep(60)'))
      await untilActive(other, connection.processId)
      await other.execute('select pg_terminate_backend($1)', [String(connection.processId)])
      expect(postgresErrorOf(await running)?.code).toBe('57P01')
      const why = await connection.closed
      expect(why?.message).toMatch(/expected the connection to stay open, found FATAL 57P01/)
      await expect(connection.query('select 1')).rejects.toThrow(/57P01/)
    })
  })

  it('is over without an error where we end it', async () => {
    const connection = await connectServer(options(), signal)
    const last = connection.query('select 4')
    await connection.end()
    expect((await last)[0]?.rows).toEqual([['4']])
    expect(await connection.closed).toBeUndefined()
    await expect(connection.query('select 1')).rejects.toMatchObject({ code: 'MESH_ERR_ABORTED' })
    const other = await connectServer(options(), signal)
    other.destroy()
    expect(await other.closed).toBeUndefined()
  })
})

/** Sends messages in raw mode; the types of everything that comes back until the server is ready. */
function rawReply(connection: ServerConnection, messages: Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    let types = ''
    connection.onMessage((frame) => {
      types += String.fromCharCode(frame.type)
      if (frame.type === BACKEND.readyForQuery) resolve(types)
    })
    connection.write(messages)
  })
}

/** Waits until the session runs something. */
async function untilActive(connection: ServerConnection, processId: number): Promise<void> {
  for (;;) {
    const text = "select 1 from pg_stat_activity where pid = $1 and state = 'active'"
    const { rows } = await connection.execute(text, [String(processId)])
    if (rows.length > 0) return
  }
}
