import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CloneReport, readSchema, restoreSchema } from '../../../../src/cow/postgres/overlay/clone.ts'
import {
  fingerprintQuery,
  LOCALE_QUERY,
  readLocale,
  sameCollation,
} from '../../../../src/cow/postgres/overlay/collation.ts'
import { loadCatalog } from '../../../../src/cow/postgres/overlay/load-catalog.ts'
import { createMerge } from '../../../../src/cow/postgres/overlay/merge.ts'
import { createDatabase, openOverlay, type Overlay } from '../../../../src/cow/postgres/overlay/overlay.ts'
import { connectServer, type ServerConnection } from '../../../../src/cow/postgres/server-connection.ts'
import { compiled } from '../../../replay/compiled.ts'
import { shareBinaries } from '../../../support/clusters.ts'
import { dumpTransportOf } from '../../../support/dump-transport.ts'
import { startTestServer, type TestServer } from '../../../support/overlay-servers.ts'

const SCHEMA = `
CREATE EXTENSION citext;
CREATE TYPE status AS ENUM ('new', 'paid');
CREATE TYPE pair AS (a int, b text);
CREATE TABLE measures (at date NOT NULL, sensor int NOT NULL, value float8, PRIMARY KEY (at, sensor)) PARTITION BY RANGE (at);
CREATE TABLE measures_2025 PARTITION OF measures FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE measures_2026 PARTITION OF measures FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY LIST (sensor);
CREATE TABLE measures_2026_1 PARTITION OF measures_2026 FOR VALUES IN (1);
CREATE TABLE measures_2027 PARTITION OF measures FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
ALTER TABLE measures_2027 ENABLE ROW LEVEL SECURITY;
CREATE VIEW of_2025 AS SELECT at, value FROM measures_2025;
CREATE VIEW both_views AS SELECT m.sensor FROM of_2025 JOIN measures AS m USING (at);
CREATE MATERIALIZED VIEW kept_2025 AS SELECT count(*) FROM measures_2025;
CREATE FUNCTION sum_2025() RETURNS float8 LANGUAGE sql BEGIN ATOMIC SELECT sum(value) FROM measures_2025; END;
CREATE FUNCTION at_of(measures_2025) RETURNS date LANGUAGE sql AS 'SELECT $1.at';
GRANT SELECT, INSERT ON measures_2025 TO reader;
GRANT SELECT (at) ON measures_2026 TO staff WITH GRANT OPTION;
GRANT SELECT ON measures_2027 TO reader;
CREATE TABLE refers (at date, sensor int, FOREIGN KEY (at, sensor) REFERENCES measures_2025);
CREATE TABLE animals (name text);
CREATE TABLE dogs (breed text) INHERITS (animals);
CREATE VIEW all_dogs AS SELECT * FROM dogs;
CREATE FUNCTION bark(dogs) RETURNS text LANGUAGE sql AS 'SELECT $1.name';
GRANT EXECUTE ON FUNCTION bark TO reader;
COMMENT ON VIEW all_dogs IS 'nobody is left out';
CREATE INDEX measures_value ON measures (value);
CREATE TABLE accounts (id serial PRIMARY KEY, name citext UNIQUE, st status DEFAULT 'new', extra pair, small smallserial);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := NEW.name || '!'; RETURN NEW; END $$;
CREATE FUNCTION atomic(i int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN i > 0 THEN 1; ELSE 2 END; END;
CREATE TRIGGER marked BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION touch();
CREATE VIEW named AS SELECT id, name FROM accounts;
CREATE MATERIALIZED VIEW totals AS SELECT st, count(*) AS n FROM accounts GROUP BY st;
CREATE UNIQUE INDEX totals_st ON totals (st);
CREATE VIEW over_totals AS SELECT sum(n) AS n FROM totals;
CREATE TABLE tenants (id int PRIMARY KEY, tenant text);
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenants USING (tenant = current_user);
GRANT SELECT ON accounts, tenants, totals TO reader;
COMMENT ON MATERIALIZED VIEW totals IS 'by status';
CREATE SCHEMA aside AUTHORIZATION staff;
CREATE TABLE aside.parents (id int PRIMARY KEY);
CREATE TABLE aside.children (parent int REFERENCES aside.parents);
CREATE TABLE "Tab ""le"" $mesh$ é" ("Id'" int PRIMARY KEY, note text DEFAULT 'a;
--
-- Name: p; Type: PUBLICATION; Schema: -; Owner: app
--
');
`.replace('THEN 1; ELSE', 'THEN 1 ELSE')

