import type { Random } from '../../../src/core/random.ts'
import {
  bind,
  close,
  copyData,
  copyDone,
  copyFail,
  describe,
  execute,
  flush,
  parse,
  query,
  sync,
} from '../../../src/wire/postgres/frontend.ts'

/** A message and how it is shown where a test fails. */
export interface ShownMessage {
  readonly shown: string
  readonly bytes: Uint8Array
}

/** Tables of which one is never written to, and one always was. */
export const TORTURE_SCHEMA = `
CREATE TABLE clean (id int PRIMARY KEY, name text);
CREATE TABLE dirty (id int PRIMARY KEY, name text, n int CHECK (n >= 0));`
export const TORTURE_DATA = `
INSERT INTO clean SELECT i, 'clean ' || i FROM generate_series(1, 50) i;
INSERT INTO dirty SELECT i, 'dirty ' || i, i FROM generate_series(1, 50) i;`

/** With and without parameters, reads and writes, errors when parsed, bound, and run. No text is empty: see `WireClient.batch`. */
const TEXTS: readonly string[] = [
  'SELECT id, name FROM clean WHERE id <= $1 ORDER BY id',
  'SELECT id, name FROM clean WHERE id = $1',
  'SELECT id, name FROM clean WHERE id < 4 ORDER BY id',
  'SELECT name FROM dirty WHERE id = $1',
  'SELECT id, n FROM dirty WHERE id < 4 ORDER BY id',
  'SELECT c.id, d.name FROM clean c JOIN dirty d USING (id) WHERE c.id < $1 ORDER BY 1',
  'SELECT 1 / (id - id) FROM clean WHERE id = 3',
  'SELECT 10 / $1::int',
  'SELECT $1::int + $2::int AS sum',
  `UPDATE dirty SET name = 'new' WHERE id = $1`,
  'UPDATE dirty SET n = n + 1 WHERE id = 4 RETURNING id, n',
  'UPDATE dirty SET n = -1 WHERE id = $1',
  `INSERT INTO dirty VALUES (1, 'again', 1)`,
  `INSERT INTO dirty VALUES ($1, 'more', 1) ON CONFLICT (id) DO UPDATE SET n = excluded.n`,
  'DELETE FROM dirty WHERE id = $1',
  'SELECT nothing FROM clean',
  'SELECT * FROM nowhere',
  'SELEC 1',
  'SELECT 1; SELECT 2',
  'BEGIN',
  'BEGIN ISOLATION LEVEL REPEATABLE READ',
  'COMMIT',
  'ROLLBACK',
  'SAVEPOINT a',
  'ROLLBACK TO SAVEPOINT a',
  'RELEASE SAVEPOINT a',
  `SET application_name = 'torture'`,
  'SHOW application_name',
  'FETCH 2 FROM k',
  'CLOSE k',
  'COPY (SELECT id FROM clean WHERE id < 3 ORDER BY id) TO STDOUT',
  'PREPARE p AS SELECT id FROM clean WHERE id = $1',
  'EXECUTE p (3)',
  'DEALLOCATE ALL',
  'DISCARD ALL',
  'EXPLAIN (COSTS OFF) SELECT 1',
  `VALUES (1, 'a'), (2, 'b'), (3, 'c')`,
  'SELECT pg_catalog.count(*) FROM dirty',
]

/** Only in the simple protocol: several statements. */
const SCRIPTS: readonly string[] = [
  'SELECT id FROM clean WHERE id = 1; SELECT n FROM dirty WHERE id = 2',
  `UPDATE dirty SET n = 7 WHERE id = 5; SELECT 1 / 0; UPDATE dirty SET n = 8 WHERE id = 5`,
  'BEGIN; UPDATE dirty SET n = 9 WHERE id = 6; ROLLBACK; SELECT n FROM dirty WHERE id = 6',
  `DELETE FROM dirty WHERE id = 7; SELECT nothing FROM clean`,
  'BEGIN; DECLARE k CURSOR FOR SELECT id FROM clean ORDER BY id',
]

const NAMES = ['', '', '', 's', 'named'] as const
const PORTALS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'] as const
const VALUES = ['1', '2', '3', '7', '60', null, 'x'] as const

/** Messages of a batch that ends with Sync, or without one. The same random numbers give the same ones. */
export function randomBatch(random: Random): ShownMessage[] {
  const count = 1 + pick(random, [0, 1, 2, 3, 4, 6, 9])
  const messages: ShownMessage[] = []
  for (let index = 0; index < count; index++) {
    // No name twice in a batch: that a portal of its name is open is known only once all is answered.
    const step = randomStep(random, PORTALS[index] ?? '')
    // No simple query between an extended one and its Sync: PostgreSQL 18.4 fails with XX000 by the next one. See wire-conversations.test.ts.
    const isQuery = step[0]?.shown.startsWith('Query') ?? false
    const isMixed = isQuery && !/^(?:Sync|Query|Copy|$)/.test(messages.at(-1)?.shown ?? '')
    if (isMixed) messages.push({ shown: 'Sync', bytes: sync() })
    messages.push(...step)
  }
  if (random() < 0.9) messages.push({ shown: 'Sync', bytes: sync() })
  return messages
}

