import type { Draw, Draws } from './draws.ts'

export function insertsOf(d: Draws): Draw[] {
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

export function writesOf(d: Draws): Draw[] {
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
