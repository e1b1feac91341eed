import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../../src/core/random.ts'
import { connectedTo } from '../../support/connected.ts'
import { type GatedProxy, startGatedProxy } from '../../support/cow-proxy.ts'
import {
  closeStage,
  interleavings,
  openStage,
  play,
  type ScheduledStep,
  type Stage,
} from '../../support/interleaving.ts'

const SCHEMA = `
CREATE TABLE t (id int PRIMARY KEY, v int);
CREATE TABLE jobs (id int PRIMARY KEY, queue int NOT NULL, state text NOT NULL DEFAULT 'new');
CREATE TABLE branches (id int PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE tellers (id int PRIMARY KEY, branch int REFERENCES branches, balance bigint NOT NULL);
CREATE TABLE accounts (id int PRIMARY KEY, branch int REFERENCES branches, balance bigint NOT NULL);
CREATE TABLE history (teller int, branch int, account int, delta bigint, at timestamptz DEFAULT now());
CREATE TABLE notes (v int);
CREATE TABLE parents (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents ON DELETE CASCADE ON UPDATE CASCADE, v int);
CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE parents SET n = n + 1 WHERE id = NEW.parent; RETURN NEW; END $$;
CREATE TRIGGER counts AFTER UPDATE OF v ON children FOR EACH ROW EXECUTE FUNCTION counted();
CREATE FUNCTION raise_all(lowest int) RETURNS void LANGUAGE sql AS $$ UPDATE parents SET n = n + 100 WHERE id >= lowest $$;
CREATE PROCEDURE drop_one(which int) LANGUAGE plpgsql AS $$ BEGIN DELETE FROM children WHERE id = which; END $$;
CREATE VIEW elders AS SELECT id, n FROM parents WHERE id < 6;`

const DATA = `
INSERT INTO t SELECT i, i FROM generate_series(1, 1000) i;
INSERT INTO jobs SELECT i, i % 4 FROM generate_series(1, 96) i;
INSERT INTO notes SELECT i FROM generate_series(1, 3) i;
INSERT INTO branches SELECT i, 0 FROM generate_series(1, 2) i;
INSERT INTO tellers SELECT i, 1 + i % 2, 0 FROM generate_series(1, 20) i;
INSERT INTO accounts SELECT i, 1 + i % 2, 0 FROM generate_series(1, 500) i;
INSERT INTO parents SELECT i FROM generate_series(1, 12) i;
INSERT INTO children SELECT i, 1 + i % 12, i FROM generate_series(1, 60) i;`

let proxy: GatedProxy
let hash = ''

beforeAll(async () => {
  proxy = await startGatedProxy(SCHEMA, DATA)
  hash = await proxy.upstreamHash()
})
afterAll(async () => {
  await proxy?.close()
})

/** One session that updates, one that deletes, each committed or not, one that comes between; all of them about one row. */
function schedules(begin: string): readonly (readonly ScheduledStep[])[] {
  const third = (place: number): string =>
    [
      'UPDATE t SET v = v * 10 WHERE id = $id RETURNING v',
      'INSERT INTO t VALUES ($id, 5) ON CONFLICT (id) DO UPDATE SET v = t.v + 1000 RETURNING v',
      'SELECT v FROM t WHERE id = $id FOR UPDATE',
      'SELECT v FROM t WHERE id = $id',
    ][Math.floor(place / 4) % 4] ?? ''
  const ends = ['COMMIT', 'ROLLBACK']
  return ends.flatMap((one) =>
    ends.flatMap((other, offset) =>
      interleavings([
        [`${begin}; UPDATE t SET v = v + 1 WHERE id = $id RETURNING v`, one],
        [`${begin}; DELETE FROM t WHERE id = $id RETURNING v`, other],
        ['third'],
      ]).map((schedule, place) =>
        schedule.map((step) => (step.text === 'third' ? { ...step, text: third(place + offset) } : step)),
      ),
    ),
  )
}

