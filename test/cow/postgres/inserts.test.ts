import type pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connectedTo } from '../../support/connected.ts'
import { CopyQuery } from '../../support/copy-query.ts'
import { type GatedProxy, startGatedProxy } from '../../support/cow-proxy.ts'

const SCHEMA = `
CREATE DOMAIN code AS text CHECK (value <> '');
CREATE TABLE users (id int PRIMARY KEY, email text UNIQUE, name varchar(20), state text DEFAULT 'new', n int CHECK (n < 1000));
CREATE UNIQUE INDEX one_name ON users (lower(name)) WHERE state = 'new';
CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users, above int REFERENCES orders);
CREATE TABLE slots (day date, place int, at timestamptz, what text, PRIMARY KEY (day, place), UNIQUE (at, what));
CREATE TABLE kept (day date, place int, note text, FOREIGN KEY (day, place) REFERENCES slots DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE late (id int PRIMARY KEY, n int UNIQUE DEFERRABLE INITIALLY DEFERRED, m int UNIQUE);
CREATE TABLE keyless (n int UNIQUE, m int);
CREATE TABLE countries (code code PRIMARY KEY, name text);
CREATE TABLE cities (id int PRIMARY KEY, country code REFERENCES countries ON UPDATE CASCADE);
CREATE TABLE tagged (tag text COLLATE "C" PRIMARY KEY, other varchar(10) COLLATE "POSIX" UNIQUE, n int);
CREATE TABLE tags (id int PRIMARY KEY, tag text REFERENCES tagged);
CREATE TABLE ruled (id int PRIMARY KEY);
CREATE VIEW ruling AS SELECT id FROM ruled;
CREATE FUNCTION upsert(wanted int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO users (id, n) VALUES (wanted, 5) ON CONFLICT DO NOTHING; RETURN wanted; END $$;
CREATE FUNCTION attempt(wanted int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO users (id) VALUES (wanted), (wanted + 1000); RETURN 'new';
  EXCEPTION WHEN unique_violation THEN RETURN 'there'; END $$;
CREATE FUNCTION attempt_sql(wanted int) RETURNS int LANGUAGE sql AS $$
  INSERT INTO users (id) VALUES (wanted) ON CONFLICT DO NOTHING; SELECT wanted $$;
CREATE FUNCTION removing(wanted int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
  DELETE FROM users WHERE id = wanted; RETURN wanted + 1; END $$;`

const DATA = `
INSERT INTO users SELECT i, 'u' || i, 'Name' || i, CASE WHEN i % 2 = 0 THEN 'new' ELSE 'old' END, i FROM generate_series(1, 900) i;
INSERT INTO orders SELECT i, i, NULL FROM generate_series(1, 50) i;
INSERT INTO slots SELECT '2026-02-01'::date + i, i, '2026-02-01 10:00+00'::timestamptz + i * interval '1 hour', 'w' || i FROM generate_series(1, 300) i;
INSERT INTO late SELECT i, i, i FROM generate_series(1, 20) i;
INSERT INTO keyless SELECT i, i FROM generate_series(1, 20) i;
INSERT INTO countries SELECT 'c' || i, 'n' || i FROM generate_series(1, 20) i;
INSERT INTO cities SELECT i, 'c' || i FROM generate_series(1, 10) i;
INSERT INTO tagged SELECT 't' || i, 'o' || i, i FROM generate_series(1, 20) i;
INSERT INTO tags SELECT i, 't' || i FROM generate_series(1, 10) i;
INSERT INTO ruled SELECT i FROM generate_series(1, 10) i;`

/** What a client is told, without the words around it. */
async function told(client: pg.Client, text: string, rows?: string): Promise<unknown> {
  try {
    if (rows !== undefined) return await CopyQuery.run(client, text, rows)
    const result = await client.query<unknown[]>({ text, rowMode: 'array' })
    return { command: result.command, rowCount: result.rowCount, rows: result.rows }
  } catch (error) {
    const { code, message, table, constraint } = error as pg.DatabaseError
    return { code, message, table, constraint }
  }
}

