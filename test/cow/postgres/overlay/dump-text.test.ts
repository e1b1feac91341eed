import { describe, expect, it } from 'vitest'
import { fitDump } from '../../../../src/cow/postgres/overlay/dump-text.ts'
import { quoteName, quoteText } from '../../../../src/cow/postgres/overlay/identifiers.ts'
import { movedPast } from '../../../../src/cow/postgres/overlay/sequences.ts'

/** One entry as pg_dump writes it. */
function entry(name: string, type: string, text: string): string {
  return `--\n-- Name: ${name}; Type: ${type}; Schema: public; Owner: app\n--\n\n${text}\n\n`
}

describe('a dump made fit for the overlay', () => {
  it('takes the partitioning from a root and leaves other tables as they are', () => {
    const root = 'CREATE TABLE public.m (\n    a integer\n)\nPARTITION BY RANGE (a);'
    const plain = 'CREATE TABLE public.n (\n    a integer\n);'
    const { text } = fitDump(entry('m', 'TABLE', root) + entry('n', 'TABLE', plain))
    expect(text).toContain('CREATE TABLE public.m (\n    a integer\n);')
    expect(text).toContain(plain)
  })

  it('makes an ordinary table of a foreign one', () => {
    const foreign =
      "CREATE FOREIGN TABLE public.f (\n    a integer OPTIONS (\n        column_name 'x'\n    ),\n    b text\n)\nSERVER far\nOPTIONS (\n    table_name 't;'\n);\n\nALTER FOREIGN TABLE public.f OWNER TO app;"
    const { text } = fitDump(entry('f', 'FOREIGN TABLE', foreign))
    expect(text).toContain('CREATE TABLE public.f (\n    a integer,\n    b text\n);')
    expect(text).toContain('ALTER TABLE public.f OWNER TO app;')
  })

  it('leaves out what reaches beyond the database or fires by itself', () => {
    const reaching = [
      entry('e', 'EVENT TRIGGER', 'CREATE EVENT TRIGGER e;'),
      entry('far', 'SERVER', 'CREATE SERVER far;'),
      entry('EVENT TRIGGER e', 'COMMENT', 'COMMENT ON EVENT TRIGGER e;'),
    ]
    expect(fitDump(reaching.join('')).text).toBe('')
  })

  it('does not mistake a function body for the dump itself', () => {
    const body = 'CREATE FUNCTION public.f() AS $$ )\nPARTITION BY x; $$;'
    expect(fitDump(entry('f()', 'FUNCTION', body)).text).toContain(body)
  })

  it.each([
    { where: 'a string', open: "ALTER TABLE public.t ALTER a SET DEFAULT 'it''s ", close: "';" },
    { where: 'an escape string', open: String.raw`SELECT E'\\\' `, close: "';" },
    { where: 'a quoted name', open: 'CREATE TABLE public."a ""', close: '" ();' },
    { where: 'the body of a function', open: "CREATE FUNCTION public.f() AS $_$ $$ it's ", close: '$_$;' },
  ])('does not take for a header what $where holds', ({ open, close }) => {
    const text = `${open}\n${entry('p', 'PUBLICATION', 'x')}${close}`
    const dump = entry("it's", 'TABLE', text) + entry('p', 'PUBLICATION', 'CREATE PUBLICATION p;')
    expect(fitDump(dump).text).toBe(entry("it's", 'TABLE', text))
  })
})

describe('a sequence moved past production', () => {
  it.each([
    { why: 'a wide one goes a million further', last: 5n, max: 2n ** 63n - 1n, descending: false, to: 1_000_005n },
    { why: 'a narrow one takes half of what is left', last: 7n, max: 32_767n, descending: false, to: 16_387n },
    { why: 'a descending one goes down', last: -5n, max: -1n, descending: true, to: -1_000_005n },
    { why: 'a used-up one stays', last: 10n, max: 10n, descending: false, to: 10n },
  ])('$why', ({ last, max, descending, to }) => {
    expect(movedPast({ last, min: -(2n ** 63n), max, descending })).toBe(to)
  })
})

describe('names and values in SQL', () => {
  it('cannot end early', () => {
    expect(quoteName('a"b')).toBe('"a""b"')
    expect(quoteText("it's")).toBe("'it''s'")
    expect(quoteText(String.raw`a\'`)).toBe(String.raw` E'a\\'''`)
  })
})
