import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { loadParser } from '../../../../src/cow/postgres/sql/parser.ts'
import { connectServer } from '../../../../src/cow/postgres/server-connection.ts'
import type { ServerConnection } from '../../../../src/cow/postgres/server-connection.ts'
import type { TestPostgres } from '../../../support/postgres.ts'
import { POSTGRES_ABSENT, startPostgres } from '../../../support/postgres.ts'
import { rewritten } from './shop.ts'
import { WRITES } from './texts.ts'

/** The shop, each table with a child of its own where the foreign table would be. */
const SCHEMA = `
  create schema mesh_base;
  create type public.status as enum ('open', 'paid', 'from', 'where');
  create table orders (id bigint primary key, user_id bigint, status public.status, total numeric(10,2), created timestamptz);
  create table "Users" (id uuid primary key, email text unique, name varchar(20), seen integer, unique (name, seen));
  create unique index on "Users" (lower(email));
  alter table "Users" add constraint users_email_key2 unique (email);
  alter table "Users" drop constraint "Users_email_key";
  alter table "Users" rename constraint users_email_key2 to users_email_key;
  create table jobs (id integer primary key, state text, created timestamptz);
  create table lines (order_id bigint, line integer, sku text, doubled integer generated always as (line * 2) stored, primary key (order_id, line));
  create table mesh_base.b1 () inherits (orders);
  create table mesh_base.b2 () inherits ("Users");
  create table mesh_base.b3 () inherits (jobs);
  create table mesh_base.b4 () inherits (lines);
  insert into jobs select n, 'q', now() + n * interval '1 s' from generate_series(1, 40, 2) n;
  insert into mesh_base.b3 select n, 'q', now() + n * interval '1 s' from generate_series(2, 40, 2) n;
  insert into mesh_base.b2 values ('00000000-0000-0000-0000-000000000001', 'Ann@x', 'ann', 1);
`

describe.skipIf(POSTGRES_ABSENT !== false)('probes on a real PostgreSQL', () => {
  let server: TestPostgres
  let connection: ServerConnection

  beforeAll(async () => {
    await loadParser()
    server = await startPostgres()
    const { socketFolder, port, superuser } = server
    const address = { socketFolder, port }
    connection = await connectServer({ address, user: superuser, database: 'postgres' }, AbortSignal.timeout(30_000))
    await connection.query(SCHEMA)
  })

  afterAll(async () => {
    connection?.destroy()
    await server?.stop()
  })

  /** What it takes for PostgreSQL to analyse a text: types of unused parameters are those of the statement. */
  async function prepare(text: string, types = ''): Promise<string> {
    await connection.query(`prepare probe ${types} as ${text}`)
    const [found] = await connection.query(
      `select parameter_types::text from pg_prepared_statements where name = 'probe'`,
    )
    await connection.query('deallocate probe')
    return found?.rows[0]?.[0]?.replaceAll(/[{}]/g, '') ?? ''
  }

  it.each(WRITES)('are valid, as is the statement, with the same types of parameters: $because', async ({ text }) => {
    const rewriting = rewritten(text)
    if (text.startsWith('explain')) {
      await connection.query(rewriting.text)
      return
    }
    const types = await prepare(rewriting.text)
    for (const probe of rewriting.probes)
      expect(await prepare(probe.text, types === '' ? '' : `(${types})`)).toBe(types)
  })

  it('give the best base rows of a queue, and nothing that is local', async () => {
    const { probes } = rewritten(
      `select * from jobs where state = 'q' and id > 3 order by created limit 2 offset 1 for update`,
    )
    const [result] = await connection.query(probes[0]?.text ?? '')
    expect(result?.rows.flat()).toStrictEqual(['4', '6', '8'])
  })

  it('find the base row that an INSERT would meet, by a column or an expression', async () => {
    for (const arbiter of ['(name, seen)', '(lower(email))']) {
      const { probes } = rewritten(
        `insert into "Users" (email, name, seen) values ('ANN@X', 'ann', 1), ('other', 'x', 2) on conflict ${arbiter} do update set seen = 3`,
      )
      const [result] = await connection.query(probes[0]?.text ?? '')
      expect(result?.rows).toStrictEqual([['00000000-0000-0000-0000-000000000001']])
    }
  })
})
