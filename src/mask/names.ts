/** Words that end the name of a secret. */
const SECRET_WORDS = [
  'pass(?:word|wd|code|phrase)?(?:[-_]?(?:confirm(?:ation)?|again|repeat|new|old|hash|\\d{1,2}))?',
  'pwd',
  'secret',
  'token',
  '(?:access|refresh|id|session|auth|bearer|user|api|csrf|xsrf|security)token',
  '(?:api|access|private|secret|signing|encryption|auth|subscription|account|shared|master)[-_]?key',
  '(?:auth|authorization|security|verification)[-_]?code',
  'credential',
  'otp',
  'pin',
  'cvv',
  'cvc',
  'card[-_]?number',
  'ssn',
  'csrf',
  'xsrf',
  'jwt',
  'assertion',
  'signature',
  'sig',
  '(?:j|php)?sess(?:ion)?[-_]?(?:id|key)',
  '(?:set[-_]?)?cookie',
  '(?:proxy[-_]?)?authorization',
  'auth',
  'sid',
].join('|')

/** Fields and headers whose name says that the value is a secret. Anchored so that `tokens_used` or `author` is none. */
const SECRET_NAME = new RegExp(String.raw`(?:^|[-_.[])(?:${SECRET_WORDS})s?\]?$`, 'i')

/** `accessToken`, `clientSecret`: the same in camel case. */
const SECRET_CAMEL_NAME =
  /[a-z\d](?:Password(?:Confirm(?:ation)?|Again|Repeat|Hash|\d{1,2})?|Passwd|Passphrase|Secret|Token|(?:Api|Access|Private|Secret|Signing|Encryption|Auth|Subscription|Account|Shared|Master)Key|Credential|Otp|Pin|Cvv|Cvc|SessionId|CardNumber|Signature|(?:Auth|Authorization|Security|Verification)Code)s?$/

/** A secret's word anywhere. */
const MAYBE_SECRET = new RegExp(SECRET_WORDS, 'i')

/** The end of a name tells; no word is longer than this. */
export const MAX_WORD_CHARS = 64

/** Is a header or field of this name a secret? Camel case is a matter of fields, headers are given in lower case. */
export function isSecretName(name: string): boolean {
  const end = name.length > MAX_WORD_CHARS ? name.slice(-MAX_WORD_CHARS) : name
  return SECRET_NAME.test(end) || SECRET_CAMEL_NAME.test(end)
}

/** Could a text have the name of a secret in it, not escaped? Never false where it has. */
export function mayNameSecret(text: string): boolean {
  return MAYBE_SECRET.test(text)
}

/** Tells which names a pattern means, in which `*` stands for anything; case does not count. Takes time by the length of the name. */
export function compileWildcard(pattern: string): (name: string) => boolean {
  const pieces = pattern.toLowerCase().split(/\*+/)
  const [first = ''] = pieces
  if (pieces.length === 1) return (name) => name.toLowerCase() === first
  const last = pieces.at(-1) ?? ''
  const middle = pieces.slice(1, -1)
  return (name) => {
    const lower = name.toLowerCase()
    if (lower.length < first.length + last.length || !lower.startsWith(first) || !lower.endsWith(last)) return false
    // The leftmost place of each piece leaves most room for the next: nothing is ever tried again.
    let from = first.length
    for (const piece of middle) {
      const at = lower.indexOf(piece, from)
      if (at < 0) return false
      from = at + piece.length
    }
    return from <= lower.length - last.length
  }
}
