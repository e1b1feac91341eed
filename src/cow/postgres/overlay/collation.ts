import type { DatabaseLocale } from './overlay.ts'

type Rows = readonly (readonly (string | null)[])[]

/** The locale of the current database; `datlocale` was `daticulocale` before 17 and absent before 15, so rows are taken as JSON. */
export const LOCALE_QUERY = `SELECT coalesce(j->>'datlocprovider', 'c'), j->>'datcollate', j->>'datctype',
  coalesce(j->>'datlocale', j->>'daticulocale')
  FROM (SELECT pg_catalog.to_jsonb(d) AS j FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()) x`

/** Reads the row of `LOCALE_QUERY`. */
export function readLocale(rows: Rows): DatabaseLocale {
  const [provider, collate, ctype, locale] = rows[0] ?? []
  return {
    provider: provider === 'i' || provider === 'b' ? provider : 'c',
    collate: collate ?? 'C',
    ctype: ctype ?? 'C',
    locale: locale ?? undefined,
  }
}

/** Strings on which locales differ: case, accents, blanks, punctuation, digits, scripts, combining marks. */
const SAMPLES = [
  'a',
  'A',
  'b',
  'B',
  'ä',
  'Ä',
  'z',
  'Z',
  'aa',
  'a b',
  'ab',
  'a-b',
  'a_b',
  'a.b',
  'ss',
  'ß',
  'é',
  'e',
  'f',
  'ñ',
  'n',
  'o',
  'ø',
  'å',
  '1',
  '10',
  '2',
  '_',
  '-',
  'Ж',
  'ж',
  '中',
  'e\u0301',
  'İ',
  'ı',
  'i',
  'co-op',
  'coop',
  'CO-OP',
]

/** A server of another encoding than UTF8 may lack the other ones. */
const ASCII_SAMPLES = SAMPLES.filter((sample) => /^[ -~]+$/.test(sample))

export const ENCODING_QUERY = `SELECT pg_catalog.pg_encoding_to_char(encoding) FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()`

/** One row with the samples in the order of the default collation, and what upper and lower make of them. */
export function fingerprintQuery(upstreamEncoding: string): string {
  const samples = upstreamEncoding === 'UTF8' ? SAMPLES : ASCII_SAMPLES
  return `SELECT pg_catalog.string_agg(s, '|' ORDER BY s), pg_catalog.string_agg(pg_catalog.upper(s) || pg_catalog.lower(s), '|' ORDER BY s COLLATE "C")
  FROM pg_catalog.unnest(ARRAY[${samples.map((sample) => `'${sample}'`).join(',')}]) AS u(s)`
}

/** True where both sides sort and fold alike, as far as the samples tell: merges of sorted rows rely on it. */
export function sameCollation(upstream: Rows, overlay: Rows): boolean {
  return upstream[0]?.[0] === overlay[0]?.[0] && upstream[0]?.[1] === overlay[0]?.[1]
}
