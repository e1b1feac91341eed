import type { Random } from '../../../../src/core/random.ts'
import { ddlOf } from './ddl-steps.ts'
import { type Draw, Draws, type Step } from './draws.ts'
import { expressionsOf, keyReadsOf } from './expressions.ts'
import { indirectWritesOf, moreWritesOf } from './more-writes.ts'
import { readsOf } from './reads.ts'
import { insertsOf, writesOf } from './writes.ts'

function sessionOf(d: Draws, habit: Habit): Draw[] {
  const quiet: Draw[] = [
    () => `SET LOCAL search_path = ${d.pick([d.schema, `pg_catalog, ${d.schema}`, `nowhere, ${d.schema}`])}`,
    () => `SET CONSTRAINTS ALL ${d.pick(['DEFERRED', 'IMMEDIATE'])}`,
    () =>
      `PREPARE s${d.below(3)} (int) AS ${d.pick([`SELECT v FROM c WHERE id = $1`, `SELECT * FROM p WHERE id = $1`, habit === 'reads' ? 'SELECT 1' : `INSERT INTO u VALUES (md5($1::text)::uuid, 'x')`])}`,
    () => `EXECUTE s${d.below(3)} (${d.id()})`,
    () => `DEALLOCATE s${d.below(3)}`,
    () => `DECLARE k${d.below(2)} SCROLL CURSOR ${d.pick(['', 'WITH HOLD '])}FOR SELECT id, v FROM c ORDER BY id`,
    () => `FETCH ${d.pick(['NEXT', '3', 'ALL', 'PRIOR', 'ABSOLUTE 2'])} FROM k${d.below(2)}`,
    () => `MOVE 2 FROM k${d.below(2)}`,
    () => `CLOSE k${d.below(2)}`,
    () => `LOCK TABLE ${d.pick(['p', 'c'])} IN ${d.pick(['SHARE', 'ROW EXCLUSIVE', 'ACCESS EXCLUSIVE'])} MODE`,
    () =>
      `SET ${d.pick(['DateStyle = "German"', 'IntervalStyle = iso_8601', "TimeZone = 'Asia/Tokyo'", 'extra_float_digits = 0', 'bytea_output = escape'])}`,
    () => `RESET ALL`,
    () => `SHOW ${d.pick(['DateStyle', 'search_path', 'transaction_isolation', 'nothing'])}`,
    () => `SELEC 1`,
    () => ``,
  ]
  const writing: Draw[] = [
    () => `SELECT nextval('ticket')`,
    () => `SELECT setval('ticket', ${1 + d.below(50)})`,
    () => `INSERT INTO log VALUES (nextval('ticket') + 5000000, 't') ON CONFLICT DO NOTHING RETURNING id`,
    () => `TRUNCATE ${d.pick(['log', 'bare', 'r', 'd RESTART IDENTITY', 'p', 'tree CASCADE'])}`,
  ]
  return habit === 'reads' ? quiet : [...quiet, ...writing]
}

const TRANSACTIONS = [
  'BEGIN',
  'BEGIN',
  'COMMIT',
  'COMMIT',
  'ROLLBACK',
  'SAVEPOINT s',
  'ROLLBACK TO s',
  'RELEASE s',
  'BEGIN ISOLATION LEVEL REPEATABLE READ',
  'START TRANSACTION ISOLATION LEVEL SERIALIZABLE',
  'BEGIN READ ONLY',
]

/** Statements with parameters: text, and how many values in 0..39 it takes. */
const PREPARED: readonly (readonly [text: string, values: number])[] = [
  ['SELECT * FROM p WHERE id = $1', 1],
  ['SELECT id, v FROM c WHERE id = ANY ($1::int[])', -1],
  ['SELECT c.id, p.code FROM c JOIN p ON p.id = c.p_id WHERE c.v > $1 ORDER BY c.id LIMIT $2', 2],
  ['SELECT * FROM d WHERE a = $1 AND b = $2', -2],
  ['UPDATE c SET v = v + $1 WHERE id = $2 RETURNING *', 2],
  ['UPDATE p SET n = $2 WHERE id = $1', 2],
  ['DELETE FROM r WHERE id = $1', 1],
  ['INSERT INTO p (id, n) VALUES ($1, $2)', 2],
  ['INSERT INTO p (id, n) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET n = excluded.n RETURNING *', 2],
  ['SELECT * FROM c WHERE id = $1 FOR UPDATE', 1],
  ['WITH x AS (UPDATE c SET v = $1 WHERE p_id = $2 RETURNING id) SELECT count(*) FROM x', 2],
  ['SELECT count(*) FROM joined WHERE v < $1', 1],
  ['SELECT name FROM u WHERE id = md5($1::text)::uuid', 1],
]

