import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBranch, dropBranch, listBranches } from '../../../../src/cow/postgres/branch/branches.ts'
import type { BranchStore } from '../../../../src/cow/postgres/branch/branch-store.ts'
import { listenForResets } from '../../../../src/cow/postgres/branch/reset-notice.ts'
import { resetBranch, type TableReset } from '../../../../src/cow/postgres/branch/reset.ts'
import { connectServer } from '../../../../src/cow/postgres/server-connection.ts'
import { readStatus } from '../../../../src/cow/postgres/branch/status.ts'
import { changesOf, openTestStore } from '../../../support/branch-stores.ts'
import { type CowProxy, startCowProxy } from '../../../support/cow-proxy.ts'
import { connectTo } from '../../../support/pg-clients.ts'

const SCHEMA = `
  CREATE TABLE users (id bigint PRIMARY KEY, name text);
  CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint REFERENCES users, note text);
  CREATE TABLE log (line text);`
const DATA = `
  INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 20) AS i;
  INSERT INTO orders SELECT i, i, 'note' FROM generate_series(1, 20) AS i;
  INSERT INTO log VALUES ('a'), ('b');`

let proxy: CowProxy
let store: BranchStore

beforeAll(async () => {
  proxy = await startCowProxy(SCHEMA, DATA)
  store = await openTestStore(proxy)
})

afterAll(() => proxy.close())

async function run(...texts: readonly string[]): Promise<pg.QueryResult<Record<string, unknown>>> {
  const client = await connectTo(proxy.url)
  try {
    for (const text of texts.slice(0, -1)) await client.query(text)
    return await client.query<Record<string, unknown>>(texts.at(-1) ?? '')
  } finally {
    await client.end()
  }
}

function reset(...tables: readonly string[]): Promise<readonly TableReset[]> {
  return resetBranch(store, { branch: '', tables, force: true })
}

/** The store of a verb that is killed once it has used so many connections. */
function stoppedAfter(steps: number): BranchStore {
  let left = steps
  return {
    ...store,
    use: async (database, work) => {
      if (left-- === 0) throw new Error('killed')
      return store.use(database, work)
    },
  }
}

describe('a reset', () => {
  it('is an error where a proxy says that it could not read the branch anew', async () => {
    const ears = await listenForResets({
      connect: () => connectServer(proxy.overlay.options('mesh_admin', 'postgres'), new AbortController().signal),
      reset: () => Promise.reject(new Error('the overlay was away')),
      away: () => undefined,
    })
    await run('DELETE FROM orders WHERE id = 3')
    await expect(reset('orders')).rejects.toThrow(/the proxy could not read the branch anew.*restart the proxy/)
    await ears.close()
  })

  it("gives a table production's rows again, and leaves the others", async () => {
    await run(
      `UPDATE users SET name = 'x' WHERE id = 1`,
      'DELETE FROM orders WHERE id = 2',
      'INSERT INTO users VALUES (99)',
    )
    const done = await reset('users')
    expect(done.map(({ table, rows, attached, kept }) => [table.name, rows, attached, kept])).toEqual([
      ['users', 2, false, undefined],
    ])
    expect((await run('SELECT count(*)::int, min(name) FROM users')).rows).toEqual([{ count: 20, min: 'user 1' }])
    expect(await changesOf(store)).toEqual(['deleted orders(2) id=2 user_id=2 note="note"'])
    await reset()
    expect(await reset()).toEqual([])
  })

  it('attaches a table that was truncated or copied whole, and clients change its rows through the proxy as before', async () => {
    await run('TRUNCATE orders', `UPDATE log SET line = 'z'`)
    const done = await reset()
    expect(done.map(({ table, attached }) => [table.name, attached])).toEqual([
      ['log', true],
      ['orders', true],
    ])
    expect((await run('SELECT count(*)::int FROM orders')).rows).toEqual([{ count: 20 }])
    expect((await run('SELECT line FROM log ORDER BY 1')).rows).toEqual([{ line: 'a' }, { line: 'b' }])
    await proxy.engine.reload('shop')
    expect((await run(`UPDATE orders SET note = 'again' WHERE id = 3`)).rowCount).toBe(1)
    await reset()
  })

  it("keeps a table whose columns no longer fit production's, rows and all", async () => {
    await run('TRUNCATE log', 'ALTER TABLE log ADD COLUMN level int', `INSERT INTO log VALUES ('mine', 1)`)
    const [done] = await reset('log')
    expect(done?.kept).toMatch(/missing column "level"/)
    expect((await run('SELECT line FROM log')).rows).toEqual([{ line: 'mine' }])
    await run('ALTER TABLE log DROP COLUMN level')
    expect((await reset('log'))[0]).toMatchObject({ attached: true, kept: undefined })
  })

  it('names tables that may refer to rows which are gone', async () => {
    await run('INSERT INTO users VALUES (99)', 'INSERT INTO orders VALUES (99, 99)')
    expect((await reset('users'))[0]?.referring).toEqual(['public.orders'])
    await reset()
  })

  it('is refused while clients are connected, unless it is forced', async () => {
    const client = await connectTo(proxy.url)
    await client.query('INSERT INTO users VALUES (99)')
    await expect(resetBranch(store, { branch: '', tables: [], force: false })).rejects.toThrow(/1 client is connected/)
    expect(await reset()).toHaveLength(1)
    expect((await client.query('SELECT * FROM users WHERE id = 99')).rows).toEqual([])
    await client.end()
  })
})

