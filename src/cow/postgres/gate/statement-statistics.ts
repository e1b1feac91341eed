import { quoteName } from '../overlay/identifiers.ts'
import type { CatalogQuery } from './catalog-query.ts'

/** What production counted for our role, in our database. */
export interface StatisticsReport {
  readonly calls: number
  /** Calls of statements whose text is not that of a read. */
  readonly writes: number
}

const SCHEMA = `
  SELECT n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
  WHERE e.extname = 'pg_stat_statements'`

/** Blanks, brackets and comments, which clients put before what they say. */
const LEAD = String.raw`^(\s|\(|/\*([^*]|\*+[^*/])*\*+/|--[^\n]*\n)*`
/** Words that a read begins with, and what is said around reads. */
const READING = String.raw`${LEAD}(select|table|values|explain|declare|fetch|move|close|show|set|reset|start|begin|commit|rollback|abort|end|prepare|deallocate|execute|discard|lock)\M`
/** A query with a CTE reads unless a part of it does not. */
const READING_CTE = String.raw`${LEAD}with\M(?!.*\m(insert|update|delete|merge)\M)`

function countQuery(schema: string): string {
  return `
  SELECT coalesce(pg_catalog.sum(s.calls), 0),
    coalesce(pg_catalog.sum(s.calls) FILTER (WHERE s.query !~* '${READING}' AND s.query !~* '${READING_CTE}'), 0)
  FROM ${quoteName(schema)}.pg_stat_statements s
  WHERE s.userid = (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)
    AND s.dbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())`
}

/**
 * Production's own count of our role's statements, from its extension `pg_stat_statements`: a second witness beside the audit log. It
 * counts whoever uses the role, and forgets rare statements when it is full.
 */
export class StatementStatistics {
  readonly #query: CatalogQuery
  readonly #schema: string
  readonly #begin: StatisticsReport

  private constructor(query: CatalogQuery, schema: string, begin: StatisticsReport) {
    this.#query = query
    this.#schema = schema
    this.#begin = begin
  }

  /** Undefined where production has no such extension, or does not let us read it. */
  static async begin(gate: { readonly query: CatalogQuery }): Promise<StatementStatistics | undefined> {
    const query: CatalogQuery = (text) => gate.query(text)
    try {
      const schema = (await query(SCHEMA)).rows[0]?.[0]
      if (schema === undefined || schema === null) return undefined
      return new StatementStatistics(query, schema, await count(query, schema))
    } catch {
      return undefined
    }
  }

  /** Since `begin`; undefined where production does not say any more, or was told to forget in between. */
  async since(): Promise<StatisticsReport | undefined> {
    try {
      const now = await count(this.#query, this.#schema)
      const report = { calls: now.calls - this.#begin.calls, writes: now.writes - this.#begin.writes }
      return report.calls < 0 || report.writes < 0 ? undefined : report
    } catch {
      return undefined
    }
  }
}

async function count(query: CatalogQuery, schema: string): Promise<StatisticsReport> {
  const [calls, writes] = (await query(countQuery(schema))).rows[0] ?? []
  return { calls: Number(calls ?? 0), writes: Number(writes ?? 0) }
}
