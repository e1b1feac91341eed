/**
 * PostgreSQL 18's own parser (libpg-query, compiled to WebAssembly). The only file that knows it: its instance, its
 * errors, its byte offsets.
 */
import { createRequire } from 'node:module'
import { dirname } from 'node:path'

import { MeshError } from '../../../core/errors.ts'
import { elideConstants } from './elision.ts'
import type { SyntaxTree } from './node.ts'
import { fieldOf, isTree, listOf, numberOf } from './node.ts'
import { utf8Offsets } from './offsets.ts'
import type { SyntaxFailure } from './statement.ts'
import { TextCache } from './text-cache.ts'
import { Tokens } from './tokens.ts'

/** Trees are some 40 times their text; 64 MiB hold about ten thousand statements of a service. */
const MAX_CACHE_BYTES = 64 << 20
/** A statement of about 25 KB. Longer ones are batches, seldom sent twice. */
const MAX_CACHE_ENTRY_BYTES = 1 << 20
/** An estimate, from heaps measured over texts of 50 B to 10 KB. */
const TREE_BYTES_PER_CHARACTER = 40
/** Below this parsing is fast enough as it is. */
const MIN_ELIDED_CHARACTERS = 16 << 10
/** Half a second of parsing and planning and more, which no other client can use. */
const MAX_PARSED_TOKENS = 100_000
/** PostgreSQL's own operators have four at most, and no operator more than 63. */
const MAX_OPERATOR_RUN = 1000
/** What a parser whose stack overflowed may still be asked, while its successor loads. It was seen to die after 35. */
const MAX_OVERFLOWS = 8

/** A raw statement and where it stands: `start` and `end` are UTF-16, blanks and comments before it included. */
export interface RawStatement {
  readonly type: string
  readonly tree: SyntaxTree
  readonly start: number
  readonly end: number
}

export interface ParsedTree {
  readonly failure: false
  readonly text: string
  readonly tokens: Tokens
  readonly statements: readonly RawStatement[]
  /** From a location in the tree to a UTF-16 offset in the text. */
  offsetOf(location: number): number
}

/** The shape that we need of the library. */
interface Library {
  loadModule(): Promise<void>
  parseSync(text: string): unknown
}

interface Instance {
  readonly library: Library
  overflows: number
}

const require = createRequire(import.meta.url)
const cache = new TextCache<ParsedTree>({ maxBytes: MAX_CACHE_BYTES, maxEntryBytes: MAX_CACHE_ENTRY_BYTES })
let current: Instance | undefined
let spare: Instance | undefined
let loading: Promise<void> | undefined

/** Loads the parser, once for the process; to be awaited before the first `parseSql`. */
export async function loadParser(): Promise<void> {
  if (current !== undefined) return
  await (loading ??= freshInstance().then((instance) => {
    current = instance
    loading = undefined
  }))
  loadSpare()
}

/**
 * The tree of a text, from the cache where it was parsed before. Fails as PostgreSQL would, and with limits of ours:
 * 54001 for nesting that overflows the stack, 54000 for a text that would take too long.
 */
export function parseSql(text: string): ParsedTree | SyntaxFailure {
  const known = cache.get(text)
  if (known !== undefined) return known
  const parsed = parseText(text)
  if (!parsed.failure) cache.set(text, parsed, 1000 + text.length * TREE_BYTES_PER_CHARACTER)
  return parsed
}

function parseText(text: string): ParsedTree | SyntaxFailure {
  const nul = text.indexOf('\0')
  if (nul !== -1) {
    return { failure: true, code: '22021', message: 'invalid byte sequence for encoding "UTF8": 0x00' }
  }
  const tokens = new Tokens(text)
  if (tokens.count === 0) return { failure: false, text, tokens, statements: [], offsetOf: (location) => location }
  const elided = text.length < MIN_ELIDED_CHARACTERS ? { text, tokenCount: tokens.count } : elideConstants(tokens)
  if (elided.tokenCount > MAX_PARSED_TOKENS) return tooLong(elided.tokenCount)
  if (tokens.longestRun > MAX_OPERATOR_RUN) return tooManySigns(tokens.longestRun)
  const readable = withoutJoints(elided.text, tokens.joints)
  const result = runParser(readable)
  if (result.failure) return result
  const offsetOf = utf8Offsets(readable)
  return { failure: false, text, tokens, statements: rawStatements(result.tree, text, offsetOf), offsetOf }
}

/**
 * A comment may stand between parts of one string; libpg-query, which makes tokens of comments, does not allow it. It reads one that
 * nests in a time that grows with the square of its length.
 */
function withoutJoints(text: string, joints: readonly number[]): string {
  const pieces: string[] = []
  let copied = 0
  for (let at = 0; at < joints.length; at += 2) {
    const [start = 0, end = 0] = [joints[at], joints[at + 1]]
    pieces.push(text.slice(copied, start), ' '.repeat(end - start))
    copied = end
  }
  return pieces.length === 0 ? text : pieces.join('') + text.slice(copied)
}

