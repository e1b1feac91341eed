/** Reads a list of names as `SplitIdentifierString` of PostgreSQL does: quoted, or folded to lower case. */
export function splitNames(text: string): readonly string[] {
  const names: string[] = []
  for (const match of text.matchAll(/"((?:[^"]|"")*)"|([^\s,"]+)/g)) {
    const [, quoted, plain] = match
    const name = quoted === undefined ? (plain ?? '').toLowerCase() : quoted.replaceAll('""', '"')
    if (name !== '') names.push(name)
  }
  return names
}
