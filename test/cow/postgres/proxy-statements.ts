import type { Random } from '../../../src/core/random.ts'

/** One thing that a client does. */
export interface Step {
  readonly text: string
  /** `simple`: one Query message. `extended`: unnamed. `named`: prepared under a name that lasts. */
  readonly protocol: 'simple' | 'extended' | 'named'
  readonly values?: readonly (string | null)[]
  /** What COPY .. FROM STDIN is given. */
  readonly rows?: string
}

type Draw = () => string

/** What statements are drawn from. */
class Draws {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  pick<T>(choices: readonly T[]): T {
    const [chosen] = choices.slice(this.below(choices.length))
    if (chosen === undefined) throw new Error('nothing to pick from')
    return chosen
  }

  id(): number {
    return this.below(40)
  }

  code(): string {
    return this.pick([`'code${this.below(16)}'`, `'fresh${this.below(8)}'`, 'NULL'])
  }

  condition(table: string, alias = ''): string {
    const prefix = alias === '' ? '' : `${alias}.`
    const key = `${prefix}${table === 'd' ? 'a' : 'id'}`
    return this.pick([
      () => `${key} = ${this.id()}`,
      () => `${key} IN (${this.id()}, ${this.id()}, ${this.id()})`,
      () => `${key} BETWEEN ${this.id()} AND ${this.id()}`,
      () => `${key} % 7 = ${this.below(7)}`,
    ])()
  }
}

function readsOf(d: Draws): Draw[] {
  return [
    () => `SELECT * FROM joined WHERE ${d.condition('joined')} ORDER BY id`,
    () => `SELECT * FROM p WHERE id = ${d.id()}`,
    () => `SELECT id, s, v, twice FROM c WHERE ${d.condition('c')}`,
    () => `SELECT s, count(*), sum(v) FROM c GROUP BY s ORDER BY s`,
    () => `SELECT p.*, count(c.id) FROM p LEFT JOIN c ON c.p_id = p.id GROUP BY p.id ORDER BY p.id`,
    () => `SELECT a, b, q FROM d WHERE p_code LIKE 'code${d.below(3)}%' ORDER BY a, b`,
    () => `SELECT max(id), min(v), count(DISTINCT s) FROM c WHERE s = '${d.pick(['new', 'paid'])}'`,
    () => `SELECT id FROM r WHERE NOT EXISTS (SELECT 1 FROM c WHERE c.id = r.c_id) OR flag ORDER BY id DESC LIMIT 5`,
    () => `SELECT id, v, rank() OVER (PARTITION BY s ORDER BY v, id), sum(v) OVER (ORDER BY id) FROM c ORDER BY id`,
    () =>
      `WITH big AS (SELECT * FROM c WHERE v > ${d.below(20)}) SELECT p.code, count(*) FROM big JOIN p ON p.id = big.p_id GROUP BY p.code`,
    () => `SELECT id FROM c ${d.pick(['UNION', 'INTERSECT', 'EXCEPT', 'UNION ALL'])} SELECT c_id FROM r`,
    () =>
      `SELECT p.id, x.v FROM p CROSS JOIN LATERAL (SELECT v FROM c WHERE c.p_id = p.id ORDER BY c.id LIMIT 1) x ORDER BY p.id`,
    () => `SELECT p.id, c.id FROM p FULL JOIN c ON c.p_id = p.id AND c.v > ${d.below(9)}`,
    () => `SELECT s, p_id, count(*) FROM c GROUP BY GROUPING SETS ((s), (p_id), ())`,
    () => `SELECT c FROM c WHERE ${d.condition('c')}`,
    () =>
      `SELECT to_jsonb(d) - 'q', row_to_json(p)->>'code' FROM d JOIN p ON p.code = d.p_code WHERE ${d.condition('d', 'd')}`,
    () => `SELECT g, (SELECT count(*) FROM c WHERE c.v = g) FROM generate_series(0, 5) g ORDER BY g`,
    () => `SELECT a, b FROM bare WHERE a < ${d.id()}`,
    () => `SELECT * FROM tree WHERE up = ${d.below(10)} OR id = ${d.below(10)} ORDER BY id`,
    () =>
      `WITH RECURSIVE t AS (SELECT id, up, 1 AS depth FROM tree WHERE up IS NULL UNION ALL SELECT tree.id, tree.up, depth + 1 FROM tree JOIN t ON tree.up = t.id WHERE depth < 9) SELECT id, depth FROM t`,
    () => `SELECT id, name FROM u WHERE id = md5('${d.below(12)}')::uuid`,
    () => `SELECT count(*), max(at) FROM m WHERE at >= '2026-01-${10 + d.below(10)}'`,
    () => `SELECT * FROM m_1 WHERE id < ${d.id()}`,
    () => `SELECT count(*), 6 / ${d.below(3)} FROM c WHERE id = ${d.id()}`,
    () => `SELECT nothing FROM p`,
    () =>
      `SELECT * FROM p WHERE ${d.condition('p')} FOR ${d.pick(['UPDATE', 'SHARE', 'NO KEY UPDATE SKIP LOCKED', 'KEY SHARE NOWAIT'])}`,
    () =>
      `SELECT p.id, c.id FROM p JOIN c ON c.p_id = p.id WHERE ${d.condition('p', 'p')} FOR UPDATE OF ${d.pick(['p', 'c', 'p, c'])}`,
    () => `SELECT id FROM c ORDER BY v DESC, id LIMIT ${1 + d.below(4)} FOR UPDATE`,
    () => `SELECT currval('ticket'), n FROM p WHERE id = ${d.id()}`,
    () => `VALUES (1, 'a'), (2, 'b')`,
    () => `TABLE d`,
  ]
}

