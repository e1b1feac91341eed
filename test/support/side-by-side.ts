import type pg from 'pg'
import { type GatedProxy, type ProductionServer, startGatedProxy, startProductionServer } from './gated-proxy.ts'

/** What a client is told by a statement: rows, or the error, as far as both sides are to agree. */
export type Told = (client: pg.Client, text: string) => Promise<unknown>

/** A statement and what it gave. */
export interface Outcome {
  readonly text: string
  readonly outcome: unknown
}

/** What a statement gives, values as the server writes them; rows that have no order are sorted. */
export async function resultOf(client: pg.Client, text: string): Promise<unknown> {
  const asText = { text, rowMode: 'array', types: { getTypeParser: () => (value: string) => value } }
  const { command, rowCount, rows } = await client.query<unknown[]>(asText as pg.QueryArrayConfig)
  // Several statements have no rows of their own.
  if (!/order by/i.test(text)) rows?.sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1))
  return { command, rowCount, rows }
}

/** A client of a branch, and one of a plain database with the rows of production. */
export class SideBySide {
  readonly own: pg.Client
  readonly plain: pg.Client
  readonly #production: ProductionServer
  readonly #proxy: GatedProxy
  /** Of production before the branch was written to. */
  readonly hashAtStart: string

  private constructor(
    production: ProductionServer,
    proxy: GatedProxy,
    clients: readonly [pg.Client, pg.Client],
    hash: string,
  ) {
    this.#production = production
    this.#proxy = proxy
    ;[this.own, this.plain] = clients
    this.hashAtStart = hash
  }

  /** `thread`: the compiled pg-dump-thread.js. */
  static async start(thread: URL, schema: string, data: string, maxCopyUpRows: number): Promise<SideBySide> {
    const production = await startProductionServer(schema, data)
    const proxy = await startGatedProxy(production, { thread, limits: { maxCopyUpRows } })
    const clients = [await proxy.client(), await production.plain()] as const
    return new SideBySide(production, proxy, clients, await production.hash())
  }

  /** What each statement gives on the branch, and on the plain database, in a transaction that is rolled back; one that fails is taken back alone. */
  async outcomes(statements: readonly string[], told: Told, begin = 'BEGIN'): Promise<readonly [Outcome[], Outcome[]]> {
    const clients = [this.own, this.plain]
    for (const client of clients) await client.query(begin)
    const both: readonly [Outcome[], Outcome[]] = [[], []]
    for (const text of statements) {
      const [own, plain] = await Promise.all(clients.map((client) => inSavepoint(client, text, told)))
      both[0].push({ text, outcome: own })
      both[1].push({ text, outcome: plain })
    }
    for (const client of clients) await client.query('ROLLBACK')
    return both
  }

  /** Of production now. */
  hash(): Promise<string> {
    return this.#production.hash()
  }

  async close(): Promise<void> {
    await this.own.end()
    await this.plain.end()
    await this.#proxy.close()
    await this.#production.remove()
  }
}

async function inSavepoint(client: pg.Client, text: string, told: Told): Promise<unknown> {
  await client.query('SAVEPOINT each')
  const outcome = await told(client, text)
  const hasFailed = typeof outcome === 'object' && outcome !== null && 'code' in outcome
  await client.query(hasFailed ? 'ROLLBACK TO each' : 'RELEASE each')
  return outcome
}
