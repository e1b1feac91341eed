/**
 * Names and values as SQL text. Everything that this folder writes into a statement passes through here: a name is
 * always quoted, so that case, blanks and reserved words need no thought.
 */

/** A name of one part: `"Order ""x"""`. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A name of two parts: `"public"."orders"`. */
export function qualified(schema: string, name: string): string {
  return `${quoteName(schema)}.${quoteName(name)}`
}

/** A type with its collation, where that is not the type's own. */
export function collated({ type, collation }: { readonly type: string; readonly collation: string | null }): string {
  return collation === null ? type : `${type} COLLATE ${collation}`
}

/** A list of names: `"a", "b"`, each under `alias` where one is given. */
export function nameList(names: readonly string[], alias?: string): string {
  const prefix = alias === undefined ? '' : `${alias}.`
  return names.map((name) => prefix + quoteName(name)).join(', ')
}

/** A string constant that means the same whatever `standard_conforming_strings` says. */
export function quoteText(text: string): string {
  const quoted = `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`
  return text.includes('\\') ? ` E${quoted}` : quoted
}

/** A constant of type text[], as an ARRAY constructor. */
export function textArray(texts: readonly string[]): string {
  return `ARRAY[${texts.map(quoteText).join(', ')}]::pg_catalog.text[]`
}

/** An operator by its schema, so that no search_path chooses another one. */
export function operator(schema: string, name: string): string {
  return `OPERATOR(${quoteName(schema)}.${name})`
}

/** A body between dollar quotes whose tag does not occur in it. */
export function dollarQuoted(body: string): string {
  let tag = '$mesh$'
  for (let suffix = 1; body.includes(tag); suffix += 1) tag = `$mesh${suffix}$`
  return `${tag}${body}${tag}`
}
