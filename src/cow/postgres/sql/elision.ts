/** Long lists of constants, blanked out before parsing: the tree of a 10 MB INSERT would take minutes and gigabytes. */
import type { Tokens } from './tokens.ts'

/** Of a run of rows or values so many stay, so that their shape is still seen. */
const KEPT = 4
/** Runs shorter than this are left alone. */
const MIN_RUN = 16

interface Run {
  /** After the last one that stays. */
  readonly from: number
  readonly to: number
}

/**
 * The text with all but the first constants of long comma-separated runs, and all but the first of long runs of rows of
 * constants, replaced by blanks: the same length, and every other character where it was. A constant is a string, a
 * number, a parameter, NULL, TRUE, FALSE or DEFAULT, with a sign: nothing that calls, reads or names anything.
 */
export function elideConstants(tokens: Tokens): { readonly text: string; readonly tokenCount: number } {
  const { text } = tokens
  const pieces: string[] = []
  let copied = 0
  let left = tokens.count
  for (let index = 0; index < tokens.count; index++) {
    const run =
      tokens.isSign(index, '(') || tokens.isSign(index, '[') || isListStart(tokens, index)
        ? runAt(tokens, index)
        : undefined
    if (run === undefined) continue
    const start = tokens.end(run.from - 1)
    const end = tokens.end(run.to - 1)
    pieces.push(text.slice(copied, start), ' '.repeat(end - start))
    copied = end
    left -= run.to - run.from
    index = run.to - 1
  }
  pieces.push(text.slice(copied))
  return { text: pieces.join(''), tokenCount: left }
}

/** VALUES is followed by rows that no parenthesis encloses. */
function isListStart(tokens: Tokens, index: number): boolean {
  return tokens.isWord(index, 'values')
}

/** The run of elements after an opening token, if it is long. Elements are constants, or rows of constants. */
function runAt(tokens: Tokens, open: number): Run | undefined {
  let elements = 0
  let from = open + 1
  let to = open + 1
  let next = open + 1
  for (;;) {
    const end = elementEnd(tokens, next)
    // A row that an operator follows is a part of an expression.
    if (end === undefined || tokens.kind(end) === 'operator' || tokens.isSign(end, '.')) break
    elements++
    to = end
    if (elements === KEPT) from = end
    if (!tokens.isSign(end, ',')) break
    next = end + 1
  }
  return elements < MIN_RUN ? undefined : { from, to }
}

/** After the constant, or the row of constants, that starts here; undefined where there is none. */
function elementEnd(tokens: Tokens, index: number): number | undefined {
  if (!tokens.isSign(index, '(')) return constantEnd(tokens, index)
  let next = index + 1
  for (;;) {
    const end = constantEnd(tokens, next)
    if (end === undefined) return undefined
    if (tokens.isSign(end, ')')) return end + 1
    if (!tokens.isSign(end, ',')) return undefined
    next = end + 1
  }
}

function constantEnd(tokens: Tokens, index: number): number | undefined {
  const signed = tokens.isSign(index, '-') || tokens.isSign(index, '+')
  const at = signed ? index + 1 : index
  const kind = tokens.kind(at)
  if (signed ? kind !== 'number' : !isConstant(tokens, at)) return undefined
  // Followed by anything but a comma or a closing sign, it is a part of an expression.
  const after = at + 1
  const closed = tokens.isSign(after, ',') || tokens.isSign(after, ')') || tokens.isSign(after, ']')
  return closed ? after : undefined
}

function isConstant(tokens: Tokens, index: number): boolean {
  const kind = tokens.kind(index)
  if (kind === 'string' || kind === 'number' || kind === 'parameter') return true
  return kind === 'word' && ['null', 'true', 'false', 'default'].some((word) => tokens.isWord(index, word))
}