/** Ends whatever is under way, the taking of copy data too; the last message is one that no batch has. */
export const BATCH_END: readonly Uint8Array[] = [copyFail('enough'), sync(), query('')]

function randomStep(random: Random, fresh: string): ShownMessage[] {
  const dice = random()
  if (dice < 0.4) return wholeStatement(random, fresh)
  if (dice < 0.62) return [loneMessage(random, fresh)]
  if (dice < 0.82) return [simple(random)]
  if (dice < 0.9) {
    const text = pick(random, ['COPY dirty FROM STDIN', 'SELECT 1; COPY dirty FROM STDIN; SELECT 2'])
    return [message('Query', text, query(text)), ...copied(random)]
  }
  return [message('Flush', '', flush())]
}

function wholeStatement(random: Random, fresh: string): ShownMessage[] {
  const [statement, portal] = [pick(random, NAMES), random() < 0.5 ? '' : fresh]
  const text = pick(random, TEXTS)
  const dice = random()
  return [
    message('Parse', `${statement}: ${text}`, parse({ name: statement, text, parameterTypes: [] })),
    bound(random, portal, statement, text),
    ...(dice < 0.4 ? [described('portal', portal)] : []),
    ...(dice > 0.8 ? [described('statement', statement)] : []),
    executed(random, portal),
    ...(random() < 0.3 ? [executed(random, portal)] : []),
  ]
}

function loneMessage(random: Random, fresh: string): ShownMessage {
  const [name, text] = [pick(random, NAMES), pick(random, TEXTS)]
  const kind = random() < 0.5 ? 'portal' : 'statement'
  const portal = pick(random, PORTALS)
  switch (Math.floor(random() * 6.5)) {
    case 0:
      return message('Parse', `${name}: ${text}`, parse({ name, text, parameterTypes: [] }))
    case 1:
      return bound(random, fresh, name, text)
    case 2:
      // Not the unnamed one: PostgreSQL 18.4 crashes where it is that of BEGIN, and the transaction has failed since.
      return executed(random, portal)
    case 3:
      return closed(kind, kind === 'portal' ? portal : name)
    case 4:
      return described(kind, kind === 'portal' ? portal : name)
    case 5:
      return message('Sync', '', sync())
    default:
      return malformed(random, fresh, name)
  }
}

/** One byte less, or more, than its message has. */
function malformed(random: Random, portal: string, statement: string): ShownMessage {
  const whole = pick(random, [
    bind({ portal, statement, formats: [], values: ['1'], resultFormats: [] }),
    describe({ kind: 'statement', name: statement }),
    execute({ portal, maxRows: 0 }),
    close({ kind: 'portal', name: portal }),
    parse({ name: statement, text: 'SELECT 1', parameterTypes: [] }),
  ])
  const bytes = random() < 0.5 ? Buffer.from(whole.subarray(0, -1)) : Buffer.concat([whole, Buffer.of(0)])
  bytes.writeInt32BE(bytes.length - 1, 1)
  return message('Malformed', bytes.toString('latin1').replaceAll(/[^ -~]/g, '.'), bytes)
}

function described(kind: 'portal' | 'statement', name: string): ShownMessage {
  return message('Describe', `${kind} ${name}`, describe({ kind, name }))
}

function closed(kind: 'portal' | 'statement', name: string): ShownMessage {
  return message('Close', `${kind} ${name}`, close({ kind, name }))
}

function simple(random: Random): ShownMessage {
  const text = pick(random, random() < 0.3 ? SCRIPTS : TEXTS)
  return message('Query', text, query(text))
}

/** Its end always comes: what is said to a server that still takes rows depends on how fast it sees that one is wrong. */
function copied(random: Random): ShownMessage[] {
  const id = Math.floor(random() * 90)
  const isGivenUp = random() < 0.3
  const row = isGivenUp
    ? `${id}\tcopied\t1\n`
    : pick(random, [`${id}\tcopied\t1\n`, `${id}\tcopied\t-1\n`, 'rubbish\n'])
  const end = isGivenUp ? message('CopyFail', '', copyFail('changed my mind')) : message('CopyDone', '', copyDone())
  return [message('CopyData', row.trim(), copyData(Buffer.from(row))), end]
}

function bound(random: Random, portal: string, statement: string, text: string): ShownMessage {
  const count = random() < 0.9 ? new Set(text.match(/\$\d/g)).size : pick(random, [0, 1, 2])
  const values = Array.from({ length: count }, () => pick(random, random() < 0.8 ? VALUES.slice(0, 3) : VALUES))
  const bytes = bind({ portal, statement, formats: [], values, resultFormats: random() < 0.2 ? [1] : [] })
  return message('Bind', `${portal} = ${statement}(${values.join(', ')})`, bytes)
}

function executed(random: Random, portal: string): ShownMessage {
  const maxRows = pick(random, [0, 0, 0, 1, 2])
  return message('Execute', `${portal} ${maxRows}`, execute({ portal, maxRows }))
}

function message(name: string, about: string, bytes: Uint8Array): ShownMessage {
  return { shown: `${name} ${about}`.trim(), bytes }
}

function pick<Value>(random: Random, from: readonly Value[]): Value {
  const value = from[Math.floor(random() * from.length)]
  if (value === undefined) throw new Error('expected something to pick from')
  return value
}
