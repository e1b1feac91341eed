import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type GatedProxy,
  type ProductionServer,
  startGatedProxy,
  startProductionServer,
} from '../../support/gated-proxy.ts'
import { compiled } from '../../replay/compiled.ts'
import { PARTITION_DATA, PARTITION_SCENARIOS, PARTITION_SCHEMA } from './partition-scenarios.ts'

const thread = compiled('cow/postgres/overlay/pg-dump-thread.ts')

/** What a client is told: rows, or the error. */
async function told(client: pg.Client, text: string): Promise<unknown> {
  try {
    const { command, rowCount, rows } = await client.query<unknown[]>({ text, rowMode: 'array' })
    if (!/order by/i.test(text)) rows.sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1))
    return { command, rowCount, rows }
  } catch (error) {
    const { code, message } = error as pg.DatabaseError
    // Constraints are those of the root here, and a row is refused by the root.
    return { code, message: code?.startsWith('23') === true ? message.replaceAll(/"\w+"/g, '"..."') : message }
  }
}

describe('partitions that a branch makes and drops, and a plain database with the same rows', () => {
  let production: ProductionServer
  let proxy: GatedProxy
  let own: pg.Client
  let plain: pg.Client
  let hash = ''

  beforeAll(async () => {
    production = await startProductionServer(PARTITION_SCHEMA, PARTITION_DATA)
    proxy = await startGatedProxy(production, { thread: thread(), limits: { maxCopyUpRows: 1000 } })
    own = await proxy.client()
    plain = await production.plain()
    hash = await production.hash()
  }, 180_000)
  afterAll(async () => {
    await own?.end()
    await plain?.end()
    await proxy?.close()
    await production?.remove()
  }, 120_000)

  /** Both at once; a statement that fails is taken back alone. */
  const both = async (text: string): Promise<readonly [unknown, unknown]> => {
    const run = async (client: pg.Client): Promise<unknown> => {
      await client.query('SAVEPOINT each')
      const outcome = await told(client, text)
      await client.query(
        typeof outcome === 'object' && outcome !== null && 'code' in outcome ? 'ROLLBACK TO each' : 'RELEASE each',
      )
      return outcome
    }
    return Promise.all([run(own), run(plain)])
  }

  it.each(PARTITION_SCENARIOS)('gives the same with $title', { timeout: 120_000 }, async ({ statements }) => {
    for (const client of [own, plain]) await client.query('BEGIN')
    for (const text of statements) {
      const [mine, theirs] = await both(text)
      expect.soft({ text, outcome: mine }).toEqual({ text, outcome: theirs })
    }
    for (const client of [own, plain]) await client.query('ROLLBACK')
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
    expect(await production.hash()).toBe(hash)
  })
})