function tooLong(tokens: number): SyntaxFailure {
  return {
    failure: true,
    code: '54000',
    message: `the statement has ${tokens} tokens besides lists of constants, more than ${MAX_PARSED_TOKENS}`,
    hint: 'Send it in parts, or use COPY.',
  }
}

function tooManySigns(characters: number): SyntaxFailure {
  return {
    failure: true,
    code: '54000',
    message: `the statement has ${characters} characters of operators in a row, more than ${MAX_OPERATOR_RUN}`,
    hint: 'Put blanks between them.',
  }
}

function rawStatements(result: SyntaxTree, text: string, offsetOf: (byte: number) => number): RawStatement[] {
  const statements: RawStatement[] = []
  for (const raw of listOf(result, 'stmts')) {
    const tree = isTree(raw) ? fieldOf(raw, 'stmt') : undefined
    const type = tree === undefined ? undefined : Object.keys(tree)[0]
    const body = tree === undefined || type === undefined ? undefined : fieldOf(tree, type)
    if (!isTree(raw) || type === undefined || body === undefined) continue
    const start = numberOf(raw, 'stmt_location')
    const length = numberOf(raw, 'stmt_len')
    const end = length === 0 ? text.length : offsetOf(start + length)
    statements.push({ type, tree: body, start: offsetOf(start), end })
  }
  return statements
}

function runParser(text: string): { readonly failure: false; readonly tree: SyntaxTree } | SyntaxFailure {
  const instance = current
  if (instance === undefined) {
    throw new MeshError('MESH_ERR_INTERNAL', { what: 'the SQL parser is used before loadParser() is done' })
  }
  if (instance.overflows >= MAX_OVERFLOWS) return tooDeep('The parser is being restarted: try again.')
  try {
    const tree = instance.library.parseSync(text)
    return { failure: false, tree: isTree(tree) ? tree : {} }
  } catch (error) {
    if (isWasmFault(error)) {
      replaceInstance(instance)
      return tooDeep('Break the statement into smaller parts.')
    }
    return syntaxFailure(error)
  }
}

function tooDeep(hint: string): SyntaxFailure {
  return { failure: true, code: '54001', message: 'stack depth limit exceeded', hint }
}

/** An overflow leaves the stack pointer of the instance where it was: it must not be used for long. */
function isWasmFault(error: unknown): boolean {
  return error instanceof RangeError || (error instanceof Error && error.name === 'RuntimeError')
}

function replaceInstance(broken: Instance): void {
  broken.overflows++
  if (spare !== undefined) {
    current = spare
    spare = undefined
  }
  loadSpare()
}

/** Gets a spare ready in the background; where the current one has overflowed, the spare takes its place at once. */
function loadSpare(): void {
  if (loading !== undefined || spare !== undefined) return
  loading = freshInstance().then(
    (instance) => {
      loading = undefined
      spare = instance
      if (current !== undefined && current.overflows > 0) replaceWithSpare()
    },
    () => {
      loading = undefined
    },
  )
}

function replaceWithSpare(): void {
  current = spare
  spare = undefined
  loadSpare()
}

/** A library of its own memory: required anew, for it keeps its one instance in a variable of the module. */
async function freshInstance(): Promise<Instance> {
  const entry = require.resolve('libpg-query')
  for (const file of Object.keys(require.cache)) {
    if (dirname(file) === dirname(entry)) delete require.cache[file]
  }
  const library: unknown = require(entry)
  if (!isLibrary(library)) {
    throw new MeshError('MESH_ERR_INTERNAL', {
      what: 'libpg-query has no parseSync: not the version this is built for',
    })
  }
  await library.loadModule()
  return { library, overflows: 0 }
}

function isLibrary(value: unknown): value is Library {
  if (typeof value !== 'object' || value === null) return false
  return 'parseSync' in value && typeof value.parseSync === 'function' && 'loadModule' in value
}

/** What the parser says, with the SQLSTATE that PostgreSQL's grammar and scanner give it. */
function syntaxFailure(error: unknown): SyntaxFailure {
  const message = error instanceof Error ? error.message : String(error)
  const at = cursorOf(error)
  return { failure: true, code: syntaxCode(message), message, ...(at === undefined ? {} : { position: at + 1 }) }
}

function cursorOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('sqlDetails' in error)) return undefined
  const details = error.sqlDetails
  if (typeof details !== 'object' || details === null || !('cursorPosition' in details)) return undefined
  return typeof details.cursorPosition === 'number' ? details.cursorPosition : undefined
}

/** gram.y and scan.l raise little else than 42601: features that are not there, and characters that are none. */
function syntaxCode(message: string): string {
  if (/not (?:yet )?(?:implemented|supported)|no longer supported/.test(message)) return '0A000'
  if (/invalid Unicode (?:escape|surrogate)/.test(message)) return '42601'
  if (/invalid byte sequence/.test(message)) return '22021'
  if (/unsafe use of/.test(message)) return '22P06'
  return '42601'
}
