import type { Exchange } from '../core/exchange.ts'
import { compileExpression } from './expression.ts'

/** Decides which exchanges are meant. An evaluation error (a header that is not there) is no match, and counted. */
export interface Matcher {
  readonly text: string
  readonly matches: (exchange: Exchange) => boolean
  /** How many evaluations failed so far. */
  readonly failures: () => number
}

/** Compiles a `--match` expression, which must give a bool. Throws MESH_ERR_EXPRESSION. */
export function compileMatch(text: string, where = '--match'): Matcher {
  const expression = compileExpression(text, where, ['bool'])
  let failures = 0
  return {
    text,
    failures: () => failures,
    matches: (exchange) => {
      try {
        return expression.evaluate(exchange) === true
      } catch {
        failures++
        return false
      }
    },
  }
}