describe('rows that are inserted over rows of production', () => {
  let proxy: GatedProxy
  let own: pg.Client
  let plain: pg.Client
  let hash = ''

  beforeAll(async () => {
    proxy = await startGatedProxy(SCHEMA, DATA)
    own = await connectedTo(proxy.url)
    plain = await proxy.plain()
    hash = await proxy.upstreamHash()
  })
  afterAll(async () => {
    await own?.end()
    await plain?.end()
    await proxy?.close()
  })
  beforeEach(async () => {
    for (const client of [own, plain]) await client.query('ROLLBACK')
  })

  /** Runs statements on both sides, one after the other; what was told there, and here. */
  const both = async (...texts: readonly (string | readonly [string, string])[]): Promise<[unknown[], unknown[]]> => {
    const outcomes: [unknown[], unknown[]] = [[], []]
    for (const text of texts) {
      const [statement, rows] = typeof text === 'string' ? [text, undefined] : text
      outcomes[0].push({ statement, told: await told(own, statement, rows) })
      outcomes[1].push({ statement, told: await told(plain, statement, rows) })
    }
    return outcomes
  }
  const scansOf = async (work: () => Promise<unknown>): Promise<number> => {
    const before = proxy.gate.counters().sent.scan
    await work()
    return proxy.gate.counters().sent.scan - before
  }
  const touched = async (table: string): Promise<unknown> => {
    const admin = await proxy.admin()
    const { rows } = await admin.query<{ touched: string }>(
      'SELECT touched FROM mesh.tables WHERE relation = $1::regclass',
      [table],
    )
    const count = await admin.query(`SELECT 1 FROM ${rows[0]?.touched ?? ''} WHERE kind = 'c'`)
    await admin.end()
    return count.rowCount
  }

  it('asks production once for each unique index and reference, however many rows a statement inserts', async () => {
    const values = Array.from({ length: 500 }, (_, row) => `(${2000 + row}, 'v${row}')`).join(', ')
    // No row has a name.
    expect(await scansOf(() => both(`INSERT INTO users (id, email) VALUES ${values}`))).toBe(2)
    const selected = `INSERT INTO users (id, email, name) SELECT 3000 + i, 'i' || i, 'i' || i FROM generate_series(1, 900) i`
    expect(await scansOf(() => both(selected))).toBe(3)
    const copied = Array.from({ length: 500 }, (_, row) => `${5000 + row}\tc${row}\n`).join('')
    expect(await scansOf(() => both(['COPY users (id, email) FROM STDIN', copied]))).toBe(2)
    // A scan for the index, one for the users that are referred to, one that copies them up.
    const orders = 'INSERT INTO orders SELECT 100 + i, i, 99 + i FROM generate_series(1, 800) i'
    await both('INSERT INTO orders VALUES (99, NULL, NULL)', 'BEGIN ISOLATION LEVEL REPEATABLE READ')
    expect(await scansOf(() => both(orders.replace('99 + i', '100 + i')))).toBe(3)
    const [mine, theirs] = await both(
      'COMMIT',
      'SELECT count(*), min(id), max(id), sum(user_id), sum(above) FROM orders',
    )
    expect(mine).toEqual(theirs)
  })

  it('finds the one row of production that clashes, by any index, and keeps nothing of it', async () => {
    const before = await touched('users')
    const [mine, theirs] = await both(
      `INSERT INTO users (id, email) SELECT 10000 + i, CASE i WHEN 700 THEN 'u450' ELSE 'f' || i END FROM generate_series(1, 900) i`,
      `INSERT INTO users (id) SELECT CASE i WHEN 5 THEN 899 ELSE 10000 + i END FROM generate_series(1, 10) i`,
      `INSERT INTO users (id, name) VALUES (10001, 'other'), (10002, 'NAME894')`,
      `INSERT INTO users (id, name, state) VALUES (10001, 'NAME894', 'old') RETURNING id`,
      `INSERT INTO users (id, name, state) VALUES (10003, 'NAME893', 'new') RETURNING id`,
      `INSERT INTO slots (day, place, at) SELECT '2026-02-01'::date + i, i, NULL FROM generate_series(250, 700) i`,
      `INSERT INTO slots SELECT '2027-02-01'::date + i, i, '2026-02-01 10:00+00'::timestamptz + i * interval '1 hour', 'w' || 200 FROM generate_series(1, 300) i`,
      `INSERT INTO slots SELECT '2027-02-01'::date + i, i, '2026-02-01 10:00+00'::timestamptz + i * interval '1 hour', 'x' || i FROM generate_series(1, 300) i`,
      `INSERT INTO keyless SELECT i FROM generate_series(20, 40) i`,
      `INSERT INTO keyless SELECT i FROM generate_series(21, 40) i`,
      ['COPY users (id, email) FROM STDIN', '10004\tg1\n10005\tu9\n'],
    )
    expect(mine).toEqual(theirs)
    expect(await touched('users')).toBe(before)
    expect(await touched('slots')).toBe(0)
  })

  it('says first what PostgreSQL says first of a row that breaks several rules', async () => {
    const [mine, theirs] = await both(
      `INSERT INTO users (id, n) VALUES (7, 1000)`,
      `INSERT INTO users (id) VALUES (NULL)`,
      `INSERT INTO orders VALUES (7, 99999, NULL)`,
      `INSERT INTO orders VALUES (8000, 99999, NULL)`,
    )
    expect(mine).toEqual(theirs)
  })

  it('lets functions handle the clash of a row, and ON CONFLICT skip it, wherever it is written', async () => {
    const [mine, theirs] = await both(
      'SELECT upsert(i) FROM generate_series(600, 605) i ORDER BY 1',
      `SELECT attempt(610), attempt(20000)`,
      'SELECT attempt_sql(i) FROM generate_series(611, 612) i ORDER BY 1',
      `INSERT INTO users (id) SELECT upsert(i) + 20100 FROM generate_series(613, 616) i`,
      `INSERT INTO users (id) VALUES (620), (20300) ON CONFLICT DO NOTHING`,
      `PREPARE skipping AS INSERT INTO users (id) VALUES (621), (20301) ON CONFLICT DO NOTHING`,
      'EXECUTE skipping',
      'DEALLOCATE skipping',
      `WITH more AS (INSERT INTO users (id) VALUES (20302), (20303) RETURNING id) INSERT INTO users (id) SELECT id + 10 FROM more`,
      `MERGE INTO users u USING (VALUES (622), (20304)) v (id) ON u.id = v.id WHEN NOT MATCHED THEN INSERT (id) VALUES (v.id)`,
      'SELECT id, n FROM users WHERE id BETWEEN 600 AND 622 OR id >= 20000 ORDER BY id',
    )
    expect(mine).toEqual(theirs)
    const [ruled, plainly] = await both(
      'BEGIN',
      'CREATE RULE ruling AS ON INSERT TO ruling DO INSTEAD INSERT INTO ruled VALUES (NEW.id) ON CONFLICT DO NOTHING',
      'INSERT INTO ruling VALUES (3)',
      'INSERT INTO ruling VALUES (30)',
      'SELECT * FROM ruled ORDER BY id',
      'ROLLBACK',
    )
    expect(ruled).toEqual(plainly)
  })

  it('refuses a row whose clash with production a function of the same statement takes away too late', async () => {
    const [mine, theirs] = await both(
      `INSERT INTO users (id) SELECT CASE i WHEN 1 THEN 700 ELSE removing(700) + 30000 END FROM generate_series(1, 2) i`,
      `INSERT INTO users (id) SELECT CASE i WHEN 1 THEN removing(701) ELSE 701 END + 0 FROM generate_series(2, 2) i`,
      `SELECT id, email FROM users WHERE id BETWEEN 700 AND 702 ORDER BY id`,
      `INSERT INTO users (id) SELECT CASE i WHEN 1 THEN removing(703) + 30000 ELSE 703 END FROM generate_series(1, 2) i`,
      `SELECT id, email FROM users WHERE id BETWEEN 700 AND 703 ORDER BY id`,
    )
    expect(mine).toEqual(theirs)
  })

  it('goes on after savepoints and failed statements of a transaction, row by row and in bulk', async () => {
    const [mine, theirs] = await both(
      'BEGIN',
      'INSERT INTO users (id) SELECT 1 WHERE false',
      'INSERT INTO users (id) VALUES (40001)',
      'SAVEPOINT one',
      'INSERT INTO users (id) VALUES (40002), (800)',
      'ROLLBACK TO one',
      'INSERT INTO users (id) VALUES (40002), (40003)',
      'SELECT upsert(801)',
      'INSERT INTO users (id) VALUES (40004)',
      'SAVEPOINT two',
      'INSERT INTO users (id, email) VALUES (40005, $$u802$$)',
      'ROLLBACK TO two',
      'SELECT id FROM users WHERE id > 40000 ORDER BY id',
      'COMMIT',
    )
    expect(mine).toEqual(theirs)
  })

  it('checks deferred constraints when PostgreSQL does', async () => {
    const [mine, theirs] = await both(
      'BEGIN',
      'INSERT INTO late VALUES (101, 5, 101), (102, 6, 102)',
      'UPDATE late SET n = n + 100 WHERE id IN (5, 6)',
      'COMMIT',
      'BEGIN',
      'INSERT INTO late VALUES (103, 7, 103)',
      'COMMIT',
      'INSERT INTO late VALUES (104, 104, 8), (105, 105, 105)',
      'BEGIN',
      `INSERT INTO kept SELECT '2026-02-01'::date + i, i, 'a' FROM generate_series(200, 299) i`,
      `INSERT INTO kept VALUES ('2026-01-01', 1, 'b')`,
      'COMMIT',
      `INSERT INTO kept SELECT '2026-02-01'::date + i, i, 'a' FROM generate_series(1, 299) i`,
      'SELECT count(*) FROM kept JOIN slots USING (day, place)',
    )
    expect(mine).toEqual(theirs)
  })

  it('follows references whose columns are of a domain, which production is not asked by', async () => {
    const [mine, theirs] = await both(
      `INSERT INTO cities VALUES (100, 'c15')`,
      `INSERT INTO cities SELECT 200 + i, 'c' || i FROM generate_series(1, 20) i`,
      `INSERT INTO cities VALUES (101, 'nowhere')`,
      `UPDATE cities SET country = 'c16' WHERE id = 1`,
      `UPDATE cities SET country = 'nowhere' WHERE id = 2`,
      `DELETE FROM countries WHERE code = 'c3'`,
      `UPDATE countries SET code = 'd4' WHERE code = 'c4'`,
      `DELETE FROM cities WHERE country = 'c5'`,
      `DELETE FROM countries WHERE code = 'c5'`,
      `SELECT * FROM countries ORDER BY code`,
      `SELECT * FROM cities ORDER BY id`,
    )
    expect(mine).toEqual(theirs)
  })

  it('merges tables whose columns, and keys, have a collation of their own', async () => {
    const [mine, theirs] = await both(
      `INSERT INTO tagged VALUES ('T1', 'O1', 100), ('u', 'p', 101)`,
      `INSERT INTO tagged VALUES ('t2', 'q', 102)`,
      `INSERT INTO tagged VALUES ('v', 'o2', 102)`,
      `UPDATE tagged SET n = n + 1 WHERE tag IN ('t3', 'u')`,
      `UPDATE tagged SET n = n + 1 WHERE other = 'o4'`,
      `INSERT INTO tags VALUES (100, 't15'), (101, 'u')`,
      `INSERT INTO tags VALUES (102, 'U')`,
      `DELETE FROM tagged WHERE tag IN ('t5', 't14')`,
      `DELETE FROM tagged WHERE tag = 't14'`,
      `SELECT * FROM tagged WHERE tag > 'T' ORDER BY tag`,
    )
    expect(mine).toEqual(theirs)
  })

  it('leaves production as it was', async () => {
    expect(await proxy.upstreamHash()).toBe(hash)
  })
})
