import { MeshError } from '../core/errors.ts'
import type { Pseudonyms } from './pseudonym.ts'

/** Masks one header's value, or gives it back as it is. */
export type HeaderMask = (value: string, rules: MaskRules, pseudonyms: Pseudonyms) => string

/** Which names hold secrets: headers, cookies, and fields (of queries, forms and JSON). All names are compared in lower case. */
export interface MaskRules {
  /**
   * How the header of this name (as written, any case) is masked, by `choose`, which is asked once a name and told
   * whether the name is one of a secret.
   */
  headerMask(name: string, choose: (name: string, secret: boolean) => HeaderMask | undefined): HeaderMask | undefined
  cookie(name: string): boolean
  field(name: string): boolean
  /** Could a JSON text have a secret field? Never false where it has: a quick look before a thorough one. */
  mayHoldSecret(json: string): boolean
}

/** Words that end the name of a secret. */
const SECRET_WORDS = [
  'pass(?:word|wd|code|phrase)?(?:[-_]?(?:confirm(?:ation)?|again|repeat|new|old|hash|\\d))?',
  'pwd',
  'secret',
  'token',
  'apikey',
  '(?:api|access|private|secret|signing|encryption|auth)[-_]?key',
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
  'session[-_]?(?:id|key)',
  '(?:set[-_]?)?cookie',
  '(?:proxy[-_]?)?authorization',
  'sid',
].join('|')

/** Fields and headers whose name says that the value is a secret. Anchored so that `tokens_used` or `author` is none. */
const SECRET_NAME = new RegExp(String.raw`(?:^|[-_.[])(?:${SECRET_WORDS})s?\]?$`, 'i')

/** `accessToken`, `clientSecret`: the same in camel case. */
const SECRET_CAMEL_NAME =
  /[a-z\d](?:Password(?:Confirm(?:ation)?|Again|Repeat|Hash)?|Passwd|Passphrase|Secret|Token|(?:Api|Access|Private|Secret|Signing|Encryption|Auth)Key|Credential|Otp|Pin|Cvv|Cvc|SessionId|CardNumber)s?$/

/** A name of JSON that may be one of those, or that is escaped and may be anything. */
const MAYBE_SECRET_IN_JSON = new RegExp(String.raw`(?:${SECRET_WORDS})s?\]?"\s*:|\\u`, 'i')

/**
 * Reads `--mask` rules on top of the built-in ones: `header:NAME`, `cookie:NAME`, `field:NAME` (query, form, multipart and
 * JSON), `keep:NAME` (never masked, wherever it stands). `*` in a name stands for anything.
 * @throws MeshError MESH_ERR_USAGE for any other form.
 */
export function compileRules(texts: readonly string[], where = '--mask'): MaskRules {
  const names = { header: [] as RegExp[], cookie: [] as RegExp[], field: [] as RegExp[], keep: [] as RegExp[] }
  for (const text of texts) {
    const [, kind, name] = /^(header|cookie|field|keep):(\S+)$/.exec(text) ?? []
    if (name === undefined || (kind !== 'header' && kind !== 'cookie' && kind !== 'field' && kind !== 'keep')) {
      throw new MeshError('MESH_ERR_USAGE', {
        what: `expected header:NAME, cookie:NAME, field:NAME or keep:NAME, found "${text}"`,
        where,
      })
    }
    names[kind].push(wildcard(name))
  }
  const kept = (name: string): boolean => names.keep.some((pattern) => pattern.test(name))
  const listed = (patterns: readonly RegExp[], name: string): boolean => patterns.some((pattern) => pattern.test(name))
  const known = new Map<string, HeaderMask | undefined>()
  const fields = new Map<string, boolean>()
  return {
    headerMask(name, choose) {
      if (known.has(name)) return known.get(name)
      const lower = name.trimEnd().toLowerCase()
      const secret = !kept(lower) && (SECRET_NAME.test(lower) || listed(names.header, lower))
      const mask = choose(lower, secret)
      if (known.size < MAX_KNOWN_NAMES && name.length < MAX_KNOWN_NAME_CHARS) known.set(name, mask)
      return mask
    },
    cookie: (name) => !kept(name),
    field(name) {
      const before = fields.get(name)
      if (before !== undefined) return before
      const secret =
        !kept(name) && (SECRET_NAME.test(name) || SECRET_CAMEL_NAME.test(name) || listed(names.field, name))
      if (fields.size < MAX_KNOWN_NAMES && name.length < MAX_KNOWN_NAME_CHARS) fields.set(name, secret)
      return secret
    },
    mayHoldSecret: (json) => names.field.length > 0 || MAYBE_SECRET_IN_JSON.test(json),
  }
}

/** Names of headers and of fields that are remembered; services use some dozens. A longer one is looked at each time. */
const MAX_KNOWN_NAMES = 2_000
const MAX_KNOWN_NAME_CHARS = 100

function wildcard(name: string): RegExp {
  const escaped = name.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll('*', '.*')
  return new RegExp(`^${escaped}$`, 'i')
}
