import { MeshError } from '../core/errors.ts'

/** Which names hold secrets: headers, cookies, and fields (of queries, forms and JSON). All names are compared in lower case. */
export interface MaskRules {
  header(name: string): boolean
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
  return {
    header: (name) => !kept(name) && (SECRET_NAME.test(name) || listed(names.header, name)),
    cookie: (name) => !kept(name),
    field: (name) =>
      !kept(name) && (SECRET_NAME.test(name) || SECRET_CAMEL_NAME.test(name) || listed(names.field, name)),
  }
}

function wildcard(name: string): RegExp {
  const escaped = name.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll('*', '.*')
  return new RegExp(`^${escaped}$`, 'i')
}