function copyOf(d: Draws, habit: Habit): Step {
  const out: (() => Step)[] = [
    () => ({
      text: `COPY ${d.pick(['p', 'c (id, v)', 'r', 'bare', '(SELECT id FROM p WHERE n > 3)'])} TO STDOUT`,
      protocol: 'simple',
    }),
  ]
  const into: (() => Step)[] = [
    () => ({
      text: 'COPY p FROM STDIN',
      protocol: 'simple',
      rows: `${d.id()}\tcopied${d.below(5)}\t1\n${100 + d.id()}\t\\N\t2\n`,
    }),
    () => ({
      text: 'COPY c (id, p_id, v) FROM STDIN WITH (FORMAT csv)',
      protocol: 'simple',
      rows: `${200 + d.id()},${d.id()},3\n`,
    }),
    () => ({ text: 'COPY log (what) FROM STDIN', protocol: 'simple', rows: d.pick(['a\nb\n', 'a\tb\n', '']) }),
    () => ({ text: 'COPY bare FROM STDIN', protocol: 'simple', rows: `${d.id()}\tq\n` }),
  ]
  return d.pick(habit === 'reads' ? out : [...out, ...into])()
}

/**
 * What a client mostly does, which decides on the lane: `reads` of tables that nobody writes (T0), reads of single rows by `keys` beside
 * touched ones (TK), `writes` of all kinds (T2), and `migrations`.
 */
export type Habit = 'reads' | 'keys' | 'writes' | 'migrations'

/** Of forty steps: plain statements, prepared ones, those about the session, several at once, COPY; the others are about transactions. */
const SHARES: Readonly<
  Record<Habit, readonly [plain: number, prepared: number, session: number, many: number, copy: number]>
> = {
  reads: [29, 6, 1, 1, 1],
  keys: [27, 11, 0, 0, 0],
  writes: [24, 5, 2, 1, 1],
  migrations: [28, 3, 1, 1, 1],
}

function statementsOf(d: Draws, habit: Habit): Draw {
  const [reads, expressions, inserts, writes] = [readsOf(d), expressionsOf(d), insertsOf(d), writesOf(d)]
  const [more, indirect, ddl, keys] = [moreWritesOf(d), indirectWritesOf(d), ddlOf(d), keyReadsOf(d)]
  const quiet = [...reads.filter((_, place) => place < 25), ...expressions]
  const kinds: Readonly<Record<Habit, readonly Draw[][]>> = {
    reads: [quiet],
    keys: [...Array.from({ length: 12 }, () => keys), quiet, writes],
    writes: [reads, expressions, inserts, writes, writes, more, more, indirect],
    migrations: [ddl, ddl, reads, inserts, writes, more, indirect],
  }
  return () => d.pick(d.pick(kinds[habit]))()
}

function preparedStep(d: Draws, habit: Habit): Step {
  // A client of reads alone writes nothing; one of keys seldom.
  const isQuiet = habit === 'reads' || (habit === 'keys' && d.below(6) > 0)
  const [text, count] = d.pick(isQuiet ? PREPARED.filter(([each]) => /^SELECT(?!.* FOR UPDATE)/.test(each)) : PREPARED)
  const protocol = d.pick(['extended', 'named'] as const)
  if (count === -1) return { text, protocol, values: [`{${d.id()},${d.id()}}`] }
  if (count === -2) return { text, protocol, values: [String(d.id()), `b${d.below(3)}`] }
  return { text, protocol, values: Array.from({ length: count }, () => (d.below(20) === 0 ? null : String(d.id()))) }
}

/** Draws steps: the same for the same seed and the same failures. After one the client mostly ends its transaction. */
export function stepSource(random: Random, schema: string, habit: Habit): (hasFailed: boolean) => Step {
  const d = new Draws(random, schema)
  const statement = statementsOf(d, habit)
  const session = sessionOf(d, habit)
  const [plain, prepared, settings, many, copies] = SHARES[habit]
  return (hasFailed) => {
    if (hasFailed && d.below(3) > 0)
      return { text: d.pick(['ROLLBACK', 'ROLLBACK', 'ROLLBACK TO s']), protocol: 'simple' }
    let kind = d.below(40)
    if ((kind -= plain) < 0) return { text: statement(), protocol: d.pick(['simple', 'simple', 'extended', 'named']) }
    if ((kind -= prepared) < 0) return preparedStep(d, habit)
    if ((kind -= settings) < 0) return { text: d.pick(session)(), protocol: d.pick(['simple', 'extended']) }
    if ((kind -= many) < 0)
      return { text: `${statement()}; ${d.pick([...TRANSACTIONS, statement()])}; ${statement()}`, protocol: 'simple' }
    if ((kind -= copies) < 0) return copyOf(d, habit)
    return { text: d.pick(TRANSACTIONS), protocol: d.pick(['simple', 'extended']) }
  }
}
