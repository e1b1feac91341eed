import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type GatedProxy, startGatedProxy } from '../../support/cow-proxy.ts'
import { connectTo } from '../../support/pg-clients.ts'

const SCHEMA = `
CREATE TABLE orders (id int PRIMARY KEY, note text);
CREATE TABLE bills (id int PRIMARY KEY, note text);
CREATE TABLE log (line text);
CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := NEW.note || '!'; RETURN NEW; END $$;
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'fired as %', current_user; END $$;
CREATE TRIGGER marks BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION mark();
CREATE TRIGGER fails BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION fail();
CREATE RULE tells AS ON INSERT TO orders DO ALSO INSERT INTO log VALUES (NEW.note);
ALTER TABLE orders ENABLE ALWAYS TRIGGER marks, ENABLE REPLICA TRIGGER fails, ENABLE ALWAYS RULE tells;`
const DATA = `
ALTER TABLE orders DISABLE TRIGGER USER, DISABLE RULE tells;
INSERT INTO orders SELECT i, 'o' || i FROM generate_series(1, 9) i;
INSERT INTO bills SELECT i, 'b' || i FROM generate_series(1, 9) i;`

describe('triggers and rules that fire for replicas too', () => {
  let proxy: GatedProxy

  beforeAll(async () => {
    proxy = await startGatedProxy(SCHEMA, DATA)
  })
  afterAll(async () => {
    await proxy?.close()
  })

  it('fire where a client writes, not where a row comes onto the branch', async () => {
    const client = await connectTo(proxy.url)
    await client.query('SELECT * FROM orders WHERE id = 1 FOR UPDATE')
    await client.query(`UPDATE orders SET note = 'paid' WHERE id = 2; INSERT INTO orders VALUES (10, 'new')`)
    const { rows } = await client.query('SELECT id, note FROM orders WHERE id IN (1, 2, 10) ORDER BY id')
    expect(rows).toEqual([
      { id: 1, note: 'o1' },
      { id: 2, note: 'paid!' },
      { id: 10, note: 'new!' },
    ])
    expect((await client.query('SELECT line FROM log')).rows).toEqual([{ line: 'new' }])
    await client.end()
  })

  it('do so where a branch makes them', async () => {
    const client = await connectTo(proxy.url)
    await client.query(`CREATE TRIGGER marks BEFORE INSERT OR UPDATE ON bills FOR EACH ROW EXECUTE FUNCTION mark();
      CREATE TRIGGER fails BEFORE INSERT ON bills FOR EACH ROW EXECUTE FUNCTION fail();
      ALTER TABLE bills ENABLE ALWAYS TRIGGER marks, ENABLE REPLICA TRIGGER fails`)
    await client.query('SELECT * FROM bills WHERE id = 1 FOR UPDATE')
    await client.query(`UPDATE bills SET note = 'paid' WHERE id = 2; INSERT INTO bills VALUES (10, 'new')`)
    const { rows } = await client.query('SELECT id, note FROM bills WHERE id IN (1, 2, 10) ORDER BY id')
    expect(rows).toEqual([
      { id: 1, note: 'b1' },
      { id: 2, note: 'paid!' },
      { id: 10, note: 'new!' },
    ])
    await client.end()
  })
})
