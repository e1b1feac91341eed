import { utf8 } from '../../core/bytes.ts'
import { decodeContent } from '../../core/content-coding.ts'
import { headerValue } from '../../core/head.ts'
import type { Head } from '../../core/head.ts'
import { decodeEntities, htmlFields } from '../../core/html-fields.ts'
import { percentDecoded } from './escape.ts'
import { unquoted, walkJson } from './json-leaves.ts'

/**
 * Takes a value that a reply issues, and where it stands: `cookie sid`, `cookie-text XSRF-TOKEN` (percent-decoded), `header etag`,
 * `location path 2`, `location query code`, `json .order.id`, `html csrf`. `isRemoved`: it is a cookie that the reply takes back. False: no
 * more of the body is wanted.
 */
export type TakeIssued = (place: string, value: string, isRemoved?: boolean) => boolean

/** A body is not looked at beyond this, as sent or decoded: logins and created things answer in a few KB. */
export const MAX_ISSUING_BODY_BYTES: number = 1024 * 1024

/** Values of one body that are looked at. */
const MAX_LEAVES = 4_096

/** Of a page's characters, those in tags that never end included: every page but a hostile one is read once at most. */
const MOST_READINGS = 4

/** Headers of replies that say something of the reply and not of what is to be sent. */
const PLAIN_HEADERS: ReadonlySet<string> = new Set([
  'accept-ranges',
  'access-control-allow-credentials',
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-allow-origin',
  'access-control-expose-headers',
  'access-control-max-age',
  'age',
  'allow',
  'alt-svc',
  'baggage',
  'cache-control',
  'connection',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-security-policy',
  'content-type',
  'date',
  'expires',
  'keep-alive',
  'permissions-policy',
  'pragma',
  'referrer-policy',
  'server',
  'server-timing',
  'strict-transport-security',
  'traceparent',
  'transfer-encoding',
  'vary',
  'via',
  'x-content-type-options',
  'x-frame-options',
  'x-powered-by',
  'x-xss-protection',
])

/** What a reply's head issues. */
export function takeFromHead(head: Head, take: TakeIssued): void {
  for (const { name, value } of head.fields) {
    const lower = name.toLowerCase()
    if (lower === 'set-cookie') takeCookie(value, take)
    else if (lower === 'location' || lower === 'content-location') takeUrl('location', value, take)
    else if (!PLAIN_HEADERS.has(lower) && value !== '') take(`header ${lower}`, withoutScheme(value))
  }
}

/** What a reply's body issues: JSON's strings and numbers, a page's hidden fields. `body` is transfer-decoded. */
export function takeFromBody(head: Head, body: Uint8Array, take: TakeIssued): void {
  const type = (headerValue(head, 'content-type') ?? '').toLowerCase()
  const isJson = type.includes('json')
  if ((!isJson && !type.includes('html')) || body.length === 0 || body.length > MAX_ISSUING_BODY_BYTES) return
  const plain = decodeContent(body, headerValue(head, 'content-encoding') ?? '', MAX_ISSUING_BODY_BYTES)
  if (plain === undefined) return
  const text = utf8(plain)
  if (isJson) takeJson(text, take)
  else takeHtml(text, take)
}

function takeCookie(value: string, take: TakeIssued): void {
  const [pair = ''] = value.split(';', 1)
  const equals = pair.indexOf('=')
  if (equals <= 0) return
  const name = pair.slice(0, equals).trim()
  const content = pair.slice(equals + 1).trim()
  const isRemoved = isOver(value)
  take(`cookie ${name}`, content, isRemoved)
  const decoded = percentDecoded(content, false)
  if (decoded !== content) take(`cookie-text ${name}`, decoded, isRemoved)
}

const Y2K_MS = 946_684_800_000

/** Whether a cookie is set with an age of zero or less, or a time that is over: that is how they are removed (RFC 6265 5.3). */
function isOver(value: string): boolean {
  const age = /;\s*max-age\s*=\s*"?(-?\d+)/i.exec(value)?.[1]
  if (age !== undefined) return Number(age) <= 0
  const expires = /;\s*expires\s*=\s*([^;]+)/i.exec(value)?.[1]
  // No cookie of now expires in the last century.
  return expires !== undefined && Date.parse(expires) < Y2K_MS
}

function takeUrl(place: string, url: string, take: TakeIssued): void {
  const path = /^(?:[a-z][a-z0-9+.-]*:)?\/\/[^/?#]*([^#]*)/i.exec(url)?.[1] ?? url.split('#', 1)[0] ?? ''
  const mark = path.indexOf('?')
  const segments = (mark < 0 ? path : path.slice(0, mark)).split('/')
  for (const [index, segment] of segments.entries()) {
    if (index > 0 && segment !== '') take(`${place} path ${index}`, percentDecoded(segment, false))
  }
  if (mark < 0) return
  for (const pair of path.slice(mark + 1).split('&')) {
    const equals = pair.indexOf('=')
    if (equals > 0) {
      const name = percentDecoded(pair.slice(0, equals), true)
      take(`${place} query ${name}`, percentDecoded(pair.slice(equals + 1), true))
    }
  }
}

function takeJson(text: string, take: TakeIssued): void {
  let left = MAX_LEAVES
  walkJson(text, (path, start, end, isString) => {
    const token = text.slice(start, end)
    return take(`json ${path}`, isString ? unquoted(token) : token) && --left > 0
  })
}

function takeHtml(text: string, take: TakeIssued): void {
  let left = MAX_LEAVES
  for (const { name, start, end } of htmlFields(text, MOST_READINGS * MAX_ISSUING_BODY_BYTES)) {
    if (!take(`html ${name}`, decodeEntities(text.slice(start, end))) || --left === 0) return
  }
}

/** `Bearer token` is sent back as a token. */
function withoutScheme(value: string): string {
  return /^(?:bearer|token) +(\S+)$/i.exec(value)?.[1] ?? value
}

/** A place without the places in lists: `json .items[3].id` is one of `json .items[].id`. */
export function generalPlace(place: string): string {
  return place.includes('[') ? place.replaceAll(/\[\d+\]/g, '[]') : place
}
