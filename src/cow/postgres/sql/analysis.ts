/** From a text to its statements: one walk over the parser's tree, cached with it. */
import { describe, kindOf } from './detail.ts'
import type { ParsedTree, RawStatement } from './parser.ts'
import { parseSql } from './parser.ts'
import type { ParsedText, Statement, SyntaxFailure } from './statement.ts'
import { TreeWalk } from './walk.ts'

/** Found out once per tree: it goes when the parser's cache lets the tree go. */
const analysed = new WeakMap<ParsedTree, ParsedText>()

/** What each statement of a text is and touches. For a text seen before this is two look-ups. */
export function analyse(text: string): ParsedText | SyntaxFailure {
  const parsed = parseSql(text)
  if (parsed.failure) return parsed
  const known = analysed.get(parsed)
  if (known !== undefined) return known
  const statements = parsed.statements.map((raw, index) => analyseStatement(parsed, raw, index))
  const result: ParsedText = { failure: false, text, statements }
  analysed.set(parsed, result)
  return result
}

function analyseStatement(parsed: ParsedTree, raw: RawStatement, index: number): Statement {
  const { tokens } = parsed
  const first = tokens.indexAt(raw.start)
  const last = tokens.indexAt(raw.end) - 1
  const start = tokens.start(first)
  const end = tokens.end(last)
  const found = new TreeWalk(parsed, raw).run()
  return {
    text: parsed.text,
    index,
    start,
    end,
    kind: kindOf(raw),
    detail: describe({ parsed, raw, range: { start, end }, relations: found.relations }),
    ...found,
    parameters: parametersIn(parsed, first, last),
    tree: raw.tree,
    tokens,
    offsetOf: (location) => parsed.offsetOf(location),
  }
}

/** From the tokens, not the tree: there a long list of parameters may be left out. */
function parametersIn({ tokens }: ParsedTree, first: number, last: number): readonly number[] {
  const numbers = new Set<number>()
  for (let index = first; index <= last; index++) {
    if (tokens.kind(index) === 'parameter') numbers.add(Number(tokens.at(index).slice(1)))
  }
  return [...numbers].sort((one, other) => one - other)
}
