import { MeshError } from '../core/errors.ts'
import { compileWildcard, isSecretName, mayNameSecret, mayNameSecretInJson } from './names.ts'
import type { Pseudonyms } from './pseudonym.ts'

/** Masks one header's value, or gives it back as it is. */
export type HeaderMask = (value: string, rules: MaskRules, pseudonyms: Pseudonyms) => string

/** Which names hold secrets: headers, cookies, and fields (of queries, forms, JSON and XML). Case does not count. */
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
  /** The same of any text whose names are not escaped. */
  mayNameSecret(text: string): boolean
}

/** Names of headers and of fields that are remembered; services use some dozens. A longer one is looked at each time. */
const MAX_KNOWN_NAMES = 2_000
const MAX_KNOWN_NAME_CHARS = 100

/**
 * Reads `--mask` rules on top of the built-in ones: `header:NAME`, `cookie:NAME`, `field:NAME` (query, form, multipart, JSON
 * and XML), `keep:NAME` (never masked, wherever it stands). `*` in a name stands for anything.
 * @throws MeshError MESH_ERR_USAGE for any other form.
 */
export function compileRules(texts: readonly string[], where = '--mask'): MaskRules {
  type Pattern = (name: string) => boolean
  const names = { header: [] as Pattern[], cookie: [] as Pattern[], field: [] as Pattern[], keep: [] as Pattern[] }
  for (const text of texts) {
    const [, kind, name] = /^(header|cookie|field|keep):(\S+)$/.exec(text) ?? []
    if (name === undefined || (kind !== 'header' && kind !== 'cookie' && kind !== 'field' && kind !== 'keep')) {
      throw new MeshError('MESH_ERR_USAGE', {
        what: `expected header:NAME, cookie:NAME, field:NAME or keep:NAME, found "${text}"`,
        where,
      })
    }
    names[kind].push(compileWildcard(name))
  }
  const listed = (patterns: readonly Pattern[], name: string): boolean => patterns.some((pattern) => pattern(name))
  const kept = (name: string): boolean => listed(names.keep, name)
  const known = new Map<string, HeaderMask | undefined>()
  const fields = new Map<string, boolean>()
  return {
    headerMask(name, choose) {
      const before = known.get(name)
      if (before !== undefined || known.has(name)) return before
      const lower = name.trim().toLowerCase()
      const mask = choose(lower, !kept(lower) && (isSecretName(lower) || listed(names.header, lower)))
      remember(known, name, mask)
      return mask
    },
    cookie: (name) => !kept(name),
    field(name) {
      const before = fields.get(name)
      if (before !== undefined) return before
      const secret = !kept(name) && (isSecretName(name) || listed(names.field, name))
      remember(fields, name, secret)
      return secret
    },
    mayHoldSecret: (json) => names.field.length > 0 || mayNameSecretInJson(json),
    mayNameSecret: (text) => names.field.length > 0 || mayNameSecret(text),
  }
}

/** Keeps a copy of the name: it may be a slice of a whole message, which it would keep in memory. */
function remember<Verdict>(verdicts: Map<string, Verdict>, name: string, verdict: Verdict): void {
  if (verdicts.size >= MAX_KNOWN_NAMES || name.length > MAX_KNOWN_NAME_CHARS) return
  verdicts.set(Buffer.from(name, 'utf16le').toString('utf16le'), verdict)
}
