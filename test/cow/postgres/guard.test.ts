import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type GatedProxy,
  type ProductionServer,
  startGatedProxy,
  startProductionServer,
} from '../../support/gated-proxy.ts'
import { compiled } from '../../replay/compiled.ts'

const SCHEMA = `
CREATE TABLE notes (id int PRIMARY KEY, code text UNIQUE, owner text, note text);
CREATE TABLE lines (id int PRIMARY KEY, note_id int REFERENCES notes, amount int);
CREATE TABLE seen (what text);
CREATE FUNCTION saw() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (TG_TABLE_NAME || ' ' || TG_OP || ' ' || NEW.id); RETURN NEW; END $$;
CREATE TRIGGER saw AFTER INSERT OR UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION saw();
CREATE TABLE tenants (id int PRIMARY KEY, owner text);
CREATE TABLE secrets (id int PRIMARY KEY, owner text);
CREATE TABLE vault (id int PRIMARY KEY, owner text);
ALTER TABLE vault ENABLE ROW LEVEL SECURITY;
CREATE POLICY open ON vault USING (id <= 5);
CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n FROM vault;
CREATE SCHEMA deep; CREATE TABLE deep.things (id serial PRIMARY KEY);
GRANT SELECT, INSERT, UPDATE, DELETE ON notes, lines, tenants, secrets TO other;`
const DATA = `
INSERT INTO notes SELECT i, 'c' || i, CASE i % 2 WHEN 0 THEN 'app' ELSE 'other' END, 'note ' || i FROM generate_series(1, 20) i;
INSERT INTO lines SELECT i, i, i FROM generate_series(1, 20) i;
INSERT INTO tenants SELECT i, CASE i % 2 WHEN 0 THEN 'app' ELSE 'other' END FROM generate_series(1, 10) i;
INSERT INTO secrets SELECT i, 'app' FROM generate_series(1, 10) i;
INSERT INTO vault SELECT i, 'app' FROM generate_series(1, 10) i;
INSERT INTO deep.things SELECT FROM generate_series(1, 3);`

/** `boss` may do anything in production. `auditor` reads by its group alone, `shy` would have to become that group first. */
const WIDE = `CREATE ROLE boss SUPERUSER LOGIN; CREATE ROLE auditors; CREATE ROLE auditor LOGIN IN ROLE auditors; CREATE ROLE shy LOGIN NOINHERIT;
GRANT pg_read_all_data TO auditors; GRANT auditors TO shy`

const thread = compiled('cow/postgres/overlay/pg-dump-thread.ts')

let production: ProductionServer
let proxy: GatedProxy
let clients: Record<'app' | 'other', readonly [own: pg.Client, plain: pg.Client]>

beforeAll(async () => {
  production = await startProductionServer(SCHEMA, DATA)
  const admin = await production.admin()
  await admin.query(WIDE)
  await admin.end()
  proxy = await startGatedProxy(production, { thread: thread() })
  const plainOther = await production.server.client('other', 'plain')
  clients = {
    app: [await proxy.client(), await production.plain()],
    other: [await proxy.client({ user: 'other' }), plainOther],
  }
})
afterAll(async () => {
  for (const pair of Object.values(clients ?? {})) for (const client of pair) await client.end()
  await proxy?.close()
  await production?.server.remove()
})

