/** COPY, as the session and the rewriter see it. */
import type { Described } from './described.ts'
import { fieldOf, flagOf, listOf, stringsOf, textOf } from './node.ts'
import type { CopyDetail } from './statement.ts'

export function describeCopy({ parsed, raw, range, relations }: Described): CopyDetail {
  const { tokens } = parsed
  const { tree } = raw
  const columns = stringsOf(listOf(tree, 'attlist'))
  const relation = fieldOf(tree, 'relation') === undefined ? undefined : relations[0]
  const first = tokens.indexAt(range.start)
  const name = relation === undefined ? first + 1 : tokens.indexAt(relation.position)
  let last = name
  while (tokens.isSign(last + 1, '.')) last += 2
  if (columns.length > 0) last = tokens.closing(last + 1)
  return {
    direction: flagOf(tree, 'is_from') ? 'from' : 'to',
    relation,
    columns: columns.length === 0 ? undefined : columns,
    target: relation === undefined ? undefined : { start: tokens.start(name), end: tokens.end(last) },
    program: flagOf(tree, 'is_program'),
    file: textOf(tree, 'filename'),
    // COPY [BINARY] t [(columns)] FROM|TO file [[USING] DELIMITERS ..]: the words before and after that a query cannot have.
    oldSyntax: name !== first + 1 || hasDelimiters(parsed.tokens, last, tokens.indexAt(range.end)),
  }
}

function hasDelimiters(tokens: Described['parsed']['tokens'], from: number, to: number): boolean {
  return tokens.findWord(['delimiters'], from, to, 0) !== -1
}
