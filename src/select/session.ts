import { latin1 } from '../core/bytes.ts'
import type { Exchange } from '../core/exchange.ts'
import { headerValue, headerValues, parseHead } from '../core/head.ts'
import { compileExpression } from './expression.ts'

/** Tells whose request an exchange is: a key, or '' where nothing but the connection tells. */
export type SessionKey = (exchange: Exchange) => string

/** Cookie names that hold a session in the common frameworks; compared in lower case. */
const SESSION_COOKIE =
  /^(?:.*sess(?:ion)?(?:[-_.]?(?:id|key|token))?|sid|.*[-_.]sid|connect\.sid|auth(?:[-_.]?token)?|token|jwt|laravel_session|remember[-_].*)$/

const SESSION_HEADER = /^(?:cookie|authorization)[ \t]*:/im

/**
 * The default key: the session cookie, else the authorization, else nothing (the connection then stands for the session).
 * Clones, sampling and shards go by it, so that one user's requests stay together.
 */
export const defaultSessionKey: SessionKey = (exchange) => {
  const { head } = exchange.request
  // Most requests of some services have neither: looking for them costs less than parsing the head.
  if (!SESSION_HEADER.test(latin1(head))) return ''
  const parsed = parseHead(head)
  for (const line of headerValues(parsed, 'cookie')) {
    for (const pair of line.split(';')) {
      const mark = pair.indexOf('=')
      const name = pair.slice(0, mark).trim()
      const value = pair.slice(mark + 1).trim()
      if (mark > 0 && value !== '' && SESSION_COOKIE.test(name.toLowerCase())) return `${name}=${value}`
    }
  }
  const authorization = headerValue(parsed, 'authorization')
  return authorization === undefined || authorization === '' ? '' : `authorization=${authorization}`
}

/** A key by a CEL expression (`--session`), e.g. `request.headers["x-user"]`. An evaluation error falls back to ''. */
export function compileSession(text: string, where = '--session'): SessionKey {
  const expression = compileExpression(text, where, ['string', 'int', 'bool'])
  return (exchange) => {
    try {
      return String(expression.evaluate(exchange))
    } catch {
      return ''
    }
  }
}
