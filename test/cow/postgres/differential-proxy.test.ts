import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../../src/core/random.ts'
import { type ClientOutcome, outcomeOf } from '../../support/client-outcome.ts'
import {
  type GatedProxy,
  type ProductionServer,
  startGatedProxy,
  startProductionServer,
} from '../../support/gated-proxy.ts'
import { compiled } from '../../replay/compiled.ts'
import { PROXY_DATA, PROXY_SCHEMA, PROXY_TABLES, SAME_SEQUENCES } from './proxy-schema.ts'
import { type Step, stepSource } from './proxy-statements.ts'

/** The same statements each time, so that a change is judged and not chance; `MESH_SEED` chooses others. */
const SEED = Number(process.env['MESH_SEED'] ?? 31)
const STATEMENTS = Number(process.env['MESH_STATEMENTS'] ?? 600)

/** A proxy that does not answer fails the test by what it was asked, not by a timeout of all. */
function hung(): Promise<ClientOutcome> {
  return new Promise((resolve) => {
    setTimeout(() => resolve({ error: { message: 'no answer within 20 s' } }), 20_000).unref()
  })
}

const thread = compiled('cow/postgres/overlay/pg-dump-thread.ts')

describe(`random statements through the proxy and on a plain database (MESH_SEED=${SEED})`, () => {
  let production: ProductionServer
  let proxy: GatedProxy
  let own: pg.Client
  let plain: pg.Client
  let hash = ''

  beforeAll(async () => {
    production = await startProductionServer(PROXY_SCHEMA, PROXY_DATA)
    proxy = await startGatedProxy(production, { thread: thread() })
    own = await proxy.client()
    plain = await production.plain()
    hash = await production.hash()
    for (const client of [own, plain]) await client.query(SAME_SEQUENCES)
  }, 180_000)
  afterAll(async () => {
    await own?.end()
    await plain?.end()
    await proxy?.close()
    await production?.server.remove()
  }, 120_000)

  const both = async (step: Step, name: string): Promise<readonly [ClientOutcome, ClientOutcome]> =>
    Promise.all([Promise.race([outcomeOf(own, step, name), hung()]), outcomeOf(plain, step, name)])

  /** All rows of all tables, one table an outcome. */
  const tables = async (): Promise<readonly [unknown, unknown]> => {
    const all: [unknown[], unknown[]] = [[], []]
    for (const [table, order] of Object.entries(PROXY_TABLES)) {
      const [mine, theirs] = await both({ text: `SELECT * FROM ${table} ORDER BY ${order}`, protocol: 'simple' }, '')
      all[0].push(table, mine)
      all[1].push(table, theirs)
    }
    return all
  }

  it('give the same rows, tags, and errors, and leave production as it was', { timeout: 900_000 }, async () => {
    const next = stepSource(seededRandom(SEED))
    const names = new Map<string, string>()
    const history: unknown[] = []
    let succeeded = 0
    let hasFailed = false
    for (let number = 0; number < STATEMENTS; number += 1) {
      const step = next(hasFailed)
      const name = names.get(step.text) ?? `n${names.size}`
      names.set(step.text, name)
      history.push(step)
      const [mine, theirs] = await both(step, name)
      hasFailed = 'error' in theirs
      if (!hasFailed) succeeded += 1
      expect({ number, history: history.slice(-12), mine }).toEqual({
        number,
        history: history.slice(-12),
        mine: theirs,
      })
      if (number % 25 !== 24) continue
      const [rows, plainRows] = await tables()
      expect({ number, history: history.slice(-30), rows }).toEqual({
        number,
        history: history.slice(-30),
        rows: plainRows,
      })
    }
    for (const client of [own, plain]) await client.query('ROLLBACK')
    const [rows, plainRows] = await tables()
    expect(rows).toEqual(plainRows)
    // Else the generator tests little but refusals.
    expect(succeeded).toBeGreaterThan(STATEMENTS / 3)
    expect(await production.hash()).toBe(hash)
  })
})
