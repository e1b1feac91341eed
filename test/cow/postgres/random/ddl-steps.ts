import type { Draw, Draws } from './draws.ts'

const TABLE = ['p', 'c', 'doc', 'note', 'u', 'bare'] as const

/** Each with one bound, whose place in a text an error would tell. */
const PARTITIONS = [
  ['m_2', `FOR VALUES FROM ('2026-01-16') TO ('2026-02-01')`],
  ['m_3', `FOR VALUES FROM ('2026-02-01') TO ('2026-02-05')`],
  ['m_4', `FOR VALUES FROM ('2026-02-05') TO ('2026-02-09')`],
] as const

/** Migrations: what they change is used by the next of them, and by reads and writes of whole rows. */
export function ddlOf(d: Draws): Draw[] {
  const extra = (): string => `extra${d.below(3)}`
  const own = (): string => `own${d.below(3)}`
  const partition = (written: (name: string, bound: string) => string): string =>
    d.pick(PARTITIONS.map(([name, bound]) => written(name, bound)))
  return [
    () =>
      `ALTER TABLE ${d.pick(TABLE)} ADD COLUMN ${d.pick(['', 'IF NOT EXISTS '])}${extra()} ${d.pick(['int', "text DEFAULT 'dflt'", 'int NOT NULL DEFAULT 3', 'timestamptz', 'st'])}`,
    () => `ALTER TABLE ${d.pick(TABLE)} DROP COLUMN ${d.pick(['', 'IF EXISTS '])}${extra()}`,
    () => `ALTER TABLE ${d.pick(TABLE)} RENAME COLUMN ${extra()} TO ${extra()}`,
    () =>
      `ALTER TABLE ${d.pick(TABLE)} ALTER COLUMN ${extra()} ${d.pick(['SET DEFAULT 5', 'DROP DEFAULT', 'SET NOT NULL', 'DROP NOT NULL', 'TYPE text'])}`,
    () => `ALTER TABLE c ADD CONSTRAINT low${d.below(2)} CHECK (v ${d.pick(['>= -100000', '< 100000'])})`,
    () => `ALTER TABLE c DROP CONSTRAINT ${d.pick(['', 'IF EXISTS '])}low${d.below(2)}`,
    () =>
      `CREATE ${d.pick(['', 'UNIQUE '])}INDEX i${d.below(3)} ON ${d.pick(['c (v)', 'p (lower(code))', 'doc (size)', 'u (name)'])}`,
    () => `DROP INDEX ${d.pick(['', 'IF EXISTS '])}i${d.below(3)}`,
    () =>
      `CREATE TABLE ${d.pick(['', 'IF NOT EXISTS '])}${own()} (id serial PRIMARY KEY, p_id int REFERENCES p ON DELETE CASCADE, x text)`,
    () => `CREATE TABLE ${own()} AS SELECT id, v AS p_id, s::text AS x FROM c WHERE ${d.condition('c')}`,
    () => `INSERT INTO ${own()} (p_id, x) SELECT id, code FROM p WHERE ${d.condition('p')} RETURNING p_id, x`,
    () => `SELECT p_id, x FROM ${own()} ORDER BY p_id, x`,
    () => `DROP TABLE ${d.pick(['', 'IF EXISTS '])}${own()}`,
    () => `CREATE OR REPLACE VIEW shown AS SELECT id, ${d.pick(['v', 'v'])} FROM c WHERE v > ${d.below(9)}`,
    () => `SELECT * FROM shown ORDER BY id`,
    () => `DROP VIEW IF EXISTS shown`,
    () => `CREATE TYPE feel AS ENUM ('sad', 'glad')`,
    () => `ALTER TYPE feel ADD VALUE ${d.pick(['', 'IF NOT EXISTS '])}'so so'`,
    () => `ALTER TABLE u ADD COLUMN feeling feel DEFAULT 'glad'`,
    () => `ALTER TABLE u DROP COLUMN IF EXISTS feeling`,
    () =>
      `CREATE OR REPLACE FUNCTION plus(x int) RETURNS int LANGUAGE sql AS $$ SELECT x + (SELECT count(*)::int FROM p) $$`,
    () => `SELECT plus(${d.below(9)})`,
    () => `CREATE TEMP TABLE ${d.pick(['', 'IF NOT EXISTS '])}kept AS SELECT id, v FROM c WHERE ${d.condition('c')}`,
    () => `SELECT * FROM kept ORDER BY id`,
    () => `DROP TABLE IF EXISTS kept`,
    () =>
      `CREATE TABLE ${d.pick(['', 'IF NOT EXISTS '])}${partition((name, bound) => `${name} PARTITION OF m ${bound}`)}`,
    () => `ALTER TABLE m ${partition((name, bound) => `ATTACH PARTITION ${name} ${bound}`)}`,
    () => `ALTER TABLE m ${partition((name) => `DETACH PARTITION ${name}`)}`,
    () => partition((name) => `DROP TABLE ${name}`),
    () => partition((name) => `SELECT * FROM ${name}`),
    () => `INSERT INTO m VALUES (${d.id()}, '2026-02-0${1 + d.below(9)}', 1) RETURNING *`,
    () => `UPDATE m SET at = at + ${d.below(20)} WHERE id = ${d.id()} RETURNING *`,
    () => `COMMENT ON TABLE p IS 'p${d.below(9)}'`,
    () => `ALTER TABLE p ALTER COLUMN n SET DEFAULT ${d.below(5)}`,
    () => `INSERT INTO p (id) VALUES (${d.id()}) RETURNING *`,
    () => `SELECT * FROM ${d.pick(TABLE)}`,
    () => `UPDATE u SET name = name || 'd' RETURNING *`,
    () =>
      `SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns WHERE table_schema = '${d.schema}' AND table_name = '${d.pick(TABLE)}' ORDER BY ordinal_position`,
  ]
}
