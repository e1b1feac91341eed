import { MeshError } from '../core/errors.ts'
import { NameMemo } from '../core/name-memo.ts'
import { mayNameSecretInJson, mayNameSecretInTarget } from './name-search.ts'
import { compileWildcard, isSecretName, mayNameSecret } from './names.ts'

/** Which names hold secrets: headers, cookies, and fields (of queries, forms, JSON and XML). Case does not count. */
export interface MaskRules {
  /** Does its name, given in lower case, say that a header is a secret? Not remembered. */
  header(name: string): boolean
  cookie(name: string): boolean
  field(name: string): boolean
  /** Could a JSON text have a secret field? Never false where it has: a quick look before a thorough one. */
  mayHoldSecret(json: Uint8Array): boolean
  /** Could the target in the first `end` bytes of a head have a secret field, or a user? The same. */
  mayHoldSecretInTarget(head: Uint8Array, end: number): boolean
  /** The same of any text whose names are not escaped. */
  mayNameSecret(text: string): boolean
}

/** Names of fields that are remembered; services use some dozens. A longer one is looked at each time. */
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
  const secretNames = new NameMemo(isSecretName)
  const hasFields = names.field.length > 0
  const fields = new Map<string, boolean>()
  return {
    header: (name) => !kept(name) && (isSecretName(name) || listed(names.header, name)),
    cookie: (name) => !kept(name),
    field(name) {
      const before = fields.get(name)
      if (before !== undefined) return before
      const secret = !kept(name) && (isSecretName(name) || listed(names.field, name))
      if (fields.size < MAX_KNOWN_NAMES && name.length <= MAX_KNOWN_NAME_CHARS) {
        // A copy: the name may be a slice of a whole message, which it would keep in memory.
        fields.set(Buffer.from(name, 'utf16le').toString('utf16le'), secret)
      }
      return secret
    },
    mayHoldSecret: (json) => hasFields || mayNameSecretInJson(json, secretNames),
    mayHoldSecretInTarget: (head, end) => hasFields || mayNameSecretInTarget(head, end, secretNames),
    mayNameSecret: (text) => hasFields || mayNameSecret(text),
  }
}
