import type { Draw, Draws } from './draws.ts'

/** Reads that try what expressions and clauses mean: most of them could run on production as they are. */
export function expressionsOf(d: Draws): Draw[] {
  const one = (): string => d.pick(['p', 'c', 'r', 'doc'])
  return [
    () => `SELECT DISTINCT ON (s) s, id FROM c ORDER BY s, v DESC, id`,
    () => `SELECT s, string_agg(id::text, ',' ORDER BY id DESC) FILTER (WHERE v > ${d.below(9)}) FROM c GROUP BY s`,
    () => `SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY v), mode() WITHIN GROUP (ORDER BY s) FROM c`,
    () => `SELECT s, p_id % 2 AS odd, count(*) FROM c GROUP BY ${d.pick(['ROLLUP', 'CUBE'])} (s, p_id % 2)`,
    () => `SELECT s FROM c GROUP BY s HAVING count(*) > ${d.below(12)}`,
    () => `SELECT array_agg(id ORDER BY id) FROM ${one()} WHERE id % 3 = ${d.below(3)}`,
    () =>
      `SELECT id, CASE WHEN v > 9 THEN 'big' WHEN v IS NULL THEN 'none' ELSE 'small' END FROM c WHERE ${d.condition('c')}`,
    () => `SELECT coalesce(code, '-'), nullif(n, ${d.below(5)}), greatest(n, 3, NULL) FROM p WHERE ${d.condition('p')}`,
    () => `SELECT id FROM p WHERE code ${d.pick(['LIKE', 'ILIKE', '~', '!~*', 'NOT LIKE'])} 'CODE1'`,
    () => `SELECT id FROM p WHERE (id, n) ${d.pick(['=', '<', '>='])} (${d.id()}, ${d.below(9)})`,
    () =>
      `SELECT id FROM p WHERE n ${d.pick(['= ANY', '> ALL', '< SOME'])} (SELECT v FROM c WHERE ${d.condition('c')})`,
    () =>
      `SELECT id FROM c WHERE s ${d.pick(['=', '>', '<='])} 'paid' ORDER BY s, id FETCH FIRST ${1 + d.below(3)} ROWS WITH TIES`,
    () => `SELECT id FROM c WHERE s = 'nothing'`,
    () => `SELECT id FROM c ORDER BY id OFFSET ${d.below(9)} LIMIT ${d.below(5)}`,
    () => `SELECT (SELECT id FROM c WHERE p_id = p.id) FROM p WHERE ${d.condition('p')}`,
    () => `SELECT '${d.pick(['1', 'x', '9999999999', '', ' 7 '])}'::int + n FROM p WHERE id = ${d.id()}`,
    () => `SELECT n * ${d.pick(['2147483647', '3', '1e200::float8', '0.1'])} FROM p WHERE id = ${d.id()}`,
    () =>
      `SELECT n::numeric / ${d.below(3)}, round(n / 3.0, 2), n % 4, -n, abs(n - 5) FROM p WHERE ${d.condition('p')}`,
    () =>
      `SELECT id, lag(v) OVER w, first_value(id) OVER w FROM c WINDOW w AS (PARTITION BY s ORDER BY id) ORDER BY id`,
    () => `SELECT sum(v) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM c WHERE ${d.condition('c')}`,
    () =>
      `WITH x AS ${d.pick(['MATERIALIZED', 'NOT MATERIALIZED'])} (SELECT id, n FROM p) SELECT a.id, b.n FROM x a JOIN x b ON a.id = b.id + 1`,
    () => `SELECT p.id, v.x FROM p JOIN (VALUES (1, 'a'), (${d.id()}, 'b')) AS v (id, x) USING (id)`,
    () => `SELECT * FROM p NATURAL JOIN (SELECT id, v FROM c) AS y ORDER BY id`,
    () => `SELECT id, tags[1], array_length(tags, 1), 'odd' = ANY (tags) FROM doc WHERE ${d.condition('doc')}`,
    () => `SELECT id FROM doc WHERE tags ${d.pick(['@>', '&&', '<@'])} ARRAY['t${d.below(4)}']`,
    () => `SELECT t, count(*) FROM doc, unnest(tags) AS t GROUP BY t`,
    () => `SELECT id, body->'k', body->>'k', body#>>'{list,0}', body ? 'k' FROM doc WHERE ${d.condition('doc')}`,
    () => `SELECT id FROM doc WHERE body @> '{"k": ${d.below(5)}}' ORDER BY id`,
    () => `SELECT id, e FROM doc, jsonb_array_elements(body->'list') AS e WHERE ${d.condition('doc')}`,
    () => `SELECT jsonb_agg(body ORDER BY id) FROM doc WHERE ${d.condition('doc')}`,
    () => `SELECT id, at, at::date, extract(hour FROM at), date_trunc('day', at) FROM doc WHERE ${d.condition('doc')}`,
    () =>
      `SELECT count(*) FROM doc WHERE at > timestamptz '2026-03-0${1 + d.below(6)} 00:00+00' + interval '${d.below(9)} hours'`,
    () => `SELECT to_char(at, 'YYYY-MM-DD HH24'), at + interval '1 month' FROM doc WHERE id = ${d.id()}`,
    () => `SELECT doc.id, words_of(doc.id) FROM doc WHERE ${d.condition('doc', 'doc')}`,
    () => `SELECT d.*, n.who FROM doc d LEFT JOIN note n ON n.doc_id = d.id WHERE d.id = ${d.id()}`,
    () => `SELECT who, sum(words) FROM note GROUP BY who ORDER BY who`,
    () =>
      `SELECT id, upper(code) || '-' || length(code), substr(code, 2, 3), md5(code) FROM p WHERE ${d.condition('p')}`,
    () => `SELECT id FROM p WHERE code IS ${d.pick(['NULL', 'NOT NULL', "DISTINCT FROM 'code3'"])}`,
    () => `SELECT p FROM p WHERE p.id = ${d.id()}`,
    () => `SELECT count(DISTINCT (s, v)), bool_and(v > 0), every(v < 99), max(s), min(s) FROM c`,
    () => `SELECT 1 FROM p, c, r WHERE p.id = c.p_id AND c.id = r.c_id AND p.id = ${d.id()}`,
    () => `SELECT EXISTS (SELECT FROM c WHERE ${d.condition('c')}), (SELECT count(*) FROM p)`,
    () => `SELECT x.* FROM (SELECT id, row_number() OVER (ORDER BY v DESC, id) AS place FROM c) x WHERE place <= 3`,
    () =>
      `SELECT ${d.pick(['id', 'nope', 'c.id', 'p.nope', 'max(id)', 'id, count(*)', 'nofunction(id)', 'id + code'])} FROM p`,
    () => `SELECT id FROM ${d.pick(['nowhere', 'public.p', 'p x, p x', 'p JOIN c USING (id)', 'joined', 'vp'])}`,
    () => `EXPLAIN (COSTS off, ANALYZE off) SELECT 1`,
  ]
}

/** Reads of one row by its key: what is asked beside touched rows. */
export function keyReadsOf(d: Draws): Draw[] {
  return [
    () => `SELECT * FROM p WHERE id = ${d.id()}`,
    () => `SELECT code, n FROM p WHERE id = ${d.id()}`,
    () => `SELECT id, s, v, twice FROM c WHERE id = ${d.id()}`,
    () => `SELECT * FROM d WHERE a = ${d.id()} AND b = 'b${d.below(3)}'`,
    () =>
      `SELECT name FROM u WHERE id = '${d.pick(['cfcd2084-95d5-65ef-66e7-dff9f98764da', 'c4ca4238-a0b9-2382-0dcc-509a6f75849b'])}'`,
    () => `SELECT id, up FROM tree WHERE id = ${d.below(14)}`,
    () => `SELECT id, tags, body FROM doc WHERE id = ${d.id()}`,
    () => `SELECT flag, x FROM r WHERE id = ${d.id()} LIMIT 1`,
  ]
}
