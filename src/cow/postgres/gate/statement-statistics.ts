import { quoteName } from '../overlay/identifiers.ts'
import type { CatalogQuery } from './catalog-query.ts'

/** What production counted for our role, in our database. */
export interface StatisticsReport {
  readonly calls: number
  /** Calls of statements whose text is not that of a read. */
  readonly writes: number
}

/** The extension's schema, and whether it tells when it was told to forget (from PostgreSQL 14 on). */
const SCHEMA = `
  SELECT n.nspname, pg_catalog.to_regclass(pg_catalog.format('%I.pg_stat_statements_info', n.nspname)) IS NOT NULL
  FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
  WHERE e.extname = 'pg_stat_statements'`

/** Blanks, brackets and comments, which clients put before what they say. */
const LEAD = String.raw`^(\s|\(|/\*([^*]|\*+[^*/])*\*+/|--[^\n]*\n)*`
/** Words that a read begins with, and what is said around reads. */
const READING = String.raw`${LEAD}(table|values|declare|fetch|move|close|show|set|reset|start|begin|commit|rollback|abort|end|deallocate|discard|lock)\M`
/** A query reads unless it makes a table; with a CTE, or as what PREPARE prepares, unless a part of it does not. */
const READING_QUERY = String.raw`${LEAD}select\M(?!.*\minto\M)`
const READING_PARTS = String.raw`${LEAD}(with|prepare)\M(?!.*\m(insert|update|delete|merge|into|create)\M)`
/** EXPLAIN runs nothing but by ANALYZE. */
const READING_PLAN = String.raw`${LEAD}explain\M(?!.*\manaly[sz]e\M.*\m(insert|update|delete|merge|into|create|execute|refresh)\M)`
const READS = [READING, READING_QUERY, READING_PARTS, READING_PLAN].map((reads) => `s.query ~* '${reads}'`).join(' OR ')
/** The text of a statement is not for us, or was lost: it may be anything. */
const HIDDEN = `s.query IS NULL OR s.query = '<insufficient privilege>'`

function countQuery({ schema, hasInfo }: Place): string {
  return `
  SELECT coalesce(pg_catalog.sum(s.calls), 0),
    coalesce(pg_catalog.sum(s.calls) FILTER (WHERE NOT (${HIDDEN}) AND NOT (${READS})), 0),
    coalesce(pg_catalog.sum(s.calls) FILTER (WHERE ${HIDDEN}), 0),
    ${hasInfo ? `(SELECT i.stats_reset::text FROM ${quoteName(schema)}.pg_stat_statements_info i)` : `''`}
  FROM ${quoteName(schema)}.pg_stat_statements s
  WHERE s.userid = (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)
    AND s.dbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())`
}

interface Place {
  readonly schema: string
  readonly hasInfo: boolean
}

interface Count extends StatisticsReport {
  /** Calls of statements whose text cannot be read. */
  readonly hidden: number
  readonly resetAt: string
}

/**
 * Production's own count of our role's statements, from its extension `pg_stat_statements`: a second witness beside the audit log. It
 * counts whoever uses the role, and forgets rare statements when it is full.
 */
export class StatementStatistics {
  readonly #query: CatalogQuery
  readonly #place: Place
  readonly #begin: Count

  private constructor(query: CatalogQuery, place: Place, begin: Count) {
    this.#query = query
    this.#place = place
    this.#begin = begin
  }

  /** Undefined where production has no such extension, or does not let us read it. */
  static async begin(gate: { readonly query: CatalogQuery }): Promise<StatementStatistics | undefined> {
    const query: CatalogQuery = (text) => gate.query(text)
    try {
      const [schema, hasInfo] = (await query(SCHEMA)).rows[0] ?? []
      if (schema === undefined || schema === null) return undefined
      const place = { schema, hasInfo: hasInfo === 't' }
      return new StatementStatistics(query, place, await count(query, place))
    } catch {
      return undefined
    }
  }

  /** Since `begin`; `unreadable` where production does not say any more, hides a text, or was told to forget in between. */
  async since(): Promise<StatisticsReport | 'unreadable'> {
    const begin = this.#begin
    try {
      const now = await count(this.#query, this.#place)
      const report = { calls: now.calls - begin.calls, writes: now.writes - begin.writes }
      const isForgotten = report.calls < 0 || report.writes < 0 || now.resetAt !== begin.resetAt
      return isForgotten || now.hidden !== begin.hidden ? 'unreadable' : report
    } catch {
      return 'unreadable'
    }
  }
}

async function count(query: CatalogQuery, place: Place): Promise<Count> {
  const [calls, writes, hidden, resetAt] = (await query(countQuery(place))).rows[0] ?? []
  return { calls: Number(calls ?? 0), writes: Number(writes ?? 0), hidden: Number(hidden ?? 0), resetAt: resetAt ?? '' }
}
