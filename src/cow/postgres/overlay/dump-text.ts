import { qualified } from './identifiers.ts'

/**
 * The text of a schema dump, entry by entry. pg_dump heads each with a comment that names its type:
 *
 *     --
 *     -- Name: orders; Type: TABLE; Schema: public; Owner: app
 *     --
 */
export interface DumpEntry {
  readonly name: string
  /** `TABLE`, `INDEX`, `MATERIALIZED VIEW`, ...; empty for what stands before the first header. */
  readonly type: string
  readonly text: string
}

/** A materialised view: its content comes from production until it is refreshed. */
export interface DumpedView {
  /** As the dump writes it, quoted where needed. */
  readonly name: string
  /** Where the real one is kept, to be refreshed. */
  readonly hidden: string
}

/** A dump made fit for the overlay. */
export interface FittedDump {
  readonly text: string
  readonly materializedViews: readonly DumpedView[]
}

/** A header, or what may hold text like one: other comments, strings, quoted names, bodies of functions. */
const PARTS =
  /^--\n-- Name: (?<name>.*); Type: (?<type>[A-Z ]+); Schema: .*\n--\n|--.*|\bE'[^'\\]*(?:(?:\\[\s\S]|'')[^'\\]*)*'|'[^']*'|"[^"]*"|\$(?<tag>[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$[\s\S]*?\$\k<tag>\$/gm

/** Objects that reach outside of the database, or fire by themselves. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'EVENT TRIGGER',
  'PUBLICATION',
  'PUBLICATION TABLE',
  'PUBLICATION TABLES IN SCHEMA',
  'SUBSCRIPTION',
  'SUBSCRIPTION TABLE',
  'FOREIGN DATA WRAPPER',
  'FOREIGN SERVER',
  'SERVER',
  'USER MAPPING',
  'SECURITY LABEL',
  'MATERIALIZED VIEW DATA',
])

/** Rights and comments of the same. */
const LEFT_OUT_NAMES =
  /^(EVENT TRIGGER|PUBLICATION|SUBSCRIPTION|FOREIGN DATA WRAPPER|FOREIGN SERVER|SERVER|USER MAPPING) /

/** The entries of a dump, in order. */
export function dumpEntries(dump: string): DumpEntry[] {
  const entries: DumpEntry[] = []
  let [name, type, start] = ['', '', 0]
  for (const { groups, index } of dump.matchAll(PARTS)) {
    if (groups?.['type'] === undefined) continue
    entries.push({ name, type, text: dump.slice(start, index) })
    ;[name, type, start] = [groups['name'] ?? '', groups['type'], index]
  }
  entries.push({ name, type, text: dump.slice(start) })
  return entries
}

/**
 * Fits a dump to the overlay: partitioned roots, foreign and unlogged tables become ordinary tables, since their rows are production's to
 * find; a materialised view becomes a view that mesh points at production, the real one being kept out of sight.
 *
 * `behind`: SQL by the qualified names of partitioned roots, that goes right behind them. Whatever refers to a partition comes later: it
 * depends on the partition, and that on its root.
 */
export function fitDump(dump: string, behind: ReadonlyMap<string, string> = new Map()): FittedDump {
  const materializedViews: DumpedView[] = []
  const texts = dumpEntries(dump).flatMap((entry) => [
    ...fitted(entry, materializedViews),
    ...(entry.type === 'TABLE' ? [behind.get(tableIn(entry.text)) ?? ''] : []),
  ])
  return { text: texts.join(''), materializedViews }
}

function fitted(entry: DumpEntry, views: DumpedView[]): string[] {
  const { type, name, text } = entry
  if (LEFT_OUT.has(type)) return []
  if ((type === 'ACL' || type === 'COMMENT') && LEFT_OUT_NAMES.test(name)) return []
  if (type === 'TABLE') return [withoutPartitioning(asLogged(text))]
  if (type === 'SEQUENCE') return [asLogged(text)]
  if (type === 'FOREIGN TABLE') return [asOrdinaryTable(text)]
  if (type === 'MATERIALIZED VIEW') return [asView(text, views)]
  if (type === 'INDEX' && views.some((view) => text.includes(` ON ${view.name} USING `))) return []
  if (type === 'COMMENT')
    return [
      text.replace(
        /^COMMENT ON (MATERIALIZED VIEW|FOREIGN TABLE) /m,
        (_, kind: string) => `COMMENT ON ${kind === 'FOREIGN TABLE' ? 'TABLE' : 'VIEW'} `,
      ),
    ]
  return [text]
}

/** The qualified name of the table that a text makes; empty where it makes none. */
function tableIn(text: string): string {
  const { groups } =
    /^CREATE (?:UNLOGGED )?TABLE (?<schema>"(?:[^"]|"")*"|[^\s".]+)\.(?<name>"(?:[^"]|"")*"|[^\s".]+) /m.exec(text) ??
    {}
  return groups === undefined ? '' : qualified(unquoted(groups['schema'] ?? ''), unquoted(groups['name'] ?? ''))
}

function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name
}

/** The clause stands on a line of its own, after the columns: `)\nPARTITION BY RANGE (at);`. */
function withoutPartitioning(text: string): string {
  return text.replace(/^\)\nPARTITION BY .*;$/m, ');')
}

/** What a crash of the overlay empties would be missing for good: the keys that hide production's rows stay. */
function asLogged(text: string): string {
  return text
    .replace(/^CREATE UNLOGGED (TABLE|SEQUENCE) /m, 'CREATE $1 ')
    .replace(/^ALTER SEQUENCE .* SET (?:UNLOGGED|LOGGED);\n/m, '')
}

function asOrdinaryTable(text: string): string {
  return text
    .replace(/^CREATE FOREIGN TABLE /m, 'CREATE TABLE ')
    .replaceAll(/ OPTIONS \(\n(?: {8}.*\n)* {4}\)/g, '')
    .replace(/^\)\nSERVER [^;]*?(?:\nOPTIONS \(\n[\s\S]*?\n\))?;$/m, ');')
    .replaceAll(/^ALTER FOREIGN TABLE .* OPTIONS \(\n(?: .*\n)*\);\n/gm, '')
    .replaceAll(/^ALTER FOREIGN TABLE /gm, 'ALTER TABLE ')
}

function asView(text: string, views: DumpedView[]): string {
  const name = /^CREATE MATERIALIZED VIEW (.*?) AS$/m.exec(text)?.[1]
  if (name === undefined) return text
  const hidden = `mesh_base.m${views.length + 1}`
  views.push({ name, hidden })
  const owner = /^ALTER (?:MATERIALIZED VIEW|TABLE) .* OWNER TO (.*);$/m.exec(text)?.[1]
  const made = text
    .replace(/^CREATE MATERIALIZED VIEW .*? AS$/m, `CREATE MATERIALIZED VIEW ${hidden} AS`)
    .replaceAll(/^ALTER (?:MATERIALIZED VIEW|TABLE) .* OWNER TO .*;$/gm, '')
  const owned =
    owner === undefined
      ? ''
      : `ALTER MATERIALIZED VIEW ${hidden} OWNER TO ${owner};\nALTER VIEW ${name} OWNER TO ${owner};\n`
  const registered = `INSERT INTO mesh.materialized_views VALUES ('${hidden}'::pg_catalog.regclass, '${name.replaceAll("'", "''")}'::pg_catalog.regclass);\n`
  return `${made}CREATE VIEW ${name} AS SELECT * FROM ${hidden};\n${owned}${registered}\n`
}
