import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BranchCounters } from '../../../src/cow/postgres/branch/branch.ts'
import { seededRandom } from '../../../src/core/random.ts'
import { type ClientOutcome, outcomeOf } from '../../support/client-outcome.ts'
import {
  type GatedProxy,
  type ProductionServer,
  startGatedProxy,
  startProductionServer,
} from '../../support/gated-proxy.ts'
import { clockSeed } from '../../support/seed.ts'
import { compiled } from '../../replay/compiled.ts'
import { PROXY_DATA, PROXY_SCHEMA, PROXY_TABLES, SAME_SEQUENCES } from './random/schema.ts'
import type { Step } from './random/draws.ts'
import { type Habit, stepSource } from './random/steps.ts'

const SEED = clockSeed(47)
const STATEMENTS = Number(process.env['MESH_TEST_STATEMENTS'] ?? 10_400)
/** All tables are compared after so many statements of a client. */
const COMPARED_EACH = 100

/** One client on each side, with tables of its own in a schema of its own: none waits for another. */
interface Worker {
  readonly schema: string
  readonly habit: Habit
  /** Of all statements. */
  readonly share: number
  /** Runs on both sides when the client has connected. */
  readonly begin: string
}

const WORKERS: readonly Worker[] = [
  { schema: 'w_reads', habit: 'reads', share: 0.25, begin: '' },
  {
    schema: 'w_keys',
    habit: 'keys',
    share: 0.2,
    begin: 'UPDATE p SET n = n + 1 WHERE id IN (3, 5); UPDATE c SET v = 0 WHERE id = 7;',
  },
  { schema: 'w_writes', habit: 'writes', share: 0.3, begin: '' },
  // With this setting nothing runs on production as it is: see session-settings.ts.
  { schema: 'w_overlay', habit: 'writes', share: 0.2, begin: 'SET array_nulls = off;' },
  { schema: 'w_migrations', habit: 'migrations', share: 0.05, begin: '' },
]

const ALL_TABLES = Object.entries(PROXY_TABLES)
  .map(([table, order]) => `SELECT * FROM ${table} ORDER BY ${order}`)
  .join('; ')

/** A proxy that does not answer fails the test by what it was asked, not by a timeout of all. */
function hung(): Promise<ClientOutcome> {
  return new Promise((resolve) => {
    setTimeout(() => resolve({ error: { message: 'no answer within 200 s' } }), 200_000).unref()
  })
}

const thread = compiled('cow/postgres/overlay/pg-dump-thread.ts')

describe(`random statements through the proxy and on a plain database (MESH_TEST_SEED=${SEED})`, () => {
  let production: ProductionServer
  let proxy: GatedProxy
  let hash = ''

  beforeAll(async () => {
    const inSchemas = (text: string): string =>
      WORKERS.map(({ schema }) => `SET search_path = ${schema}; ${text}`).join('; ')
    const schemas = WORKERS.map(({ schema }) => `CREATE SCHEMA ${schema}`).join('; ')
    production = await startProductionServer(`${schemas}; ${inSchemas(PROXY_SCHEMA)}`, inSchemas(PROXY_DATA))
    proxy = await startGatedProxy(production, { thread: thread() })
    hash = await production.hash()
  })
  afterAll(async () => {
    await proxy?.close()
    await production?.remove()
  })

  /** Runs one client's statements on both sides; answers how many succeeded. */
  const work = async (worker: Worker, statements: number): Promise<number> => {
    const { schema, habit, begin } = worker
    const options = `-c search_path=${schema}`
    const [own, plain] = await Promise.all([proxy.client({ options }), production.plain(options)])
    const compare = (number: number, [mine, theirs]: readonly [unknown, unknown], history: readonly Step[]): void => {
      if (isDeepStrictEqual(mine, theirs)) return
      const steps = history.map((step) => JSON.stringify(step)).join('\n')
      const both = `through the proxy: ${JSON.stringify(mine)}\non a plain one:    ${JSON.stringify(theirs)}`
      throw new Error(`seed ${SEED}, ${schema}, statement ${number}, after:\n${steps}\n${both}`)
    }
    const both = async (step: Step, name: string): Promise<readonly [ClientOutcome, ClientOutcome]> =>
      Promise.all([Promise.race([outcomeOf(own, step, name), hung()]), outcomeOf(plain, step, name)])
    const compareTables = async (number: number, history: readonly Step[]): Promise<void> => {
      const [mine, theirs] = await both({ text: ALL_TABLES, protocol: 'simple' }, '')
      for (const [place, table] of Object.keys(PROXY_TABLES).entries())
        compare(number, [{ [table]: tableOf(mine, place) }, { [table]: tableOf(theirs, place) }], history)
    }
    await both({ text: SAME_SEQUENCES, protocol: 'simple' }, '')
    if (begin !== '') await both({ text: begin, protocol: 'simple' }, '')
    const next = stepSource(seededRandom(SEED + WORKERS.indexOf(worker)), schema, habit)
    const names = new Map<string, string>()
    let history: Step[] = []
    let succeeded = 0
    let hasFailed = false
    for (let number = 0; number < statements; number += 1) {
      const step = next(hasFailed)
      const name = names.get(step.text) ?? `n${names.size}`
      names.set(step.text, name)
      history.push(step)
      const [mine, theirs] = await both(step, name)
      hasFailed = 'error' in theirs
      if (!hasFailed) succeeded += 1
      compare(number, [mine, theirs], history.slice(-40))
      if (number % COMPARED_EACH !== COMPARED_EACH - 1) continue
      await compareTables(number, history)
      history = history.slice(-10)
    }
    for (const client of [own, plain]) await client.query('ROLLBACK')
    await compareTables(statements, history)
    await own.end()
    await plain.end()
    return succeeded
  }

  it.concurrent.each(WORKERS)(
    'give a client that does mostly $habit the same rows, tags and errors',
    { timeout: 1_800_000 },
    async (worker) => {
      const statements = Math.round(STATEMENTS * worker.share)
      // Else the generator tests little but refusals.
      expect(await work(worker, statements)).toBeGreaterThan(statements / 3)
    },
  )

  it('took every lane often, and left production as it was', async () => {
    const { passed, byKey, overlaid } = await countersOf(proxy)
    const lanes = { T0: passed - byKey, TK: byKey, T2: overlaid }
    for (const lane of Object.keys(lanes))
      expect(lanes).toHaveProperty(
        lane,
        expect.toSatisfy((count) => count > STATEMENTS / 50),
      )
    expect(await production.hash()).toBe(hash)
  })
})

/** The rows of one table in what was said of all; all of it where that was an error. */
function tableOf(outcome: ClientOutcome, place: number): unknown {
  return 'results' in outcome ? outcome.results[place] : outcome
}

async function countersOf({ proxy }: GatedProxy): Promise<BranchCounters> {
  return (await proxy.proof()).branch
}
