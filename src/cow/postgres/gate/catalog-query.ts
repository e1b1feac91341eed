import type { QueryResult } from '../server-connection.ts'

/** A read of production's catalogue by our own text: one statement, values in text form, in a read-only transaction. */
export type CatalogQuery = (text: string, values?: readonly (string | null)[]) => Promise<QueryResult>
