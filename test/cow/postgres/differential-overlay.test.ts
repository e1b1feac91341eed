import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../../src/core/random.ts'
import { type OverlayPair, startOverlayPair } from '../../support/overlay-pair.ts'
import { fixedSeed } from '../../support/seed.ts'
import { DATA, SCHEMA, TABLES } from './differential-schema.ts'
import { type RandomStatement, statementSource } from './differential-statements.ts'

const SEED = fixedSeed(3)
const STATEMENTS = Number(process.env['MESH_STATEMENTS'] ?? 600)

/** What a statement gave: its rows, or its SQLSTATE. Commands without rows give how many they changed. */
type Outcome =
  | { readonly rows: unknown; readonly count: number | null }
  | { readonly state: string | undefined; readonly message: string }

async function outcomeOf(client: pg.Client, text: string): Promise<Outcome> {
  try {
    const { rows, rowCount } = await client.query({ text, rowMode: 'array' })
    return {
      rows: /ORDER BY/.test(text) ? rows : rows.map((row) => JSON.stringify(row)).sort(),
      count: rowCount,
    }
  } catch (error) {
    const { code, message } = error as pg.DatabaseError
    return { state: code, message }
  }
}

describe(`random statements on the overlay and on a plain database (MESH_TEST_SEED=${SEED})`, () => {
  let pair: OverlayPair
  let app: pg.Client
  let plain: pg.Client

  beforeAll(async () => {
    pair = await startOverlayPair(SCHEMA, DATA)
    app = await pair.app()
    plain = await pair.plain()
  })
  afterAll(async () => {
    await app?.end()
    await plain?.end()
    await pair?.close()
  })

  /** What the proxy does before a write: asks for the keys of base rows that it may change, and copies them up. */
  const copyUp = async ({ target }: RandomStatement): Promise<void> => {
    if (target === undefined) return
    const table = pair.catalog.tables.get(`public.${target.table}`)
    const keys = (table?.keyColumns ?? []).map(({ name }) => `t."${name}"::text`).join(', ')
    const probe = `SELECT jsonb_agg(jsonb_build_array(${keys})) FROM ${target.table} AS t WHERE (${target.condition}) AND t.tableoid = '${table?.foreign}'::regclass`
    await app.query(`SELECT mesh.fault_in(${table?.id}, (${probe}))`)
  }

  const bothTables = async (): Promise<[unknown[], unknown[]]> => {
    const dumps = [app, plain].map(async (client) => {
      const all: unknown[] = []
      for (const [table, order] of Object.entries(TABLES)) {
        // The log's serial is past production's by a gap on one side only.
        const columns = table === 'log' ? 'what' : '*'
        all.push(
          table,
          (await client.query({ text: `SELECT ${columns} FROM ${table} ORDER BY ${order}`, rowMode: 'array' })).rows,
        )
      }
      return all
    })
    const [own = [], theirs = []] = await Promise.all(dumps)
    return [own, theirs]
  }

  it('give the same rows and the same SQLSTATEs, and leave production as it was', async () => {
    const hash = await pair.upstreamHash()
    const next = statementSource(seededRandom(SEED))
    const history: string[] = []
    let inside = false
    let succeeded = 0
    for (let number = 0; number < STATEMENTS; number += 1) {
      const statement = next()
      history.push(statement.text)
      if (statement.text.startsWith('BEGIN')) {
        if (inside) continue
        inside = true
      } else if (/^(COMMIT|ROLLBACK$)/.test(statement.text)) inside = false
      else if (!inside && /SAVEPOINT|ROLLBACK TO/.test(statement.text)) continue
      await copyUp(statement).catch(() => undefined)
      const own = await outcomeOf(app, statement.text.replace('ONLY?', 'ONLY'))
      const theirs = await outcomeOf(plain, statement.text.replace('ONLY?', ''))
      if (!('state' in theirs)) succeeded += 1
      const same =
        'state' in own && 'state' in theirs
          ? own.state === theirs.state
          : JSON.stringify(own) === JSON.stringify(theirs)
      if (!same) {
        expect({ seed: SEED, number, history: history.slice(-12), own }).toEqual({
          seed: SEED,
          number,
          history: history.slice(-12),
          own: theirs,
        })
      }
      if (!inside && number % 10 === 0) {
        const [mine, plainly] = await bothTables()
        expect({ seed: SEED, number, history: history.slice(-12), rows: mine }).toEqual({
          seed: SEED,
          number,
          history: history.slice(-12),
          rows: plainly,
        })
      }
    }
    await app.query('ROLLBACK')
    // Else the generator tests little but refusals.
    expect(succeeded).toBeGreaterThan(STATEMENTS / 3)
    expect(await pair.upstreamHash()).toBe(hash)
  })
})
