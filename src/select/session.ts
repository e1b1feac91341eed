import { asBuffer, CR, latin1, latin1Bytes, LF } from '../core/bytes.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Head } from '../core/head.ts'
import { endOfLine, headerValue, headerValues, isHeaderAt, parseHead } from '../core/head.ts'
import { NameMemo } from '../core/name-memo.ts'
import { compileExpression } from './expression.ts'

/** Tells whose request an exchange is: a key, or '' where nothing but the connection tells. */
export type SessionKey = (exchange: Exchange) => string

/** Cookie names that hold a session in the common frameworks; compared in lower case. */
const SESSION_COOKIE =
  /^(?:.*sess(?:ion)?(?:[-_.]?(?:id|key|token))?|sid|.*[-_.]sid|connect\.sid|auth(?:[-_.]?token)?|token|jwt|laravel_session|remember[-_].*)$/

/** Asked once a name, not once a request. */
const sessionCookies = new NameMemo((name) => SESSION_COOKIE.test(name.trim().toLowerCase()))

const COOKIE = 'cookie'
const AUTHORIZATION = 'authorization'

const EQUALS = 0x3d
const SEMICOLON = 0x3b
const SPACE = 0x20
const TAB = 0x09
const COLON = 0x3a
const LOWER_CASE = 0x20

/**
 * The default key: the session cookie, else the authorization, else nothing (the connection then stands for the session).
 * Clones, sampling and shards go by it, so that one user's requests stay together. It looks for the two headers in the bytes:
 * every request passes here, and parsing all its lines costs several times as much.
 */
export const defaultSessionKey: SessionKey = (exchange) => {
  const head = asBuffer(exchange.request.head)
  let authorization: string | undefined
  let lineStart = head[0] === COLON ? 0 : endOfLine(head, 0)
  while (lineStart < head.length) {
    const lineEnd = endOfLine(head, lineStart)
    const first = (head[lineStart] ?? 0) | LOWER_CASE
    const isCookie = first === 0x63 && isHeaderAt(head, lineStart, COOKIE)
    if (isCookie || (first === 0x61 && isHeaderAt(head, lineStart, AUTHORIZATION))) {
      if (isFolded(head, lineEnd)) return keyOf(parseHead(head))
      if (isCookie) {
        const key = sessionCookie(head, lineStart + COOKIE.length + 1, lineEnd)
        if (key !== '') return key
      } else {
        authorization ??= latin1(head, lineStart + AUTHORIZATION.length + 1, lineEnd).trim()
      }
    }
    lineStart = lineEnd
  }
  return authorizationKey(authorization)
}

/** Does the line go on behind `lineEnd`? Empty lines do not count, as `parseHead` has it. */
function isFolded(head: Uint8Array, lineEnd: number): boolean {
  let next = lineEnd
  while (head[next] === CR || head[next] === LF) next++
  return head[next] === SPACE || head[next] === TAB
}

/** The default key of a parsed head, for those with folded lines. */
function keyOf(head: Head): string {
  for (const line of headerValues(head, COOKIE)) {
    const value = latin1Bytes(line)
    const key = sessionCookie(value, 0, value.length)
    if (key !== '') return key
  }
  return authorizationKey(headerValue(head, AUTHORIZATION))
}

function authorizationKey(value: string | undefined): string {
  return value === undefined || value === '' ? '' : `${AUTHORIZATION}=${value}`
}

/** `name=value` of the first session cookie in the value of a Cookie header; '' where there is none. */
function sessionCookie(bytes: Uint8Array, from: number, end: number): string {
  let start = from
  while (start < end) {
    while (bytes[start] === SPACE) start++
    let equals = -1
    let index = start
    for (; index < end && bytes[index] !== SEMICOLON; index++) {
      if (equals < 0 && bytes[index] === EQUALS) equals = index
    }
    if (equals > start && sessionCookies.of(bytes, start, equals)) {
      const pair = latin1(bytes, start, index)
      const value = pair.slice(equals + 1 - start).trim()
      if (value !== '') return `${pair.slice(0, equals - start).trim()}=${value}`
    }
    start = index + 1
  }
  return ''
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
