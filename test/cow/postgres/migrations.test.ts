import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compiled } from '../../replay/compiled.ts'
import { resultOf, SideBySide } from '../../support/side-by-side.ts'
import { LASTING, MIGRATION_DATA, MIGRATION_SCHEMA, MIGRATIONS } from './migration-scenarios.ts'

const thread = compiled('cow/postgres/overlay/pg-dump-thread.ts')

/** What a client is told: rows, or the error. */
async function told(client: pg.Client, text: string): Promise<unknown> {
  try {
    return await resultOf(client, text)
  } catch (error) {
    const { code, message, table, column, constraint } = error as pg.DatabaseError
    return { code, message, table, column, constraint }
  }
}

describe('migrations on a branch, and on a plain database with the same rows', () => {
  let sides: SideBySide
  let own: pg.Client
  let plain: pg.Client

  beforeAll(async () => {
    sides = await SideBySide.start(thread(), MIGRATION_SCHEMA, MIGRATION_DATA, 1000)
    ;({ own, plain } = sides)
  })
  afterAll(() => sides?.close())

  it.each(MIGRATIONS)('gives the same with $title', async ({ statements }) => {
    const [mine, theirs] = await sides.outcomes(statements, told)
    expect(mine).toEqual(theirs)
    const read = 'SELECT * FROM orders ORDER BY id'
    expect(await told(own, read)).toEqual(await told(plain, read))
  })

  it(`gives the same with ${LASTING.title}, each statement by itself`, async () => {
    for (const text of LASTING.statements) {
      const [mine, theirs] = await Promise.all([told(own, text), told(plain, text)])
      expect.soft({ text, outcome: mine }).toEqual({ text, outcome: theirs })
    }
  })

  it.each([
    'CREATE TABLE child (x int) INHERITS (many)',
    'ALTER TABLE loose INHERIT many',
    'ALTER TABLE events ATTACH PARTITION many FOR VALUES FROM (1000) TO (2000)',
  ])('refuses %s', async (text) => {
    await own.query('CREATE TABLE IF NOT EXISTS loose (id int)')
    expect(await told(own, text)).toMatchObject({ code: '0A000' })
    expect(await told(own, 'INSERT INTO events VALUES (500) RETURNING id')).toMatchObject({ rowCount: 1 })
  })

  it.each([
    ['REFRESH MATERIALIZED VIEW parcel_ids', 'REFRESH'],
    ['CREATE TABLE part PARTITION OF events FOR VALUES FROM (1000) TO (2000)', 'CREATE'],
    ['ALTER TABLE events DETACH PARTITION events_1', 'ALTER'],
  ])('tells by the extended protocol what a statement did, whatever ran in its stead: %s', async (text, command) => {
    await own.query('BEGIN')
    // The mode is not in the types of the driver.
    const extended = { text, queryMode: 'extended' }
    expect((await own.query(extended)).command).toBe(command)
    expect((await own.query({ text: 'SELECT 1 AS one', name: 'one' })).command).toBe('SELECT')
    await own.query('ROLLBACK')
  })

  it('leaves production as it was', async () => {
    expect(await sides.hash()).toBe(sides.hashAtStart)
  })
})
