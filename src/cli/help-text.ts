/** Help fits into the narrowest of terminals that people use. */
const HELP_COLUMNS = 80

/**
 * Descriptions wrap where so many columns are left to them, not only where 40 are: the flags of some verbs are long. Given to each command's
 * `configureHelp`.
 */
export const HELP_LAYOUT: { readonly minWidthToWrap: number } = { minWidthToWrap: 20 }

/** A word of a command line, quotes and all; a flag has its value with it. */
const PART = /(?:-[\w-]+ (?!-))?(?:'[^']*'|[^\s'])+/g

/** Command lines under a heading. One that is too long goes on in the next line as a shell takes it. */
export function exampleText(examples: readonly string[]): string {
  return `Examples:\n${examples.flatMap(exampleLines).join('\n')}\n`
}

function exampleLines(example: string): readonly string[] {
  const lines: string[] = []
  let line = ' '
  for (const part of example.match(PART) ?? []) {
    if (`${line} ${part} \\`.length > HELP_COLUMNS) {
      lines.push(`${line} \\`)
      line = '   '
    }
    line += ` ${part}`
  }
  return [...lines, line]
}
