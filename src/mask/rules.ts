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
}

/** Fields and headers whose name says that the value is a secret. Anchored so that `tokens_used` or `author` is none. */
const SECRET_NAME =
  /(?:^|[-_.[])(?:pass(?:word|wd|code|phrase)?|pwd|secret|token|api[-_]?key|apikey|access[-_]?key|private[-_]?key|credential|otp|pin|cvv|cvc|card[-_]?number|ssn|csrf|xsrf|jwt|assertion|signature|session[-_]?(?:id|key)|sid)s?\]?$/i

/** `accessToken`, `clientSecret`: the same in camel case. */
const SECRET_CAMEL_NAME =
  /[a-z](?:Password|Passwd|Secret|Token|ApiKey|AccessKey|PrivateKey|Credentials?|Otp|SessionId|CardNumber)$/

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
  return {
    headerMask(name, choose) {
      if (known.has(name)) return known.get(name)
      const lower = name.trimEnd().toLowerCase()
      const secret = !kept(lower) && (SECRET_NAME.test(lower) || listed(names.header, lower))
      const mask = choose(lower, secret)
      if (known.size < MAX_KNOWN_NAMES) known.set(name, mask)
      return mask
    },
    cookie: (name) => !kept(name),
    field: (name) =>
      !kept(name) && (SECRET_NAME.test(name) || SECRET_CAMEL_NAME.test(name) || listed(names.field, name)),
  }
}

/** Header names whose mask is remembered; services use some dozens. */
const MAX_KNOWN_NAMES = 2_000

function wildcard(name: string): RegExp {
  const escaped = name.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll('*', '.*')
  return new RegExp(`^${escaped}$`, 'i')
}
