import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { judgeFdwStatement } from '../../../../src/cow/postgres/gate/fdw-statement.ts'
import { loadShippable, type Shippable } from '../../../../src/cow/postgres/gate/shippable.ts'
import type { ServerConnection } from '../../../../src/cow/postgres/server-connection.ts'
import { loadParser } from '../../../../src/cow/postgres/sql/parser.ts'
import { POSTGRES_ABSENT, startPostgres, type TestPostgres } from '../../../support/postgres.ts'
import { connectAdmin } from './gate-setup.ts'

/** `keeper` is nobody special, and owns an extension, as whoever installs a trusted one does. */
const PRODUCTION = `
  CREATE ROLE keeper;
  GRANT CREATE ON DATABASE postgres TO keeper;
  GRANT CREATE ON SCHEMA public TO keeper;
  CREATE EXTENSION hstore; CREATE EXTENSION pg_trgm; CREATE EXTENSION isn; CREATE EXTENSION xml2; CREATE EXTENSION cube;
  CREATE EXTENSION earthdistance;
  SET ROLE keeper;
  CREATE EXTENSION citext;
  CREATE TYPE status AS ENUM ('new', 'paid');
  CREATE DOMAIN checked AS citext CHECK (VALUE <> '');
  CREATE FUNCTION wreck(a text, b text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_lock(1); RETURN b; END $$;
  RESET ROLE`

