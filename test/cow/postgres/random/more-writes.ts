import type { Draw, Draws } from './draws.ts'

/** Writes with arrays, documents, identities, triggers that change or drop rows, keys that are deferred, and partitions. */
export function moreWritesOf(d: Draws): Draw[] {
  const doc = (): string => d.condition('doc')
  const tail = (): string => d.pick(['', ' RETURNING *'])
  return [
    () =>
      `INSERT INTO doc (tags, body, size, note) VALUES (ARRAY['t${d.below(3)}'], '{"k": ${d.below(5)}}', ${d.pick(['5', '950', '-1', 'NULL'])}, '${d.pick(['short', 'longer than eight'])}')${tail()}`,
    () =>
      `INSERT INTO doc (id, note) ${d.pick(['', 'OVERRIDING SYSTEM VALUE '])}VALUES (${d.id()}, 'x') ON CONFLICT (id) DO UPDATE SET note = excluded.note || doc.note RETURNING id, note`,
    () => `UPDATE doc SET tags = tags || 'new' WHERE ${doc()}${tail()}`,
    () => `UPDATE doc SET tags[${1 + d.below(3)}] = 'set' WHERE id = ${d.id()}${tail()}`,
    () =>
      `UPDATE doc SET body = jsonb_set(body, '{k}', '${d.below(9)}') WHERE body @> '{"k": ${d.below(5)}}' RETURNING id`,
    () => `UPDATE doc SET size = size + ${d.pick([1, 500, -15])} WHERE ${doc()} RETURNING id, size`,
    () => `UPDATE doc SET note = '${d.pick(['tiny', 'far too long'])}', at = at + interval '1 day' WHERE ${doc()}`,
    () => `UPDATE doc SET id = DEFAULT WHERE id = ${d.id()}`,
    // One at a time: which of several clashes comes first depends on their order on disk.
    () => `DELETE FROM doc WHERE id = ${d.id()}${tail()}`,
    () =>
      `INSERT INTO note VALUES (${d.id()}, 'w${d.below(5)}', ${d.below(9)}) ON CONFLICT ON CONSTRAINT note_key DO UPDATE SET words = note.words + excluded.words RETURNING *`,
    () => `INSERT INTO note (who, words) VALUES ('w${d.below(9)}', ${d.pick(['1', 'NULL'])})${tail()}`,
    () => `UPDATE note SET words = words + 1 WHERE who = 'w${d.below(4)}' AND doc_id < ${d.id()}${tail()}`,
    () => `DELETE FROM note WHERE doc_id = ${d.id()}${tail()}`,
    () => `DELETE FROM note WHERE words < ${d.below(5)}`,
    () =>
      `UPDATE note AS n SET words = doc.size FROM doc WHERE doc.id = n.doc_id AND doc.id = ${d.id()} RETURNING n.who, n.words`,
    () =>
      `INSERT INTO m VALUES (${d.id()}, '2026-01-${10 + d.below(12)}', 1) ON CONFLICT (id, at) DO UPDATE SET n = m.n + 1 RETURNING *`,
    () => `UPDATE m SET n = n + 1 WHERE id % 5 = ${d.below(5)} RETURNING id, at, n`,
    () =>
      `WITH a AS (INSERT INTO p (id, n) VALUES (${d.id()}, 1) RETURNING id), b AS (UPDATE c SET v = 3 WHERE ${d.condition('c')} RETURNING id) SELECT 'a', id FROM a UNION ALL SELECT 'b', id FROM b`,
    () =>
      `INSERT INTO tree SELECT id + 20, id FROM tree WHERE id < ${d.below(6)} ON CONFLICT (id) DO UPDATE SET up = excluded.up RETURNING id`,
    () =>
      `INSERT INTO u SELECT id, name || '2' FROM u WHERE name LIKE 'n1%' ON CONFLICT (id) DO UPDATE SET name = excluded.name`,
    () =>
      `INSERT INTO p (id, code) VALUES (${d.id()}, ${d.code()}), (${d.id()}, ${d.code()}), (${d.id()}, ${d.code()}) ON CONFLICT DO NOTHING RETURNING id`,
    () =>
      `INSERT INTO p (id, code) VALUES (${d.id()}, ${d.code()}), (${d.id()}, ${d.code()}) ON CONFLICT (id) DO UPDATE SET n = p.n + 1 RETURNING id, n`,
    () =>
      `MERGE INTO doc USING note ON note.doc_id = doc.id AND note.words < ${d.below(9)} AND doc.id = ${d.id()} WHEN MATCHED AND doc.size > 5 THEN DELETE WHEN MATCHED THEN DO NOTHING`,
    () =>
      `MERGE INTO u USING (VALUES (md5('${d.below(16)}')::uuid, 'merged')) AS s (id, name) ON u.id = s.id WHEN MATCHED THEN UPDATE SET name = s.name WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name) RETURNING merge_action(), u.name`,
    () => `UPDATE c SET v = ${d.below(30)} WHERE ctid = (SELECT ctid FROM c WHERE id = -1)`,
    () => `UPDATE p SET nothing = 1`,
    () => `DELETE FROM nowhere WHERE id = 1`,
    () => `INSERT INTO p (id, n) VALUES (${d.id()}, NULL)`,
    () => `UPDATE c SET twice = 1 WHERE id = ${d.id()}`,
  ]
}

/** Writes of rows whose table no text names: through views, in functions, and by EXECUTE. */
export function indirectWritesOf(d: Draws): Draw[] {
  return [
    () => `UPDATE vp SET n = n + 1 WHERE ${d.condition('vp')}`,
    () => `DELETE FROM vp WHERE id = ${20 + d.id()}`,
    () => `UPDATE vp SET code = ${d.code()} WHERE id = ${d.id()}`,
    () => `SELECT id, tags FROM retag(${d.id()}, 'r${d.below(3)}')`,
    () => `UPDATE m_1 SET n = n + 1 WHERE id = ${d.id()} RETURNING *`,
    () => `UPDATE vp SET n = n + 1 WHERE ${d.condition('vp')} RETURNING *`,
    () => `SELECT id, tags, body, at, size FROM retag(${d.id()}, 's')`,
    () =>
      `DO $$ DECLARE k int; BEGIN ${d.pick([`UPDATE c SET v = v + 1 WHERE ${d.condition('c')}`, `DELETE FROM r WHERE ${d.condition('r')}`, `UPDATE doc SET tags = '{}' WHERE id = ${d.id()}`])}; GET DIAGNOSTICS k = ROW_COUNT; INSERT INTO log (what) VALUES ('changed ' || k || FOUND); END $$`,
    () => `DO $$ BEGIN TRUNCATE ${d.pick(['log', 'r', 'tree', 'u', 'note'])}; END $$`,
    () => `PREPARE t${d.below(2)} (int) AS UPDATE c SET v = v + 1 WHERE id = $1 RETURNING id, v, twice`,
    () => `PREPARE t${d.below(2)} (int) AS DELETE FROM d WHERE a = $1 RETURNING *`,
    () => `EXECUTE t${d.below(2)} (${d.id()})`,
    () => `EXECUTE t${d.below(2)} (${d.id()})`,
    () => `DEALLOCATE t${d.below(2)}`,
  ]
}
