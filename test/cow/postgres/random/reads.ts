import type { Draw, Draws } from './draws.ts'

/** Reads of all kinds, some of which fail. */
export function readsOf(d: Draws): Draw[] {
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
