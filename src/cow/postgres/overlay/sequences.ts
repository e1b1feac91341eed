import { qualified, quoteText } from './identifiers.ts'

/** Where upstream's sequences stand. `last_value` is null where none was taken, or where the role may not read it. */
export const SEQUENCES_QUERY = `SELECT schemaname, sequencename, start_value, min_value, max_value, increment_by, last_value
  FROM pg_catalog.pg_sequences ORDER BY 1, 2`

/** Numbers that production may take while the branch lives. */
const GAP = 1_000_000n

/**
 * Moves the overlay's sequences past upstream's, with a gap: what production takes meanwhile does not meet what the branch
 * takes. Where less than twice the gap is left, half of what is left.
 */
export function sequencesSql(rows: readonly (readonly (string | null)[])[]): string {
  const calls = rows.map(([schema, name, start, min, max, increment, last]) => {
    const position = movedPast({
      last: BigInt(last ?? start ?? '1'),
      min: BigInt(min ?? '1'),
      max: BigInt(max ?? '1'),
      descending: (increment ?? '1').startsWith('-'),
    })
    const sequence = quoteText(qualified(schema ?? '', name ?? ''))
    return `pg_catalog.setval(s.oid, ${position}) FROM pg_catalog.pg_class s WHERE s.oid = pg_catalog.to_regclass(${sequence}) AND s.relkind = 'S'`
  })
  return calls.map((call) => `SELECT ${call};`).join('\n')
}

/** The position that a sequence is set to. */
export function movedPast(at: { last: bigint; min: bigint; max: bigint; descending: boolean }): bigint {
  const { last, min, max, descending } = at
  const left = descending ? last - min : max - last
  const gap = left >= 2n * GAP ? GAP : left / 2n
  return descending ? last - gap : last + gap
}