describe('a branch', () => {
  it('is made from another with all that is on it, and goes its own way', async () => {
    await run(
      'INSERT INTO users VALUES (50)',
      `ALTER ROLE app IN DATABASE shop SET application_name = 'from the branch'`,
    )
    await createBranch(store, 'copy', '')
    const copy = await proxy.overlay.client('app', 'shop@copy')
    expect((await copy.query('SELECT count(*)::int FROM users')).rows).toEqual([{ count: 21 }])
    expect((await copy.query('SHOW application_name')).rows).toEqual([{ application_name: 'from the branch' }])
    await copy.query('INSERT INTO users VALUES (51)')
    expect((await run('SELECT count(*)::int FROM users')).rows).toEqual([{ count: 21 }])
    await expect(dropBranch(store, 'copy')).rejects.toThrow(/1 client is connected to the branch/)
    await copy.end()
    const branches = await listBranches(store)
    expect(branches.map(({ name, from }) => [name, from])).toEqual([
      ['', undefined],
      ['copy', ''],
    ])
    const [, status] = await readStatus(store, undefined)
    expect(status?.changed.map(({ table, touched, counts }) => [table.name, touched, counts])).toEqual([
      ['users', 2, { inserted: 2, updated: 0, deleted: 0 }],
    ])
    await dropBranch(store, 'copy')
    expect(await listBranches(store)).toHaveLength(1)
    await reset()
  })

  it('is whole, or not there, wherever its making was stopped', async () => {
    await run(`ALTER ROLE app IN DATABASE shop SET application_name = 'from the branch'`)
    let names: readonly string[] = []
    for (let steps = 0; !names.includes('copy'); steps++) {
      await createBranch(stoppedAfter(steps), 'copy', '').catch(() => undefined)
      names = (await listBranches(store)).map(({ name }) => name)
    }
    const copy = await proxy.overlay.client('app', 'shop@copy')
    expect((await copy.query('SHOW application_name')).rows).toEqual([{ application_name: 'from the branch' }])
    await copy.end()
    await dropBranch(store, 'copy')
  })

  it('is not copied while clients are connected to it', async () => {
    const client = await connectTo(proxy.url)
    await expect(createBranch(store, 'copy', '')).rejects.toThrow(/1 client is connected.*copied at rest/)
    await client.end()
  })

  it('is one that exists, or a new name', async () => {
    await expect(createBranch(store, 'copy', 'nothing')).rejects.toThrow(
      /there is no branch "nothing": there are: the first one/,
    )
    await expect(createBranch(store, '', '')).rejects.toThrow(/expected a new branch name/)
    await expect(dropBranch(store, 'nothing')).rejects.toThrow(/there is no branch "nothing"/)
  })
})

describe('the status of a branch', () => {
  it('counts by table, and tells of tables that were made, dropped and truncated', async () => {
    await run('TRUNCATE orders', 'CREATE TABLE extra (id int)', 'INSERT INTO extra VALUES (1)', 'DROP TABLE log')
    const [status] = await readStatus(store, '')
    expect(status?.branch).toMatchObject({ name: '', database: 'shop', clients: 0 })
    expect(status?.branch.made).toMatch(/^\d{4}-\d\d-\d\dT/)
    expect(status?.changed.map(({ table, counts }) => [table.name, table.state, counts.inserted])).toEqual([
      ['extra', 'made', 1],
      ['orders', 'truncated', 0],
      ['log', 'dropped', 0],
    ])
  })
})
