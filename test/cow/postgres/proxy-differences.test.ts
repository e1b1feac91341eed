import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CopyQuery } from '../../support/copy-query.ts'
import { type CowProxy, startCowProxy } from '../../support/cow-proxy.ts'
import { connectedTo } from '../../support/connected.ts'
import { PROXY_DATA, PROXY_SCHEMA } from './random/schema.ts'

/** A trigger that finds its tables by the search_path. */
const WATCHED = `CREATE TABLE watched (id int PRIMARY KEY, n int);
CREATE TABLE seen (what text);
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO seen VALUES (TG_OP || ' ' || OLD.id); RETURN NULL; END $$;
CREATE TRIGGER watches AFTER UPDATE OR DELETE ON watched FOR EACH ROW EXECUTE FUNCTION watch();`

/** Tables that refer to others and have no key to tell their rows by, and one that is referred to without. */
const KEYLESS = `CREATE TABLE roles (name text PRIMARY KEY, n int);
CREATE TABLE grants (who text, role text REFERENCES roles);
CREATE TABLE roles_held (who text, role text REFERENCES roles ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE roles_wished (who text, role text REFERENCES roles ON DELETE SET NULL ON UPDATE SET NULL);
CREATE TABLE roles_kept (who text, role text REFERENCES roles ON DELETE RESTRICT);
CREATE TABLE roles_late (who text, role text REFERENCES roles DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE codes (code text UNIQUE, above text REFERENCES codes (code));
CREATE TABLE coded (id int PRIMARY KEY, code text REFERENCES codes (code));`
const KEYLESS_DATA = `INSERT INTO roles SELECT 'r' || i, i FROM generate_series(1, 12) i;
INSERT INTO grants VALUES ('a', 'r1'), ('b', NULL);
INSERT INTO roles_held VALUES ('a', 'r2'), ('b', 'r2'), ('c', 'r3'), ('d', 'r4'), ('e', 'r10');
INSERT INTO roles_wished VALUES ('a', 'r2'), ('b', 'r6');
INSERT INTO roles_kept VALUES ('a', 'r5');
INSERT INTO roles_late VALUES ('a', 'r9');
INSERT INTO codes VALUES ('top', NULL), ('low', 'top');`