describe('copy-up, delete and rollback in three sessions', () => {
  let stages: readonly [Stage, Stage]

  beforeAll(async () => {
    stages = [
      await openStage(() => connectedTo(proxy.url), await proxy.admin(), 3),
      await openStage(() => proxy.plain(), await proxy.plain(), 3),
    ]
  })
  afterAll(async () => {
    for (const stage of stages ?? []) await closeStage(stage)
  })

  let row = 0
  it.each(['BEGIN', 'BEGIN ISOLATION LEVEL REPEATABLE READ'])(
    'come to what they come to on a plain database: %s',
    async (begin) => {
      const all = schedules(begin)
      expect(all).toHaveLength(120)
      let races = 0
      for (const template of all.filter((_, place) => place % 4 === 0)) {
        row += 1
        const schedule = template.map(({ session, text }) => ({ session, text: text.replaceAll('$id', String(row)) }))
        const [mine, theirs] = await Promise.all([play(stages[0], schedule), play(stages[1], schedule)])
        // By its key, and as one of all rows: never hidden twice, never shown twice.
        const last = [`id = ${row}`, `id + 0 = ${row}`].map((condition) => ({
          session: 2,
          text: `SELECT v FROM t WHERE ${condition}`,
        }))
        const [own, plain] = await Promise.all([play(stages[0], last), play(stages[1], last)])
        const shown = JSON.stringify(schedule)
        if (theirs.hasRace || mine.hasRace) {
          races += 1
          expect({ shown, row: own.outcomes[0] }).toEqual({ shown, row: own.outcomes[1] })
        } else {
          const whole = { shown, outcomes: mine.outcomes, row: own.outcomes }
          expect(whole).toEqual({ shown, outcomes: theirs.outcomes, row: plain.outcomes })
        }
      }
      expect(races).toBeLessThan(all.length / 4)
    },
  )
})

describe('workers that share a queue by SKIP LOCKED', () => {
  const statements = [
    `DELETE FROM jobs WHERE id = (SELECT id FROM jobs WHERE queue = 0 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id`,
    `UPDATE jobs SET state = 'done' WHERE id IN (SELECT id FROM jobs WHERE queue = $1 AND state = 'new' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id`,
    `WITH next AS (SELECT id FROM jobs WHERE queue = 2 AND state = 'new' ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED) UPDATE jobs SET state = 'done' FROM next WHERE jobs.id = next.id RETURNING jobs.id`,
  ]
  it.each(statements)('take each job of production once, and leave none: %s', async (text) => {
    // More than a worker asks production for beyond its own: some find all taken that was brought in for them.
    const workers = await Promise.all(Array.from({ length: 16 }, () => connectedTo(proxy.url)))
    const taken: number[] = []
    await Promise.all(
      workers.map(async (worker) => {
        for (;;) {
          const { rows } = await worker.query<{ id: number }>(text, text.includes('$1') ? [1] : undefined)
          if (rows.length === 0) return
          taken.push(...rows.map(({ id }) => id))
        }
      }),
    )
    const queue = statements.indexOf(text)
    const expected = Array.from({ length: 96 }, (_, place) => place + 1).filter((id) => id % 4 === queue)
    expect(taken.toSorted((one, other) => one - other)).toEqual(expected)
    await Promise.all(workers.map((worker) => worker.end()))
  })
})