function insertsOf(d: Draws): Draw[] {
  const tail = (): string => d.pick(['', '', ' ON CONFLICT DO NOTHING', ' RETURNING *'])
  return [
    () => `INSERT INTO p (id, code, n) VALUES (${d.id()}, ${d.code()}, ${d.below(9)})${tail()}`,
    () =>
      `INSERT INTO c (id, p_id, s, v) VALUES (${d.id()}, ${d.pick([d.id(), 'NULL'])}, '${d.pick(['new', 'paid', 'bad'])}', ${d.below(9)})${tail()}`,
    () => `INSERT INTO c (id, p_id, v) SELECT id + 100, p_id, v FROM c WHERE ${d.condition('c')}${tail()}`,
    () => `INSERT INTO d VALUES (${d.id()}, 'b${d.below(3)}', ${d.code()}, ${d.below(99)})${tail()}`,
    () =>
      `INSERT INTO r (id, c_id, flag, x) VALUES (${d.id()}, ${d.pick([d.id(), 'NULL'])}, ${d.pick(['true', 'false'])}, '${d.pick(['x', 'X'])}${d.below(20)}')${tail()}`,
    () => `INSERT INTO r (c_id, flag, x) VALUES (${d.id()}, false, 'auto') RETURNING id`,
    () => `INSERT INTO log (what) VALUES ('w${d.below(5)}'), (NULL) RETURNING id, what`,
    () => `INSERT INTO bare VALUES (${d.id()}, 'z${d.below(3)}')`,
    () => `INSERT INTO tree VALUES (${d.below(14)}, ${d.pick([d.below(14), 'NULL'])})${tail()}`,
    () => `INSERT INTO u VALUES (md5('${d.below(16)}')::uuid, 'n${d.below(6)}')${tail()}`,
    () => `INSERT INTO m VALUES (${d.id()}, '2026-01-${10 + d.below(12)}', ${d.below(5)})${tail()}`,
    () => `INSERT INTO vp (id, code) VALUES (${d.id()}, ${d.code()})`,
    () =>
      `INSERT INTO p AS t (id, code) VALUES (${d.id()}, ${d.code()}) ON CONFLICT (id) DO UPDATE SET n = t.n + 10 RETURNING *`,
    () =>
      `INSERT INTO p AS t (id, code) VALUES (${d.id()}, ${d.code()}) ON CONFLICT (code) DO UPDATE SET n = 7 RETURNING *`,
    () =>
      `INSERT INTO p (id, code) VALUES (${d.id()}, ${d.code()}) ON CONFLICT ON CONSTRAINT p_pkey DO UPDATE SET code = excluded.code WHERE p.n > 3`,
    () =>
      `INSERT INTO d AS t VALUES (${d.id()}, 'b${d.below(3)}', NULL, 1) ON CONFLICT (a, b) DO UPDATE SET q = excluded.q RETURNING *`,
    () =>
      `INSERT INTO c (id, p_id, v) SELECT id, p_id, v + 1 FROM c WHERE ${d.condition('c')} ON CONFLICT (id) DO UPDATE SET v = excluded.v`,
    () =>
      `INSERT INTO r (id, flag, x) VALUES (${d.id()}, true, 'X${d.below(20)}') ON CONFLICT (lower(x)) WHERE flag DO UPDATE SET c_id = NULL`,
    () =>
      `INSERT INTO u VALUES (md5('${d.below(16)}')::uuid, 'n') ON CONFLICT (id) DO UPDATE SET name = u.name || '!' RETURNING name`,
  ]
}