/** Differences that random statements through the proxy have found, one a test. */
describe('what differed from a plain database once', () => {
  let proxy: CowProxy
  let client: pg.Client

  beforeAll(async () => {
    proxy = await startCowProxy(
      `${PROXY_SCHEMA} CREATE TABLE days (day date PRIMARY KEY, n int); ${WATCHED} ${KEYLESS}`,
      `${PROXY_DATA} INSERT INTO days SELECT '2026-01-13'::date + i, i FROM generate_series(0, 9) i; INSERT INTO watched VALUES (1, 1), (2, 2); ${KEYLESS_DATA}`,
    )
    client = await connectedTo(proxy.url)
  })
  afterAll(async () => {
    await client?.end()
    await proxy?.close()
  })

  it("updates a row twice in one transaction though its parent is production's still", async () => {
    await client.query('BEGIN; UPDATE c SET v = v + 1 WHERE id = 3')
    expect((await client.query('UPDATE c SET v = v + 1 WHERE id = 3 RETURNING v')).rows).toEqual([{ v: 5 }])
    await client.query('SAVEPOINT s; UPDATE c SET v = 0 WHERE id = 3; ROLLBACK TO s')
    expect((await client.query('UPDATE c SET v = v + 1 WHERE id = 3 RETURNING v')).rows).toEqual([{ v: 6 }])
    await client.query('COMMIT')
  })

  it('updates a row that was copied inside the transaction though its parent was not', async () => {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    expect((await client.query('UPDATE c SET v = 1 WHERE id = 4')).rowCount).toBe(1)
    expect((await client.query('UPDATE c SET v = 2 WHERE id = 4')).rowCount).toBe(1)
    await client.query('COMMIT')
  })

  it('prepares a write by SQL, with parameters, and changes the right rows by EXECUTE', async () => {
    await client.query('PREPARE w (int, int) AS UPDATE c SET v = $2 WHERE id = $1')
    await client.query('EXECUTE w (5, 77)')
    await client.query('EXECUTE w (6, 78)')
    expect((await client.query('SELECT id, v FROM c WHERE id IN (5, 6) ORDER BY id')).rows).toEqual([
      { id: 5, v: 77 },
      { id: 6, v: 78 },
    ])
    await client.query('DEALLOCATE w')
  })

  it('upserts over a row of production by a partial index over an expression', async () => {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    const upsert = `INSERT INTO r (id, flag, x) VALUES (900, true, 'x6') ON CONFLICT (lower(x)) WHERE flag DO UPDATE SET c_id = NULL RETURNING id`
    expect((await client.query(upsert)).rows).toEqual([{ id: 6 }])
    await client.query('COMMIT')
  })

  it('copies rows into a table that was truncated, or copied whole, before', async () => {
    await client.query('UPDATE bare SET b = b WHERE a = 1')
    expect(await CopyQuery.run(client, 'COPY bare FROM STDIN', '90\tx\n91\ty\n')).toMatchObject({ tag: 'COPY 2' })
    expect((await client.query('SELECT count(*)::int AS n FROM bare')).rows).toEqual([{ n: 27 }])
    await client.query('BEGIN; TRUNCATE log')
    await client.query('COMMIT')
    expect(await CopyQuery.run(client, 'COPY log FROM STDIN', '1\ta\n')).toMatchObject({ tag: 'COPY 1' })
    expect((await client.query('SELECT what FROM log')).rows).toEqual([{ what: 'a' }])
  })

  it('says in an aborted transaction that COPY is ignored, and goes on after it', async () => {
    await client.query('BEGIN')
    await expect(client.query('SELECT 1 / 0')).rejects.toMatchObject({ code: '22012' })
    await expect(CopyQuery.run(client, 'COPY p FROM STDIN', '1\n')).rejects.toMatchObject({ code: '25P02' })
    await client.query('ROLLBACK')
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
  })

  it('copies up rows whose key has a date, whatever the client writes dates like', async () => {
    for (const [style, n] of [
      ['German', 3],
      ['SQL, DMY', 6],
    ] as const) {
      await client.query(`SET DateStyle = '${style}'`)
      expect((await client.query(`UPDATE days SET n = n + 10 WHERE n = ${n} RETURNING n`)).rows).toEqual([
        { n: n + 10 },
      ])
      await client.query(`SELECT n FROM days ORDER BY day DESC LIMIT ${n} FOR UPDATE`)
      await client.query(`DO $$ BEGIN UPDATE days SET n = -n WHERE n = ${n + 1}; END $$`)
      expect((await client.query(`SELECT n FROM days WHERE n < 0 ORDER BY n LIMIT 1`)).rows).toEqual([{ n: -n - 1 }])
    }
    await client.query('RESET DateStyle')
  })

  it('says nothing to a client that says goodbye', async () => {
    const errors: unknown[] = []
    for (let place = 0; place < 5; place += 1) {
      const leaving = await connectedTo(proxy.url)
      leaving.on('error', (error) => errors.push(error))
      await leaving.query('SELECT 1')
      await leaving.end()
    }
    expect(errors).toEqual([])
  })

  it('runs triggers of users under the search_path of the client, where a function changes a row of production', async () => {
    await client.query(`DO $$ BEGIN UPDATE watched SET n = 5 WHERE id = 1; END $$`)
    await client.query(
      `SET search_path = pg_catalog, public; DO $$ BEGIN DELETE FROM watched WHERE id = 2; END $$; RESET search_path`,
    )
    expect((await client.query('SELECT what FROM seen')).rows).toEqual([{ what: 'UPDATE 1' }, { what: 'DELETE 2' }])
  })

  it("refuses to delete what a row of production refers to from a table without a key, in PostgreSQL's words", async () => {
    await expect(client.query(`DELETE FROM roles WHERE name = 'r1'`)).rejects.toMatchObject({
      code: '23503',
      message: 'update or delete on table "roles" violates foreign key constraint "grants_role_fkey" on table "grants"',
      table: 'grants',
    })
    await expect(client.query(`UPDATE roles SET name = 'x' WHERE name = 'r1'`)).rejects.toMatchObject({
      code: '23503',
      message: 'update or delete on table "roles" violates foreign key constraint "grants_role_fkey" on table "grants"',
    })
    await expect(client.query(`DELETE FROM roles WHERE name = 'r5'`)).rejects.toMatchObject({
      code: '23001',
      message:
        'update or delete on table "roles" violates RESTRICT setting of foreign key constraint "roles_kept_role_fkey" on table "roles_kept"',
    })
    expect((await client.query(`UPDATE roles SET n = 0 WHERE name = 'r1'`)).rowCount).toBe(1)
    expect((await client.query(`DELETE FROM roles WHERE name = 'r7'`)).rowCount).toBe(1)
  })

  it('checks a deferred reference of a table without a key at the end of the transaction', async () => {
    await client.query(`BEGIN; DELETE FROM roles WHERE name = 'r9'`)
    await expect(client.query('COMMIT')).rejects.toMatchObject({ code: '23503', constraint: 'roles_late_role_fkey' })
    await client.query(`BEGIN; DELETE FROM roles WHERE name = 'r9'; INSERT INTO roles VALUES ('r9', 99); COMMIT`)
    expect((await client.query(`SELECT n FROM roles WHERE name = 'r9'`)).rows).toEqual([{ n: 99 }])
  })

  it('takes rows of tables without a key along where a reference cascades, or sets null', async () => {
    await client.query(`BEGIN; DELETE FROM roles WHERE name = 'r2'; ROLLBACK`)
    expect((await client.query(`SELECT count(*)::int AS n FROM roles_held`)).rows).toEqual([{ n: 5 }])
    await client.query(`DELETE FROM roles WHERE name = 'r2'`)
    await client.query(`UPDATE roles SET name = 'r44' WHERE name = 'r4'`)
    await client.query(`UPDATE roles SET name = 'r66' WHERE name = 'r6'`)
    const held = await client.query(`SELECT who, role FROM roles_held ORDER BY who`)
    expect(held.rows).toEqual([
      { who: 'c', role: 'r3' },
      { who: 'd', role: 'r44' },
      { who: 'e', role: 'r10' },
    ])
    const wished = await client.query(`SELECT who, role FROM roles_wished ORDER BY who`)
    expect(wished.rows).toEqual([
      { who: 'a', role: null },
      { who: 'b', role: null },
    ])
  })

  it('finds a parent of production in a table without a key, and says where it would have to copy what it is using', async () => {
    await expect(client.query(`INSERT INTO codes VALUES ('new', 'top')`)).rejects.toMatchObject({
      code: '55006',
      hint: 'An UPDATE of public.codes before, with WHERE false, copies it.',
    })
    await expect(client.query(`INSERT INTO coded VALUES (1, 'none')`)).rejects.toMatchObject({ code: '23503' })
    expect((await client.query(`INSERT INTO coded VALUES (1, 'low')`)).rowCount).toBe(1)
    expect((await client.query(`INSERT INTO codes VALUES ('new', 'top')`)).rowCount).toBe(1)
    await expect(client.query(`DELETE FROM codes WHERE code = 'low'`)).rejects.toMatchObject({ code: '23503' })
    expect((await client.query(`SELECT count(*)::int AS n FROM codes`)).rows).toEqual([{ n: 3 }])
  })

  it('says what is wrong with an UPDATE in a transaction that may not write, rather than that nothing can be copied up', async () => {
    const tooLong = `UPDATE doc SET note = 'far too long' WHERE id IN (1, 2)`
    // One snapshot: rows would be copied up inside the transaction, which has become one that reads.
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION READ ONLY')
    await expect(client.query(tooLong)).rejects.toMatchObject({ code: '22001' })
    await client.query('ROLLBACK')
    for (const write of [
      `UPDATE doc SET note = 'short' WHERE id IN (1, 2)`,
      `DELETE FROM doc WHERE id = 2`,
      `SELECT id FROM doc WHERE id = 2 FOR UPDATE`,
      `UPDATE bare SET b = 'x'`,
      `DO $$ BEGIN UPDATE doc SET note = 'short' WHERE id = 1; END $$`,
    ]) {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
      await expect(client.query(write)).rejects.toMatchObject({ code: '25006' })
      await client.query('ROLLBACK')
    }
    await expect(client.query(`BEGIN ISOLATION LEVEL SERIALIZABLE; ${tooLong}`)).rejects.toMatchObject({
      code: '22001',
    })
    await client.query('ROLLBACK')
  })
})