describe('a worker all of whose candidates are taken before it locks one', () => {
  it.each(['simple', 'extended'] as const)('takes the next job of production all the same: %s', async (protocol) => {
    const [worker, other, watcher] = [await connectedTo(proxy.url), await connectedTo(proxy.url), await proxy.admin()]
    const isLate = protocol === 'extended'
    // Through this lock rows are read, and not brought in: the worker stops between its question and its statement.
    await other.query('BEGIN; LOCK TABLE jobs IN SHARE MODE')
    const text = `SELECT id FROM jobs WHERE queue = 3 AND state = 'new' ORDER BY id LIMIT ${isLate ? '$1' : '1'} FOR UPDATE SKIP LOCKED`
    const picked = worker.query(text, isLate ? [1] : undefined)
    const waits = `SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'jobs'::regclass`
    while ((await watcher.query(waits)).rowCount === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    const taken = `UPDATE jobs SET state = 'done' WHERE id IN (SELECT id FROM jobs WHERE queue = 3 AND state = 'new' ORDER BY id LIMIT 10)`
    expect((await other.query(taken)).rowCount).toBe(10)
    await other.query('COMMIT')
    expect((await picked).rows).toEqual([{ id: isLate ? 83 : 43 }])
    await Promise.all([worker, other, watcher].map((client) => client.end()))
  })
})

describe('sixteen clients that move money', () => {
  it('leave balances that are the sum of all deltas, and production as it was', async () => {
    const clients = await Promise.all(Array.from({ length: 16 }, () => connectedTo(proxy.url)))
    await Promise.all(clients.map((client, number) => payments(client, number, 12)))
    const [first] = clients
    const sums = await first?.query(
      `SELECT (SELECT sum(balance) FROM branches)::int AS branches, (SELECT sum(balance) FROM tellers)::int AS tellers,
        (SELECT sum(balance) FROM accounts)::int AS accounts, sum(delta)::int AS deltas, count(*)::int AS payments FROM history`,
    )
    const { deltas } = (sums?.rows[0] ?? {}) as { readonly deltas?: number }
    expect(sums?.rows).toEqual([{ branches: deltas, tellers: deltas, accounts: deltas, deltas, payments: 16 * 12 }])
    await Promise.all(clients.map((client) => client.end()))
    expect(await proxy.upstreamHash()).toBe(hash)
  })
})

/** TPC-B's transaction, as pgbench runs it. */
async function payments(client: pg.Client, seed: number, count: number): Promise<void> {
  const random = seededRandom(seed)
  const below = (limit: number): number => 1 + Math.floor(random() * limit)
  for (let done = 0; done < count; done += 1) {
    const [account, teller, branch, delta] = [below(500), below(20), below(2), below(9999) - 5000]
    await client.query('BEGIN')
    await client.query('UPDATE accounts SET balance = balance + $1 WHERE id = $2', [delta, account])
    await client.query('SELECT balance FROM accounts WHERE id = $1', [account])
    await client.query('UPDATE tellers SET balance = balance + $1 WHERE id = $2', [delta, teller])
    await client.query('UPDATE branches SET balance = balance + $1 WHERE id = $2', [delta, branch])
    await client.query('INSERT INTO history (teller, branch, account, delta) VALUES ($1, $2, $3, $4)', [
      teller,
      branch,
      account,
      delta,
    ])
    await client.query('COMMIT')
  }
}

describe('writes that the client does not see', () => {
  const writes = [
    'UPDATE children SET v = v + 1 WHERE id = 5',
    'SELECT raise_all(9)',
    'CALL drop_one(7)',
    'DELETE FROM parents WHERE id = 4',
    'UPDATE parents SET id = 100 WHERE id = 3',
    'DO $$ BEGIN UPDATE children SET v = 0 WHERE parent = 2; END $$',
    'UPDATE elders SET n = 7 WHERE id = 1',
    'PREPARE w AS UPDATE parents SET n = -1 WHERE id = 6; EXECUTE w; DEALLOCATE w',
  ]
  // The first and the last can run on production while nothing is touched; those by key, beside touched rows.
  const reads = [
    'SELECT count(*), sum(n), min(id), max(id) FROM parents',
    ...[1, 2, 3, 4, 6, 9, 11, 100].map((id) => `SELECT id, n FROM parents WHERE id = ${id}`),
    ...[2, 5, 7, 13].map((id) => `SELECT id, parent, v FROM children WHERE id = ${id}`),
    'SELECT p.id, sum(c.v) FROM parents p JOIN children c ON c.parent = p.id GROUP BY p.id ORDER BY p.id',
  ]

  it.each(['all', 'overlay'] as const)(
    'are read by the next statement, of this session and of others: lanes %s',
    async (lanes) => {
      const url = lanes === 'all' ? proxy.url : proxy.overlayUrl
      const clients = [await connectedTo(url), await connectedTo(url)]
      const plain = await proxy.plain()
      for (const write of writes) {
        await clients[0]?.query(write)
        await plain.query(write)
        for (const text of reads) {
          const { rows } = await plain.query(text)
          for (const client of clients) {
            expect({ write, text, rows: (await client.query(text)).rows }).toEqual({ write, text, rows })
            expect({ write, text, rows: (await client.query({ text, name: text })).rows }).toEqual({
              write,
              text,
              rows,
            })
          }
        }
      }
      await Promise.all([...clients, plain].map((client) => client.end()))
    },
  )
})

describe('snapshots of production', () => {
  /** What a session sees of a row that production changes in between. */
  const seenBy = async (client: pg.Client, id: number): Promise<readonly unknown[]> => {
    const look = async (): Promise<unknown> => (await client.query('SELECT v FROM t WHERE id = $1', [id])).rows[0]
    const owner = await proxy.upstream.client('mesh_admin', 'shop')
    const before = await look()
    await owner.query('UPDATE t SET v = -v WHERE id = $1', [id])
    const after = await look()
    await owner.query('UPDATE t SET v = -v WHERE id = $1', [id])
    await owner.end()
    return [before, after]
  }

  it('are those of the session that has them, whatever another calls its scans', async () => {
    const [victim, thief] = await Promise.all([connectedTo(proxy.overlayUrl), connectedTo(proxy.overlayUrl)])
    const { rows } = await victim.query<{ pid: number; name: string }>(
      `SELECT pg_backend_pid() AS pid, current_setting('postgres_fdw.application_name') AS name`,
    )
    await thief.query(`SET postgres_fdw.application_name = 'mesh ${rows[0]?.pid}'`)
    await thief.query('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT v FROM t WHERE id = 900')
    expect(await seenBy(victim, 900)).toEqual([{ v: 900 }, { v: -900 }])
    expect(await seenBy(thief, 900)).toEqual([{ v: 900 }, { v: 900 }])
    const own = await thief.query<{ name: string }>(
      `RESET ALL; SELECT current_setting('postgres_fdw.application_name') AS name`,
    )
    expect(rows[0]?.name).toMatch(/^mesh [\w-]{22}$/)
    expect(JSON.stringify(own)).not.toContain(rows[0]?.name)
    await thief.query('ROLLBACK')
    await Promise.all([victim.end(), thief.end()])
  })

  it('hold after a client has reset its settings', async () => {
    const client = await connectedTo(proxy.overlayUrl)
    await client.query("SET postgres_fdw.application_name = 'mine'")
    await client.query('RESET ALL')
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    expect(await seenBy(client, 901)).toEqual([{ v: 901 }, { v: 901 }])
    await client.query('COMMIT')
    expect(await seenBy(client, 901)).toEqual([{ v: 901 }, { v: -901 }])
    await client.end()
  })
})

describe('a table that another session copies whole', () => {
  it('fails a transaction with an older snapshot as any concurrent change does, and not the next one', async () => {
    const [older, other] = await Promise.all([connectedTo(proxy.url), connectedTo(proxy.url)])
    await older.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT v FROM t WHERE id = 1')
    expect((await other.query('UPDATE notes SET v = v + 10')).rowCount).toBe(3)
    const update = 'UPDATE notes SET v = v + 100 WHERE v <> 2'
    await expect(older.query(update)).rejects.toMatchObject({ code: '40001' })
    await older.query('ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ')
    expect((await older.query(update)).rowCount).toBe(3)
    await older.query('COMMIT')
    expect((await other.query('SELECT v FROM notes ORDER BY v')).rows).toEqual([{ v: 111 }, { v: 112 }, { v: 113 }])
    await Promise.all([older.end(), other.end()])
  })
})
