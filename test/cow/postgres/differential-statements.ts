import type { Random } from '../../../src/core/random.ts'

/** A statement for both sides; `ONLY?` stands before the target of a write, and is `ONLY` on the overlay. */
export interface RandomStatement {
  readonly text: string
  /** The table whose rows it changes or locks, and which, as a condition: to be copied up before. */
  readonly target?: { readonly table: string; readonly condition: string }
}

/** Draws statements: the same for the same seed. */
export function statementSource(random: Random): () => RandomStatement {
  const below = (limit: number): number => Math.floor(random() * limit)
  const pick = <T>(choices: readonly T[]): T => {
    const [chosen] = choices.slice(below(choices.length))
    if (chosen === undefined) throw new Error('nothing to pick from')
    return chosen
  }
  const id = (): number => below(40)
  const condition = (table: string): string => {
    const key = table === 'd' ? 'a' : 'id'
    return pick([
      () => `${key} = ${id()}`,
      () => `${key} IN (${id()}, ${id()}, ${id()})`,
      () => `${key} BETWEEN ${id()} AND ${id()}`,
      () => `${key} % 7 = ${below(7)}`,
    ])()
  }
  const code = (): string => pick([`'code${below(16)}'`, `'fresh${below(8)}'`, 'NULL'])
  const inserts: (() => string)[] = [
    () => `INSERT INTO p (id, code, n) VALUES (${id()}, ${code()}, ${below(9)})`,
    () =>
      `INSERT INTO c (id, p_id, s, v) VALUES (${id()}, ${pick([id(), 'NULL'])}, '${pick(['new', 'paid', 'bad'])}', ${below(9)})`,
    () => `INSERT INTO c (id, p_id, v) SELECT id + 100, p_id, v FROM c WHERE ${condition('c')}`,
    () => `INSERT INTO d VALUES (${id()}, 'b${below(3)}', ${code()}, ${below(99)})`,
    () =>
      `INSERT INTO r (id, c_id, flag, x) VALUES (${id()}, ${pick([id(), 'NULL'])}, ${pick(['true', 'false'])}, '${pick(['x', 'X'])}${below(20)}')`,
  ]
  const suffixes = ['', '', ' ON CONFLICT DO NOTHING', ' RETURNING *']
  const upserts: (() => string)[] = [
    () =>
      `INSERT INTO p AS t (id, code) VALUES (${id()}, ${code()}) ON CONFLICT (id) DO UPDATE SET n = t.n + 10 RETURNING *`,
    () =>
      `INSERT INTO p AS t (id, code) VALUES (${id()}, ${code()}) ON CONFLICT (code) DO UPDATE SET n = 7 RETURNING *`,
    () =>
      `INSERT INTO d AS t VALUES (${id()}, 'b${below(3)}', NULL, 1) ON CONFLICT (a, b) DO UPDATE SET q = excluded.q RETURNING *`,
  ]
  const reads: (() => string)[] = [
    () => `SELECT * FROM joined WHERE ${condition('joined')} ORDER BY id`,
    () => `SELECT s, count(*), sum(v) FROM c GROUP BY s ORDER BY s`,
    () => `SELECT p.*, count(c.id) FROM p LEFT JOIN c ON c.p_id = p.id GROUP BY p.id ORDER BY p.id`,
    () => `SELECT a, b, q FROM d WHERE p_code LIKE 'code${below(3)}%' ORDER BY a, b`,
    () => `SELECT max(id), min(v) FROM c WHERE s = '${pick(['new', 'paid'])}'`,
    () => `SELECT id FROM r WHERE NOT EXISTS (SELECT 1 FROM c WHERE c.id = r.c_id) OR flag ORDER BY id DESC LIMIT 5`,
  ]
  const sets: Readonly<Record<string, (() => string)[]>> = {
    p: [() => `n = n - ${below(900)}`, () => `code = ${code()}`, () => `id = id + ${pick([1, 50, 200])}`],
    c: [
      () => `v = v + 1, s = '${pick(['new', 'sent'])}'`,
      () => `p_id = ${pick([id(), 'NULL'])}`,
      () => `id = ${id()}`,
    ],
    d: [() => `q = q * 2`, () => `p_code = ${code()}`, () => `b = 'b${below(4)}'`],
    r: [() => `flag = NOT flag`, () => `x = 'x${below(20)}'`, () => `c_id = ${id()}`],
  }
  const write = (): RandomStatement => {
    const table = pick(Object.keys(sets))
    const where = condition(table)
    const target = { table, condition: where }
    if (below(3) === 0) return { text: `DELETE FROM ONLY? ${table} WHERE ${where}`, target }
    // One row at a time where a key changes: which of several rows clashes first depends on their order on disk.
    const set = pick(sets[table] ?? [])()
    const key = table === 'd' ? 'a' : 'id'
    const one = /^(id|b|code|x) = |flag/.test(set)
      ? `${key} = ${id()}${table === 'd' ? ` AND b = 'b${below(3)}'` : ''}`
      : where
    return { text: `UPDATE ONLY? ${table} SET ${set} WHERE ${one}`, target: { table, condition: one } }
  }
  const calls: (() => string)[] = [
    () => `SELECT raise_n(${id()}, ${pick([1, -400])})`,
    () => `SELECT prune(${below(6)})`,
    () => `INSERT INTO log (what) VALUES ('w${below(5)}') RETURNING what`,
  ]
  const transactions = [
    'BEGIN',
    'COMMIT',
    'ROLLBACK',
    'SAVEPOINT s',
    'ROLLBACK TO s',
    'BEGIN ISOLATION LEVEL REPEATABLE READ',
  ]
  return () => {
    const kind = below(20)
    if (kind < 6) return { text: pick(reads)() }
    if (kind < 12) return write()
    if (kind < 15) return { text: pick(inserts)() + pick(suffixes) }
    if (kind < 17) return { text: pick(upserts)() }
    if (kind < 18) return { text: pick(calls)() }
    return { text: pick(transactions) }
  }
}