describe.skipIf(POSTGRES_ABSENT)('loadShippable()', () => {
  let server: TestPostgres
  let admin: ServerConnection

  beforeAll(async () => {
    await loadParser()
    server = await startPostgres()
    admin = await connectAdmin(server)
    await admin.query(PRODUCTION)
  })

  afterAll(async () => {
    await admin.end()
    await server.stop()
  })

  beforeEach(() => admin.query('BEGIN'))
  afterEach(() => admin.query('ROLLBACK'))

  const load = async (): Promise<Shippable> => loadShippable((text, values = []) => admin.execute(text, values))

  const isRead = async (expression: string): Promise<boolean> =>
    judgeFdwStatement(`SELECT a FROM public.t WHERE ${expression}`, await load()).kind === 'read'

  it('has what PostgreSQL and its own extensions compute, and enums', async () => {
    for (const expression of [
      `((a = 'x'::text))`,
      `((lower(a) ~~ '%x'::text)) AND ((1::bigint + id = ANY ('{1,2}'::bigint[])))`,
      `((mail OPERATOR(public.=) 'x'::public.citext))`,
      `((public.translate(mail, 'a'::public.citext, 'b'::text) IS NULL))`,
      `((public.max(mail) IS NULL))`,
      `((public.similarity(a, 'x'::text) > 0.5::real))`,
      `((tags OPERATOR(public.->) 'x'::text) = ANY ('{a}'::text[]))`,
      `((mails OPERATOR(pg_catalog.@>) '{a}'::public.citext[]))`,
      `((st = 'new'::public.status))`,
    ])
      expect([expression, await isRead(expression)]).toEqual([expression, true])
    expect([...(await load()).extensions].toSorted()).toEqual(['citext', 'cube', 'hstore', 'pg_trgm'])
  })

  it.each([
    ['what sets something for the session', 'public.isn_weak(true)'],
    ['what runs a program', "((public.xslt_process(a, '<x/>'::text) IS NULL))"],
    ['what makes rows of any type', '((public.populate_record(r, h) IS NULL))'],
    ['the same as an operator', '((r OPERATOR(public.#=) h) IS NULL)'],
    ['what finds others by the search path', '((public.ll_to_earth(b, c) IS NULL))'],
    ['a domain', "((mail OPERATOR(public.=) ('x'::public.checked)::public.citext))"],
    ["a stranger's function", '((public.wreck(a, a) IS NULL))'],
  ])('has none of: %s', async (_what, expression) => {
    expect(await isRead(expression)).toBe(false)
  })

  it.each([
    ['a function', 'ALTER EXTENSION citext ADD FUNCTION wreck(text, text)', '((public.wreck(a, a) IS NULL))'],
    [
      'an operator',
      'CREATE OPERATOR ### (FUNCTION = wreck, LEFTARG = text, RIGHTARG = text); ALTER EXTENSION citext ADD OPERATOR ### (text, text)',
      '((a OPERATOR(public.###) a) IS NULL)',
    ],
    [
      'an aggregate, which is immutable whatever it runs',
      'CREATE AGGREGATE worse(text) (SFUNC = wreck, STYPE = text); ALTER EXTENSION citext ADD AGGREGATE worse(text)',
      '((public.worse(a) IS NULL))',
    ],
    [
      'a function in SQL with a name of its own',
      `CREATE FUNCTION strpos(text, int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'; ALTER EXTENSION citext ADD FUNCTION strpos(text, int)`,
      '((public.strpos(a, 1) IS NULL))',
    ],
  ])("takes nothing from an extension's owner: %s", async (_what, text, expression) => {
    await admin.query(`SET LOCAL ROLE keeper; ${text}; RESET ROLE`)
    expect(await isRead(expression)).toBe(false)
    expect((await load()).extensions).not.toContain('citext')
    expect((await load()).extensions).toContain('hstore')
  })

  it.each([
    [
      'in a language of procedures',
      `CREATE FUNCTION sneak(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1; END'; ALTER EXTENSION pg_trgm ADD FUNCTION sneak(text)`,
    ],
    [
      'with the rights of another',
      `CREATE FUNCTION sneak(text) RETURNS text IMMUTABLE SECURITY DEFINER LANGUAGE internal AS 'upper'; ALTER EXTENSION pg_trgm ADD FUNCTION sneak(text)`,
    ],
    [
      'of an unknown extension',
      `CREATE FUNCTION sneak(text) RETURNS text IMMUTABLE LANGUAGE internal AS 'upper'; ALTER EXTENSION isn ADD FUNCTION sneak(text)`,
    ],
    [
      'of an overload that is volatile',
      `CREATE FUNCTION sneak(text) RETURNS text IMMUTABLE LANGUAGE internal AS 'upper'; ALTER EXTENSION pg_trgm ADD FUNCTION sneak(text);
       CREATE FUNCTION sneak(int) RETURNS text VOLATILE LANGUAGE internal AS 'upper'; ALTER EXTENSION pg_trgm ADD FUNCTION sneak(int)`,
    ],
    ['of an overload of nobody’s', `CREATE FUNCTION sneak(text) RETURNS text IMMUTABLE LANGUAGE internal AS 'upper'`],
  ])("takes no superuser's function %s", async (_what, text) => {
    await admin.query(text)
    expect(await isRead(`((public.sneak(a) = 'x'::text))`)).toBe(false)
  })

  it('takes nothing that was added to pg_catalog', async () => {
    await admin.query(`SET LOCAL allow_system_table_mods = on;
      CREATE FUNCTION pg_catalog.sneak(text, text) RETURNS boolean IMMUTABLE LANGUAGE internal AS 'texteq';
      CREATE OPERATOR pg_catalog.### (FUNCTION = sneak, LEFTARG = text, RIGHTARG = text);
      CREATE DOMAIN pg_catalog.sly AS text CHECK (VALUE <> '')`)
    for (const expression of ['((sneak(a, a)))', '((a ### a))', "((a = 'x'::sly))", "((a = 'x'::pg_catalog.sly))"])
      expect([expression, await isRead(expression)]).toEqual([expression, false])
  })

  it('keeps an operator whose name others have, where theirs is compiled, and drops it where theirs is not', async () => {
    await admin.query('DROP EXTENSION earthdistance')
    // Of isn, beside citext's.
    expect(await isRead("((mail OPERATOR(public.<>) 'x'::public.citext))")).toBe(true)
    await admin.query(`CREATE FUNCTION same(status, text) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1::text = $2';
      CREATE OPERATOR public.<> (FUNCTION = same, LEFTARG = status, RIGHTARG = text)`)
    expect(await isRead("((mail OPERATOR(public.<>) 'x'::public.citext))")).toBe(false)
    expect([...(await load()).extensions]).toEqual(['pg_trgm'])
  })
})
