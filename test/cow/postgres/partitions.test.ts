import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compiled } from '../../replay/compiled.ts'
import { resultOf, SideBySide } from '../../support/side-by-side.ts'
import { PARTITION_DATA, PARTITION_SCENARIOS, PARTITION_SCHEMA } from './partition-scenarios.ts'

const thread = compiled('cow/postgres/overlay/pg-dump-thread.ts')

/** What a client is told: rows, or the error. */
async function told(client: pg.Client, text: string): Promise<unknown> {
  try {
    return await resultOf(client, text)
  } catch (error) {
    const { code, message } = error as pg.DatabaseError
    // Constraints are those of the root here, and a row is refused by the root.
    return { code, message: code?.startsWith('23') === true ? message.replaceAll(/"\w+"/g, '"..."') : message }
  }
}

describe('partitions that a branch makes and drops, and a plain database with the same rows', () => {
  let sides: SideBySide
  let own: pg.Client
  let plain: pg.Client

  beforeAll(async () => {
    sides = await SideBySide.start(thread(), PARTITION_SCHEMA, PARTITION_DATA, 1000)
    ;({ own, plain } = sides)
  })
  afterAll(() => sides?.close())

  it.each(PARTITION_SCENARIOS)('gives the same with $title', async ({ statements }) => {
    const [mine, theirs] = await sides.outcomes(statements, told)
    expect(mine).toEqual(theirs)
    const read = 'SELECT * FROM events ORDER BY id'
    expect(await told(own, read)).toEqual(await told(plain, read))
  })

  it.each([
    `PERFORM mesh.add_partition('events', 'public', 'p', 'DEFAULT; DROP TABLE heard', NULL, false)`,
    `PERFORM mesh.add_partition('events', 'public', 'p', $b$FOR VALUES FROM (E'\\'', now(), ')$b$, NULL, false)`,
    `PERFORM mesh.add_partition('events', 'public', 'p', 'DEFAULT', 'LIST (hear())', false)`,
    `PERFORM mesh.attach_partition('events', 'plain', 'FOR VALUES IN (hear())')`,
  ])('takes no text of a client for a bound: %s', async (call) => {
    expect(await told(own, `DO $do$ BEGIN ${call}; END $do$`)).toMatchObject({ code: '42501' })
  })

  it.each([
    ['CREATE TABLE p PARTITION OF events (note DEFAULT 1) DEFAULT', '0A000'],
    ['CREATE TABLE p PARTITION OF events FOR VALUES FROM (now()) TO (MAXVALUE)', '0A000'],
    ['ALTER TABLE events ATTACH PARTITION kinds DEFAULT', '0A000'],
    ['ALTER TABLE mixed DETACH PARTITION mixed_1', '0A000'],
    ['DROP TABLE kinds_sold', '42P01'],
    ['SET ROLE other; CREATE TABLE public.p PARTITION OF events DEFAULT', '42501'],
  ])('refuses %s', async (text, code) => {
    expect(await told(own, text)).toMatchObject({ code })
    await own.query('RESET ROLE')
  })

  it('drops a partitioned table of production with its partitions', async () => {
    await own.query('BEGIN')
    await own.query(`CREATE TABLE logs_3 PARTITION OF logs FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')`)
    await own.query('DROP TABLE logs')
    expect(await told(own, 'SELECT * FROM logs_1')).toMatchObject({ code: '42P01' })
    await own.query('ROLLBACK')
    expect(await told(own, 'SELECT count(*) FROM logs_1')).toMatchObject({ rows: [['20']] })
  })

  it('leaves production as it was', async () => {
    expect(await sides.hash()).toBe(sides.hashAtStart)
  })
})
