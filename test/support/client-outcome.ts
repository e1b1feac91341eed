import pg from 'pg'
import { CopyQuery } from './copy-query.ts'

/** What a client sends, and by which protocol: see `Step` of the random statements. */
export interface ClientStep {
  readonly text: string
  readonly protocol: 'simple' | 'extended' | 'named'
  readonly values?: readonly (string | null)[]
  /** What COPY .. FROM STDIN is given. */
  readonly rows?: string
}

/** What a client sees of a statement: results with names, builtin types, rows and tag, or the error that it gets. */
export type ClientOutcome =
  | { readonly results: readonly unknown[] }
  | { readonly error: Readonly<Record<string, string | undefined>> }

/** Types below are the same on every server (FirstNormalObjectId). */
const FIRST_USER_OID = 16_384

/** Rows as texts; in their own order where the statement asks for one. */
export async function outcomeOf(client: pg.Client, step: ClientStep, name: string): Promise<ClientOutcome> {
  try {
    return { results: await resultsOf(client, step, name) }
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) return { error: { message: String(error) } }
    const { code, position, constraint, column } = error
    // Which of several unique constraints is found first depends on the order in which they were made.
    return { error: { code, position, column, ...(code === '23505' ? {} : { constraint }) } }
  }
}

async function resultsOf(client: pg.Client, step: ClientStep, name: string): Promise<readonly unknown[]> {
  const { text, protocol, values } = step
  // The last word on order is the outermost one; of several statements each has its own.
  const isOrdered = /ORDER BY [^();]*$/.test(text) && !text.includes(';')
  if (text.startsWith('COPY')) {
    const copied = await CopyQuery.run(client, text, step.rows ?? '')
    return [{ tag: copied.tag, lines: copied.text.split('\n').toSorted() }]
  }
  const given = await client.query({
    text,
    rowMode: 'array',
    types: { getTypeParser: () => (value: string) => value },
    ...(values === undefined ? {} : { values: [...values] }),
    ...(protocol === 'extended' ? { queryMode: 'extended' } : {}),
    ...(protocol === 'named' ? { name } : {}),
  } as pg.QueryArrayConfig)
  // Several statements of one text give several results.
  const results: readonly pg.QueryArrayResult[] = Array.isArray(given) ? given : [given]
  return results.map(({ command, rowCount, fields, rows }) => ({
    tag: `${command} ${rowCount}`,
    fields: fields.map((field) => [field.name, field.dataTypeID < FIRST_USER_OID ? field.dataTypeID : 'own']),
    rows: isOrdered ? rows : rows.map((row) => JSON.stringify(row)).sort(),
  }))
}
