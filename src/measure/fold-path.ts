/** A longer name is cut: it is a line of a report. */
const MAX_NAME_CHARS = 160

/** Deeper paths share the route of their first segments. */
const MAX_SEGMENTS = 16

/** Parameters of a segment (RFC 3986 3.3): `;jsessionid=4f2a` is another in each session, and a secret. */
const PARAMETERS = /;[^;=/]*=[^/]*/g

/**
 * Folds ids in a path (without query): `/users/42/orders/2024-05-01` becomes `/users/:id/orders/:date`. Parameters of segments are
 * left out.
 */
export function foldPath(path: string): string {
  const segments = (path.includes(';') ? path.replaceAll(PARAMETERS, '') : path).split('/')
  const folded = segments.slice(0, MAX_SEGMENTS).map(foldSegment)
  if (segments.length > MAX_SEGMENTS) folded.push('*')
  const name = folded.join('/')
  return name.length <= MAX_NAME_CHARS ? name : `${name.slice(0, MAX_NAME_CHARS - 1)}*`
}

const DATE = /^\d{4}-\d{2}(-\d{2}(T[\d:.%A-Za-z+-]*)?)?$/
const UUID = /^\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?$/i
const NUMBER = /^[-+]?\d+(\.\d+)*$/
const NUMBERS = /^\d+([-_,:;x]\d+)+$/
/** `usr_884`, `order-000123`, `X1234567`: a short word and a number that is no version (`v2`, `page-2`, `oauth2` stay). */
const WORD_NUMBER = /^[A-Za-z]{1,12}([-_.]\d{3,}|\d{5,})$/
/** `o-cff32419`, `cart_4f2a9c`: a short word and hexadecimal digits, two of them decimal at the least (`add-decade` stays). */
const WORD_HEX = /^[A-Za-z]{1,12}[-_.](?=(?:[a-f]*\d){2})[0-9a-f]{6,}$/i
const HEX = /^(0x)?[0-9a-f]{8,}$/i
const TOKEN = /^[\w~.%=+-]{16,}$/
const LEAST_TOKEN_CHARS = 16
/** A whole token of letters only is a word unless it is longer than words are. */
const MAX_WORD_CHARS = 48

function foldSegment(segment: string): string {
  const plain = foldPlain(segment)
  if (plain !== undefined) return plain
  if (segment.includes('@') || segment.includes('%40')) return ':id'
  const extension = /\.[A-Za-z][A-Za-z0-9]{0,4}$/.exec(segment)?.[0] ?? ''
  if (extension !== '') {
    const stem = segment.slice(0, -extension.length)
    const folded = foldPlain(stem) ?? foldId(stem)
    if (folded !== stem) return folded + extension
  }
  return foldId(segment)
}

/** Nearly every segment is a short word or a number, and told so without a pattern; undefined where it is not as plain. */
function foldPlain(text: string): string | undefined {
  let digits = 0
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code >= 0x30 && code <= 0x39) digits += 1
    else if (code === 0x40 || code === 0x25) return undefined
  }
  if (digits === text.length && digits > 0) return ':id'
  return digits === 0 && text.length < LEAST_TOKEN_CHARS ? text : undefined
}

function foldId(text: string): string {
  if (DATE.test(text)) return ':date'
  if (NUMBER.test(text) || UUID.test(text) || NUMBERS.test(text) || WORD_NUMBER.test(text)) return ':id'
  if (WORD_HEX.test(text)) return ':id'
  if (HEX.test(text) && (/\d/.test(text) || text.length >= MAX_WORD_CHARS)) return ':id'
  return isToken(text) ? ':id' : text
}

/**
 * Long, and random as words are not: random text changes between digits, lower and upper case at almost every second
 * character, `getUserProfileSettings` at every fourth.
 */
function isToken(text: string): boolean {
  if (text.length > MAX_WORD_CHARS && !/[-_.]/.test(text)) return true
  if (!TOKEN.test(text)) return false
  const changes = text.match(/\d(?=[A-Za-z])|[a-z](?=[A-Z\d])|[A-Z](?=[a-z\d])/g)?.length ?? 0
  const digits = text.match(/\d/g)?.length ?? 0
  return changes / text.length >= (digits >= 3 ? 0.2 : 0.4)
}
