import { isDeepStrictEqual } from 'node:util'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { outcomeOf } from '../../support/client-outcome.ts'
import {
  type GatedProxy,
  type ProductionServer,
  startGatedProxy,
  startProductionServer,
} from '../../support/gated-proxy.ts'
import { compiled } from '../../replay/compiled.ts'
import { LATER_STATEMENTS, OBJECT_KINDS, OBJECT_KINDS_DATA, OBJECT_KINDS_STATEMENTS } from './object-kinds-schema.ts'

const thread = compiled('cow/postgres/overlay/pg-dump-thread.ts')

/** `MESH_TEST_UPSTREAM` has production run another major. */
describe('a schema with an object of every kind', () => {
  let production: ProductionServer
  let proxy: GatedProxy
  let clients: readonly pg.Client[] = []
  let major = 0

  beforeAll(async () => {
    production = await startProductionServer(OBJECT_KINDS, OBJECT_KINDS_DATA)
    proxy = await startGatedProxy(production, { thread: thread() })
    major = Math.floor(proxy.proxy.role.serverVersion / 10_000)
    clients = [await proxy.client(), await production.plain()]
  })
  afterAll(async () => {
    for (const client of clients) await client.end()
    await proxy?.close()
    await production?.remove()
  })

  /** Statements, one after the other, that a client of the proxy and one of a plain database see differently. */
  const differences = async (statements: readonly string[], protocol: 'simple' | 'extended'): Promise<unknown[]> => {
    const found: unknown[] = []
    for (const text of statements) {
      const [mine, theirs] = await Promise.all(clients.map((client) => outcomeOf(client, { text, protocol }, '')))
      if (!isDeepStrictEqual(mine, theirs)) found.push({ text, mine, theirs })
    }
    return found
  }

  it('answers reads and writes as a plain database does', async () => {
    const hash = await production.hash()
    expect(await differences(OBJECT_KINDS_STATEMENTS, 'simple')).toEqual([])
    expect(await differences(OBJECT_KINDS_STATEMENTS, 'extended')).toEqual([])
    expect(await production.hash()).toBe(hash)
    // Nor does pg_dump count, whatever it says around its reads.
    expect((await proxy.proxy.proof()).gate.writes).toBe(0)
  })

  it('warns of policies that hide rows from the role on production', () => {
    expect(proxy.proxy.role.warned).toContainEqual(expect.stringMatching(/row level security .* public\.guarded/))
  })

  it('makes no branch for a role that may not read all tables, and names them', async () => {
    const refused = startGatedProxy(production, { thread: thread(), user: 'other' })
    await expect(refused).rejects.toThrow(
      /"other" may not read Odd Schema\.Odd Table, public\.c_keys, .* more.*: GRANT pg_read_all_data TO "other" there, or GRANT USAGE ON SCHEMA "Odd Schema", "public"/,
    )
  })

  it.each(LATER_STATEMENTS)(
    'answers those over what there is since PostgreSQL %i so too',
    async (since, statements) => {
      // Servers that are older have no such objects.
      expect(major < since ? [] : await differences(statements, 'simple')).toEqual([])
    },
  )
})