const DATA = `
INSERT INTO measures SELECT '2025-12-30'::date + i, 1, i FROM generate_series(0, 9) AS i;
INSERT INTO accounts (name) SELECT 'a' || i FROM generate_series(1, 20) AS i;
INSERT INTO tenants VALUES (1, 'reader'), (2, 'other');
INSERT INTO aside.parents VALUES (1);
REFRESH MATERIALIZED VIEW totals;
REFRESH MATERIALIZED VIEW kept_2025;
`

const thread = compiled('cow/postgres/overlay/pg-dump-thread.ts')
const never = new AbortController().signal

describe('a cloned schema', () => {
  let upstream: TestServer
  let overlay: Overlay
  let folder: string
  let source: ServerConnection
  let report: CloneReport

  const rows = async (user: string, text: string): Promise<unknown> => {
    const client = await connectServer(overlay.options(user, 'branch'), never)
    try {
      return (await client.query(text)).at(-1)?.rows
    } finally {
      await client.end()
    }
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mesh-clone-'))
    await chmod(folder, 0o755)
    upstream = await startTestServer()
    const admin = await upstream.client('mesh_admin', 'postgres')
    await admin.query(
      `CREATE ROLE app LOGIN SUPERUSER; CREATE ROLE reader LOGIN; CREATE ROLE staff; CREATE ROLE "$mesh$ '"; GRANT staff TO reader; CREATE ROLE mesh_reader LOGIN BYPASSRLS; GRANT pg_read_all_data, pg_write_all_data TO mesh_reader`,
    )
    await admin.query(`CREATE DATABASE shop OWNER app TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-DE'`)
    await admin.query(
      `ALTER ROLE app IN DATABASE shop SET app.tenant = 'x y'; ALTER DATABASE shop SET search_path = public, "Odd"`,
    )
    await admin.end()
    const app = await upstream.client('app', 'shop')
    await app.query(SCHEMA)
    await app.query(DATA)
    await app.end()
    source = await connectServer({ address: upstream, user: 'mesh_reader', database: 'shop' }, never)
    const dumping = await connectServer({ address: upstream, user: 'mesh_reader', database: 'shop' }, never)
    const read = async (text: string) => (await source.query(text)).at(-1)?.rows ?? []
    await shareBinaries(folder)
    overlay = await openOverlay(
      { kind: 'embedded', stateFolder: folder, name: 'shop', settings: { fsync: 'off' } },
      never,
    )
    const postgres = await overlay.connectAdmin('postgres', never)
    await createDatabase(postgres, 'branch', readLocale(await read(LOCALE_QUERY)))
    await postgres.end()
    const target = await overlay.connectAdmin('branch', never)
    const transport = dumpTransportOf(dumping)
    const image = await readSchema({ read, dump: transport, upstreamDatabase: 'shop', thread: thread() }, never)
    report = await restoreSchema(image, { admin: target, database: 'branch' })
    const gate = { socketFolder: upstream.socketFolder, port: upstream.port, database: 'shop', user: 'mesh_reader' }
    await createMerge(target, { gate, self: overlay.self, partitioned: report.partitioned })
    await target.end()
    dumping.destroy()
  })
  afterAll(async () => {
    source?.destroy()
    await overlay?.close()
    await upstream?.remove()
    await rm(folder, { recursive: true, force: true })
  })

  it('says what it cloned', () => {
    expect(report.extensions).toEqual(['citext'])
    expect([...report.partitioned]).toEqual(['public.measures'])
    expect(report.absent).toEqual(['public.dogs'])
    expect(report.leftOut).toEqual([
      'FUNCTION bark(public.dogs)',
      'VIEW all_dogs',
      'FK CONSTRAINT refers refers_at_sensor_fkey',
    ])
  })

  it('sorts as production does', async () => {
    const admin = await overlay.connectAdmin('branch', never)
    const [own, theirs] = await Promise.all([
      admin.query(fingerprintQuery('UTF8')),
      source.query(fingerprintQuery('UTF8')),
    ])
    expect(sameCollation(theirs[0]?.rows ?? [], own[0]?.rows ?? [])).toBe(true)
    await admin.end()
  })

  it('flattens a partitioned table and keeps its partitions as views', async () => {
    expect(await rows('app', 'SELECT count(*) FROM measures')).toEqual([['10']])
    expect(await rows('app', 'SELECT count(*) FROM measures_2025')).toEqual([['2']])
    expect(await rows('app', 'SELECT count(*) FROM measures_2026')).toEqual([['8']])
    expect(await rows('app', 'SELECT count(*) FROM measures_2026_1')).toEqual([['8']])
    const admin = await overlay.connectAdmin('branch', never)
    const catalog = await loadCatalog(admin)
    expect(catalog.tables.get('public.measures')?.kind).toBe('partitioned')
    await admin.end()
  })

  it('has what refers to partitions themselves: views, functions, rights', async () => {
    const count = `SELECT (SELECT count(*) FROM both_views), (SELECT count FROM kept_2025), sum_2025()`
    expect(await rows('app', count)).toEqual([['2', '2', '1']])
    expect(await rows('app', 'SELECT at_of(m) FROM measures_2025 AS m WHERE value = 1')).toEqual([['2025-12-31']])
    const rights = `SELECT has_table_privilege('measures_2025', 'SELECT, INSERT'), has_table_privilege('measures_2025', 'DELETE'),
      has_column_privilege('measures_2026', 'at', 'SELECT WITH GRANT OPTION'), has_table_privilege('measures_2026', 'SELECT')`
    expect(await rows('reader', rights)).toEqual([['t', 'f', 't', 'f']])
    // Its own policies would have no say.
    await expect(rows('reader', 'SELECT * FROM measures_2027')).rejects.toThrow(/permission denied/)
  })

  it('makes a superuser of production an ordinary role that owns its tables', async () => {
    expect(await rows('app', `SELECT rolsuper, rolbypassrls, rolcanlogin FROM pg_roles WHERE rolname = 'app'`)).toEqual(
      [['f', 'f', 't']],
    )
    expect(await rows('app', 'SELECT count(*) FROM named')).toEqual([['20']])
    expect(await rows('app', `SHOW app.tenant`)).toEqual([['x y']])
    expect(await rows('app', `ALTER TABLE accounts ADD CHECK (id > 0) NO INHERIT; SELECT 1`)).toEqual([['1']])
    expect(await rows('reader', `SELECT pg_has_role('staff', 'USAGE')`)).toEqual([['t']])
  })

  it("lets a superuser of production into others' schemas, where his tables look for their parents", async () => {
    expect(await rows('app', `INSERT INTO aside.children VALUES (1) RETURNING parent`)).toEqual([['1']])
  })

  it('takes names and defaults as they are, whatever they look like', async () => {
    const inserted = `INSERT INTO "Tab ""le"" $mesh$ é" VALUES (1) RETURNING note LIKE 'a;%Type: PUBLICATION%'`
    expect(await rows('app', inserted)).toEqual([['t']])
    expect(await rows('app', `SELECT count(*) FROM pg_roles WHERE rolname = '$mesh$ '''`)).toEqual([['1']])
  })

  it("keeps production's own policies and rights", async () => {
    expect(await rows('reader', 'SELECT id FROM tenants')).toEqual([['1']])
    expect(await rows('app', 'SELECT count(*) FROM tenants')).toEqual([['2']])
    await expect(rows('reader', 'SELECT * FROM measures')).rejects.toThrow(/permission denied/)
  })

  it('moves sequences past production', async () => {
    expect(await rows('app', `INSERT INTO accounts (name) VALUES ('mine') RETURNING id, small`)).toEqual([
      ['1000021', '16394'],
    ])
  })

  it('compares keys by their own operators', async () => {
    await expect(rows('app', `INSERT INTO accounts (name) VALUES ('A7')`)).rejects.toThrow(/accounts_name_key/)
  })

  it('shows a materialised view as production has it until it is refreshed', async () => {
    expect(await rows('app', 'SELECT n FROM totals')).toEqual([['20']])
    expect(await rows('app', 'SELECT n FROM over_totals')).toEqual([['20']])
    const [[id]] = (await rows('app', `SELECT 1`)) as [[string]]
    expect(id).toBe('1')
    const admin = await overlay.connectAdmin('branch', never)
    const totals = (await loadCatalog(admin)).tables.get('public.totals')
    await admin.end()
    expect(totals?.kind).toBe('matview')
    await expect(rows('reader', `SELECT mesh.refresh(${totals?.id})`)).rejects.toThrow(/permission denied/)
    await rows('app', `SELECT mesh.refresh(${totals?.id})`)
    expect(await rows('app', 'SELECT n FROM over_totals')).toEqual([['21']])
  })

  it('survives a restart, and tells a second mesh that it is taken', async () => {
    const again = { kind: 'embedded', stateFolder: folder, name: 'shop' } as const
    await expect(openOverlay(again, never)).rejects.toMatchObject({
      code: 'MESH_ERR_FILE_EXISTS',
      message: expect.stringMatching(/another mesh/),
    })
    await overlay.close()
    overlay = await openOverlay(again, never)
    expect(await rows('app', `SELECT count(*) FROM accounts`)).toEqual([['21']])
  })
})