const SETS: Readonly<Record<string, (d: Draws) => string>> = {
  p: (d) =>
    d.pick([
      `n = n - ${d.below(900)}`,
      `code = ${d.code()}`,
      `id = id + ${d.pick([1, 50, 200])}`,
      `(n, code) = (SELECT max(v), 'sub' FROM c WHERE p_id = p.id)`,
    ]),
  c: (d) =>
    d.pick([`v = v + 1, s = '${d.pick(['new', 'sent'])}'`, `p_id = ${d.pick([d.id(), 'NULL'])}`, `id = ${d.id()}`]),
  d: (d) => d.pick(['q = q * 2', `p_code = ${d.code()}`, `b = 'b${d.below(4)}'`, `q = q * 1000`]),
  r: (d) => d.pick(['flag = NOT flag', `x = 'x${d.below(20)}'`, `c_id = ${d.id()}`, 'id = DEFAULT']),
}

/**
 * Left out, because the tag and RETURNING do not count base rows there, though the data are right: UPDATE and DELETE of a view, and
 * EXECUTE of a write.
 */
function writesOf(d: Draws): Draw[] {
  const update = (): string => {
    const table = d.pick(Object.keys(SETS))
    const set = SETS[table]?.(d) ?? ''
    // One row at a time where a key changes: which of several rows clashes first depends on their order on disk.
    const oneRow = `${table === 'd' ? 'a' : 'id'} = ${d.id()}${table === 'd' ? ` AND b = 'b${d.below(3)}'` : ''}`
    const where = /^(id|b|code|x) |^\(n|flag/.test(set) ? oneRow : d.condition(table)
    return `UPDATE ${table} SET ${set} WHERE ${where}${d.pick(['', ' RETURNING *'])}`
  }
  const remove = (): string => {
    const table = d.pick(Object.keys(SETS))
    return `DELETE FROM ${table} WHERE ${d.condition(table)}${d.pick(['', ' RETURNING *'])}`
  }
  return [
    update,
    update,
    update,
    remove,
    () => `UPDATE c SET v = p.n FROM p WHERE p.id = c.p_id AND ${d.condition('p', 'p')} RETURNING c.id, c.v, p.code`,
    () => `UPDATE c AS x SET v = y.v FROM c AS y WHERE y.id = x.id + 1 AND ${d.condition('c', 'x')}`,
    () => `DELETE FROM r USING c WHERE c.id = r.c_id AND ${d.condition('c', 'c')} RETURNING r.*`,
    () => `DELETE FROM d WHERE p_code IN (SELECT code FROM p WHERE ${d.condition('p')})`,
    () => `WITH gone AS (DELETE FROM r WHERE ${d.condition('r')} RETURNING *) SELECT id, c_id FROM gone`,
    () =>
      `WITH moved AS (UPDATE c SET v = v + 5 WHERE ${d.condition('c')} RETURNING id, v) INSERT INTO log SELECT 1000000 + id, v::text FROM moved ON CONFLICT DO NOTHING`,
    () =>
      `WITH k AS (SELECT id FROM c ORDER BY id LIMIT 3 FOR UPDATE) UPDATE c SET v = 0 FROM k WHERE c.id = k.id RETURNING c.id`,
    () =>
      `UPDATE c SET v = 1 WHERE id = (SELECT id FROM c WHERE v > ${d.below(9)} ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id`,
    () => `UPDATE bare SET b = b || '+' WHERE a = ${d.id()}`,
    () => `DELETE FROM bare WHERE a = ${d.id()}`,
    () => `DELETE FROM tree WHERE id = ${d.below(14)}`,
    () => `UPDATE tree SET up = ${d.pick([d.below(14), 'NULL'])} WHERE id = ${d.below(14)}`,
    () => `UPDATE u SET name = name || '.' WHERE id = md5('${d.below(14)}')::uuid`,
    () => `UPDATE m SET at = '2026-01-${10 + d.below(12)}' WHERE id = ${d.id()}`,
    () => `DELETE FROM m WHERE at = '2026-01-${10 + d.below(12)}' RETURNING id`,
    () =>
      `MERGE INTO p USING (VALUES (${d.id()}, 'fresh${d.below(8)}')) AS s (id, code) ON p.id = s.id WHEN MATCHED AND p.n > ${d.below(9)} THEN UPDATE SET n = p.n + 1 WHEN MATCHED THEN ${d.pick(['DELETE', 'DO NOTHING'])} WHEN NOT MATCHED THEN INSERT (id, code) VALUES (s.id, s.code)`,
    () =>
      `MERGE INTO c USING r ON r.c_id = c.id AND ${d.condition('r', 'r')} WHEN MATCHED THEN UPDATE SET v = c.v + 1 RETURNING merge_action(), c.id`,
    () =>
      `MERGE INTO d USING p ON p.code = d.p_code AND p.id < ${d.below(9)} WHEN NOT MATCHED BY SOURCE AND d.a = ${d.id()} THEN DELETE WHEN MATCHED THEN UPDATE SET q = d.q + 1`,
    () => `SELECT raise_n(${d.id()}, ${d.pick([1, -400])})`,
    () => `SELECT prune(${d.below(6)})`,
    () => `CALL swap(${d.id()}, ${d.id()})`,
    () =>
      `DO $$ BEGIN UPDATE c SET v = v + 1 WHERE ${d.condition('c')}; DELETE FROM r WHERE id = ${d.id()}; EXCEPTION WHEN OTHERS THEN INSERT INTO log (what) VALUES (SQLSTATE); END $$`,
    () =>
      `DO $$ DECLARE x record; BEGIN FOR x IN SELECT id FROM c WHERE ${d.condition('c')} ORDER BY id LOOP EXECUTE 'UPDATE c SET v = v - 1 WHERE id = $1' USING x.id; END LOOP; END $$`,
  ]
}

function sessionOf(d: Draws): Draw[] {
  return [
    () => `SELECT nextval('ticket')`,
    () => `SELECT setval('ticket', ${1 + d.below(50)})`,
    () => `INSERT INTO log VALUES (nextval('ticket') + 5000000, 't') ON CONFLICT DO NOTHING RETURNING id`,
    () => `TRUNCATE ${d.pick(['log', 'bare', 'r', 'd RESTART IDENTITY', 'p', 'tree CASCADE'])}`,
    () => `SET LOCAL search_path = ${d.pick(['public', 'pg_catalog, public', 'nowhere, public'])}`,
    () => `SET CONSTRAINTS ALL ${d.pick(['DEFERRED', 'IMMEDIATE'])}`,
    () =>
      `PREPARE s${d.below(3)} (int) AS ${d.pick([`SELECT v FROM c WHERE id = $1`, `SELECT * FROM p WHERE id = $1`, `INSERT INTO u VALUES (md5($1::text)::uuid, 'x')`])}`,
    () => `EXECUTE s${d.below(3)} (${d.id()})`,
    () => `DEALLOCATE s${d.below(3)}`,
    () => `DECLARE k${d.below(2)} SCROLL CURSOR FOR SELECT id, v FROM c ORDER BY id`,
    () => `FETCH ${d.pick(['NEXT', '3', 'ALL', 'PRIOR', 'ABSOLUTE 2'])} FROM k${d.below(2)}`,
    () => `MOVE 2 FROM k${d.below(2)}`,
    () => `CLOSE k${d.below(2)}`,
    () => `LOCK TABLE ${d.pick(['p', 'c'])} IN ${d.pick(['SHARE', 'ROW EXCLUSIVE', 'ACCESS EXCLUSIVE'])} MODE`,
    () => `SELEC 1`,
    () => ``,
  ]
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

function copyOf(d: Draws): Step {
  return d.pick<() => Step>([
    () => ({
      text: `COPY ${d.pick(['p', 'c (id, v)', 'r', 'bare', '(SELECT id FROM p WHERE n > 3)'])} TO STDOUT`,
      protocol: 'simple',
    }),
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
  ])()
}

/** Draws steps: the same for the same seed and the same failures. After one the client mostly ends its transaction. */
export function stepSource(random: Random): (hasFailed: boolean) => Step {
  const d = new Draws(random)
  const [reads, inserts, writes, session] = [readsOf(d), insertsOf(d), writesOf(d), sessionOf(d)]
  const statement = (): string => d.pick(d.pick([reads, reads, inserts, writes, writes]))()
  const prepared = (): Step => {
    const [text, count] = d.pick(PREPARED)
    const protocol = d.pick(['extended', 'named'] as const)
    if (count === -1) return { text, protocol, values: [`{${d.id()},${d.id()}}`] }
    if (count === -2) return { text, protocol, values: [String(d.id()), `b${d.below(3)}`] }
    return { text, protocol, values: Array.from({ length: count }, () => (d.below(20) === 0 ? null : String(d.id()))) }
  }
  return (hasFailed) => {
    if (hasFailed && d.below(3) > 0)
      return { text: d.pick(['ROLLBACK', 'ROLLBACK', 'ROLLBACK TO s']), protocol: 'simple' }
    const kind = d.below(40)
    if (kind < 24) return { text: statement(), protocol: d.pick(['simple', 'simple', 'extended', 'named']) }
    if (kind < 29) return prepared()
    if (kind < 31) return { text: d.pick(session)(), protocol: d.pick(['simple', 'extended']) }
    if (kind < 32)
      return { text: `${statement()}; ${d.pick([...TRANSACTIONS, statement()])}; ${statement()}`, protocol: 'simple' }
    if (kind < 33) return copyOf(d)
    return { text: d.pick(TRANSACTIONS), protocol: d.pick(['simple', 'extended']) }
  }
}