async function told(client: pg.Client, text: string): Promise<unknown> {
  try {
    const { command, rowCount, rows } = await client.query<unknown[]>({ text, rowMode: 'array' })
    return { command, rowCount, rows }
  } catch (error) {
    const { code, message } = error as pg.DatabaseError
    return { code, message: message.replace(/_\d+"/, '_N"') }
  }
}

/** What the branch and the plain database say to texts as `role: text`, one after the other. */
async function bothSay(texts: readonly string[]): Promise<readonly [unknown[], unknown[]]> {
  const said: [unknown[], unknown[]] = [[], []]
  for (const each of texts) {
    const [, role = 'app', text = ''] = /^(?:(app|other): )?(.*)$/s.exec(each) ?? []
    const pair = clients[role === 'other' ? 'other' : 'app']
    for (const [place, client] of pair.entries())
      said[place === 0 ? 0 : 1].push({ text, told: await told(client, text) })
  }
  return said
}

const state = ['SELECT * FROM notes ORDER BY id', 'SELECT * FROM lines ORDER BY id', 'SELECT * FROM seen ORDER BY what']

describe('the owner of a table on a branch', () => {
  it("switches triggers of users off and on, while mesh's own stay", async () => {
    const [own, plain] = await bothSay([
      'ALTER TABLE notes DISABLE TRIGGER USER',
      `INSERT INTO notes VALUES (30, 'c30', 'app', 'loaded')`,
      `INSERT INTO notes VALUES (31, 'c3', 'app', 'a code of production')`,
      `INSERT INTO notes VALUES (4, 'c40', 'app', 'a key of production')`,
      `UPDATE notes SET id = 32 WHERE id = 30`,
      `DELETE FROM notes WHERE id = 5`,
      `DO $$ BEGIN UPDATE notes SET note = 'from a function' WHERE id IN (6, 7); END $$`,
      ...state,
      'ALTER TABLE notes ENABLE TRIGGER USER',
      `UPDATE notes SET note = 'seen' WHERE id = 8`,
      `DO $$ BEGIN ALTER TABLE notes DISABLE TRIGGER saw; UPDATE notes SET note = 'unseen' WHERE id = 9; ALTER TABLE notes ENABLE TRIGGER saw; END $$`,
      ...state,
      'ALTER TABLE notes DISABLE TRIGGER ALL',
      'BEGIN; ALTER TABLE tenants DISABLE TRIGGER ALL',
      `UPDATE tenants SET id = 11 WHERE id = 1`,
      'INSERT INTO tenants VALUES (2, NULL)',
      'ROLLBACK',
      'SELECT * FROM tenants ORDER BY id',
    ])
    expect(own).toEqual(plain)
  })

  it('has row-level security as in a plain database', async () => {
    const look = ['app: SELECT * FROM tenants ORDER BY id', 'other: SELECT * FROM tenants ORDER BY id']
    const [own, plain] = await bothSay([
      `UPDATE tenants SET owner = 'other' WHERE id = 2`,
      'ALTER TABLE tenants ENABLE ROW LEVEL SECURITY',
      ...look,
      'CREATE POLICY own ON tenants USING (owner = current_user)',
      ...look,
      `other: UPDATE tenants SET owner = 'app' WHERE id IN (3, 4)`,
      'ALTER TABLE tenants FORCE ROW LEVEL SECURITY',
      ...look,
      'CREATE POLICY few ON tenants AS RESTRICTIVE USING (id < 6)',
      ...look,
      'DROP POLICY few ON tenants',
      'ALTER TABLE tenants NO FORCE ROW LEVEL SECURITY',
      ...look,
      'ALTER TABLE tenants DISABLE ROW LEVEL SECURITY',
      ...look,
      'DELETE FROM tenants WHERE id = 7',
      ...look,
      'ALTER TABLE tenants ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
      ...look,
      'DO $$ BEGIN ALTER TABLE tenants NO FORCE ROW LEVEL SECURITY; END $$',
      ...look,
      'DO $$ BEGIN ALTER TABLE tenants DISABLE ROW LEVEL SECURITY; END $$',
      ...look,
      'BEGIN',
      'ALTER TABLE tenants ENABLE ROW LEVEL SECURITY',
      'ROLLBACK',
      ...look,
      'DO $$ BEGIN ALTER TABLE tenants ENABLE ROW LEVEL SECURITY; END $$',
      ...look,
      `DO $$ BEGIN EXECUTE 'ALTER TABLE tenants /* in
        two lines */ FORCE
        ROW LEVEL SECURITY -- to the owner too'; END $$`,
      ...look,
      'DO $$ BEGIN ALTER TABLE tenants NO FORCE ROW LEVEL SECURITY; END $$',
      ...look,
      'ALTER TABLE tenants DISABLE ROW LEVEL SECURITY',
      `DO $$ BEGIN ALTER TABLE tenants ADD COLUMN hint text DEFAULT 'ENABLE ROW LEVEL SECURITY'; END $$`,
      ...look,
      "CREATE FUNCTION close_up(place regclass) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', place); END $$",
      `BEGIN; SELECT close_up('tenants')`,
      'SELECT * FROM tenants ORDER BY id',
      'ROLLBACK',
      ...look,
      'TRUNCATE secrets',
      `INSERT INTO secrets VALUES (1, 'app'), (2, 'other')`,
      'ALTER TABLE secrets ENABLE ROW LEVEL SECURITY',
      'other: SELECT * FROM secrets ORDER BY id',
      'SELECT * FROM secrets ORDER BY id',
    ])
    expect(own).toEqual(plain)
  })

  const refused: readonly (readonly [text: string, code: string])[] = [
    ['DROP POLICY mesh_hide ON lines', '42501'],
    ['DROP POLICY mesh_all ON lines', '42501'],
    ['ALTER POLICY mesh_hide ON lines USING (true)', '42501'],
    ['ALTER POLICY mesh_hide ON lines RENAME TO hide', '42501'],
    ['DROP TRIGGER "~mesh_inserted" ON lines', '42501'],
    ['DROP TRIGGER "!mesh_checked" ON lines', '42501'],
    ['ALTER TRIGGER "~mesh_inserted" ON lines RENAME TO mine', '42501'],
    ['CREATE OR REPLACE TRIGGER "~mesh_inserted" AFTER INSERT ON notes FOR EACH ROW EXECUTE FUNCTION saw()', '42501'],
    ['CREATE TRIGGER "~mesh_mine" AFTER INSERT ON notes FOR EACH ROW EXECUTE FUNCTION saw()', '42501'],
    ['ALTER FOREIGN TABLE mesh_base.b1 NO INHERIT notes', '42501'],
    ['DROP SCHEMA mesh CASCADE', '42501'],
    [`SET session_replication_role = 'replica'`, '42501'],
    ['CREATE POLICY few ON lines AS RESTRICTIVE USING (id < 6)', '0A000'],
    ['DELETE FROM mesh.touched_1', '42501'],
  ]
  it.each(refused)("is refused what would take mesh's own away: %s", async (text, code) => {
    const [own] = clients.app
    const found = 'SELECT count(*), sum(amount) FROM lines'
    const before = await told(own, found)
    expect(await told(own, text)).toMatchObject({ code })
    expect(await told(own, `DO $do$ BEGIN EXECUTE $text$${text}$text$; END $do$`)).toMatchObject({ code })
    expect(await told(own, found)).toEqual(before)
  })

  it.each(['free_key(1)', 'drop_base(1)', 'detach(1)', 'free_partitions(1)', 'report(1, NULL)'])(
    "is refused mesh's own function: %s",
    async (call) => {
      const [own] = clients.app
      expect(await told(own, `SELECT mesh.${call}`)).toMatchObject({ code: '42501' })
    },
  )

  it.each(['free_key(1)', 'drop_base(1)', 'detach(1)', 'free_partitions(1)'])(
    "is refused mesh's own function where no text of a client names it: %s",
    async (call) => {
      const [own] = clients.app
      const found = 'SELECT count(*) FROM notes'
      const before = await told(own, found)
      expect(await told(own, `DO $$ BEGIN PERFORM mesh.${call}; END $$`)).toMatchObject({ code: '42501' })
      await told(own, `DO $$ BEGIN EXECUTE 'CREATE VIEW sly AS SELECT mesh.${call}::text'; END $$`)
      expect(await told(own, 'SELECT * FROM sly')).toMatchObject({ code: '42501' })
      await told(own, 'DROP VIEW sly')
      expect(await told(own, found)).toEqual(before)
    },
  )

  it('drops and makes tables, and changes keys, as before', async () => {
    const [own, plain] = await bothSay([
      'ALTER TABLE lines ALTER COLUMN id TYPE bigint',
      'INSERT INTO lines VALUES (3, 3, 3)',
      'DROP TABLE lines',
      'CREATE TABLE lines (id int)',
      'SELECT * FROM lines',
      'DROP TABLE secrets CASCADE',
    ])
    expect(own).toEqual(plain)
  })
})

describe('roles that read or write everything in production', () => {
  it('do so on the branch, by its policies, and nothing of mesh', async () => {
    const [app] = clients.app
    await app.query(
      'UPDATE vault SET owner = NULL WHERE id = 2; CREATE TABLE later (id serial PRIMARY KEY); INSERT INTO later VALUES (1)',
    )
    await app.query(
      'CREATE SCHEMA newer; CREATE TABLE newer.made AS SELECT 1 AS id; CREATE VIEW newer.shown AS SELECT * FROM newer.made',
    )
    const reads: readonly (readonly [text: string, rows: unknown])[] = [
      ['SELECT count(*), count(owner) FROM vault', [['5', '4']]],
      ['SELECT * FROM totals', [['0']]],
      ['SELECT count(*) FROM deep.things', [['3']]],
      ['SELECT is_called FROM deep.things_id_seq', [[true]]],
      ['SELECT count(*) FROM later', [['1']]],
      ['SELECT * FROM newer.shown', [[1]]],
    ]
    const writes = [
      'UPDATE vault SET owner = NULL WHERE id = 3',
      'INSERT INTO deep.things VALUES (9)',
      'DELETE FROM newer.made WHERE id = 7',
    ]
    for (const user of ['mesh_reader', 'auditor', 'mesh_writer', 'boss']) {
      const client = await proxy.client({ user })
      for (const [text, rows] of reads)
        expect([user, text, await told(client, text)]).toMatchObject([user, text, { rows }])
      const mayWrite = user === 'mesh_writer' || user === 'boss'
      for (const text of writes) {
        await client.query('BEGIN')
        expect([user, text, await told(client, text)]).toMatchObject([
          user,
          text,
          mayWrite ? { rowCount: text.startsWith('DELETE') ? 0 : 1 } : { code: '42501' },
        ])
        await client.query('ROLLBACK')
      }
      for (const text of [
        'TABLE mesh_base.b1',
        'TABLE mesh.touched_1',
        'TABLE mesh.wide_roles',
        'DELETE FROM mesh.tables',
      ])
        expect([user, text, await told(client, text)]).toMatchObject([user, text, { code: '42501' }])
      await client.end()
    }
  })

  it('do not where they would have to become another role first', async () => {
    const client = await proxy.client({ user: 'shy' })
    expect(await told(client, 'SELECT count(*) FROM deep.things')).toMatchObject({ code: '42501' })
    await client.query('SET ROLE auditors')
    expect(await told(client, 'SELECT count(*) FROM deep.things')).toMatchObject({ rows: [['3']] })
    await client.end()
  })
})
