import type { SessionSettings } from './settings.ts'

/** One command of postgres_fdw, as its `connection.c` and `postgres_fdw.c` write it. */
export type FdwCommand =
  | { readonly kind: 'set'; readonly name: string; readonly value: string }
  | { readonly kind: 'start'; readonly isSerializable: boolean }
  | { readonly kind: 'commit' | 'abort' }
  /** Of one statement, or of all. */
  | { readonly kind: 'deallocate'; readonly name?: string }
  | { readonly kind: 'truncate'; readonly text: string }
  | { readonly kind: 'savepoint' | 'release' | 'rollbackTo'; readonly level: number }
  | { readonly kind: 'declare'; readonly cursor: string; readonly text: string }
  | { readonly kind: 'fetch'; readonly cursor: string; readonly count: number }
  | { readonly kind: 'close'; readonly cursor: string }
  | { readonly kind: 'explain'; readonly text: string }
  | { readonly kind: 'select'; readonly text: string }
  | { readonly kind: 'question'; readonly text: string }

/** How many levels of savepoints postgres_fdw opens: as deep as the overlay's own transaction, which has its bounds. */
const SAVEPOINT = /^(SAVEPOINT|RELEASE SAVEPOINT|ROLLBACK TO SAVEPOINT) s(\d{1,6})$/
const DECLARE = /^DECLARE (c\d{1,10}) CURSOR FOR\s+([^]+)$/
const FETCH = /^FETCH (\d{1,9}) FROM (c\d{1,10})$/
const CLOSE = /^CLOSE (c\d{1,10})$/
const DEALLOCATE = /^DEALLOCATE (pgsql_fdw_prep_\d{1,10})$/
const START =
  /^START TRANSACTION ISOLATION LEVEL (SERIALIZABLE|REPEATABLE READ)(?:,? READ ONLY)?(?:,? (?:NOT )?DEFERRABLE)?$/
/** Search path first: functions and operators of a foreign scan are those of pg_catalog, whatever else production has. */
const SET =
  /^SET (?:(search_path) = (pg_catalog)|(timezone|datestyle|intervalstyle|extra_float_digits) = '?([\w/+:-]{1,64})'?)$/i

/** Not postgres_fdw's: functions of the overlay ask mesh something by it, over a connection of their own. */
export const QUESTION = 'MESH '

/**
 * The commands in a text, or undefined where it is none of postgres_fdw's. It sends one at a time, but for the pair that undoes a
 * subtransaction.
 */
export function readFdwCommands(text: string): readonly FdwCommand[] | undefined {
  const pair = /^(ROLLBACK TO SAVEPOINT s\d{1,6}); (RELEASE SAVEPOINT s\d{1,6})$/.exec(text)
  const parts = pair === null ? [text] : pair.slice(1)
  const commands = parts.map(readFdwCommand)
  return commands.every((command) => command !== undefined) ? commands : undefined
}

/** A text that is a single command. */
export function readFdwCommand(text: string): FdwCommand | undefined {
  if (text.startsWith(QUESTION)) return { kind: 'question', text: text.slice(QUESTION.length) }
  switch (text) {
    case 'COMMIT TRANSACTION':
      return { kind: 'commit' }
    case 'ABORT TRANSACTION':
      return { kind: 'abort' }
    case 'DEALLOCATE ALL':
      return { kind: 'deallocate' }
    default:
      return readCursorCommand(text) ?? readSessionCommand(text)
  }
}

function readCursorCommand(text: string): FdwCommand | undefined {
  const fetch = FETCH.exec(text)
  if (fetch !== null) return { kind: 'fetch', count: Number(fetch[1]), cursor: fetch[2] ?? '' }
  const declare = DECLARE.exec(text)
  if (declare !== null) return { kind: 'declare', cursor: declare[1] ?? '', text: declare[2] ?? '' }
  const close = CLOSE.exec(text)
  if (close !== null) return { kind: 'close', cursor: close[1] ?? '' }
  if (text.startsWith('EXPLAIN SELECT ')) return { kind: 'explain', text: text.slice('EXPLAIN '.length) }
  return /^SELECT\s/.test(text) ? { kind: 'select', text } : undefined
}

const SAVEPOINT_KINDS = {
  SAVEPOINT: 'savepoint',
  'RELEASE SAVEPOINT': 'release',
  'ROLLBACK TO SAVEPOINT': 'rollbackTo',
} as const

function readSessionCommand(text: string): FdwCommand | undefined {
  const deallocated = DEALLOCATE.exec(text)?.[1]
  if (deallocated !== undefined) return { kind: 'deallocate', name: deallocated }
  if (text.startsWith('TRUNCATE ')) return { kind: 'truncate', text }
  const start = START.exec(text)
  if (start !== null) return { kind: 'start', isSerializable: start[1] === 'SERIALIZABLE' }
  const set = SET.exec(text)
  if (set !== null) {
    return { kind: 'set', name: (set[1] ?? set[3] ?? '').toLowerCase(), value: set[2] ?? set[4] ?? '' }
  }
  const savepoint = SAVEPOINT.exec(text)
  const words = savepoint?.[1]
  if (words !== 'SAVEPOINT' && words !== 'RELEASE SAVEPOINT' && words !== 'ROLLBACK TO SAVEPOINT') return undefined
  return { kind: SAVEPOINT_KINDS[words], level: Number(savepoint?.[2]) }
}

/** What postgres_fdw's session begins with, should a SET be missing: values must be read as it writes them. */
export const FDW_SETTINGS: SessionSettings = new Map([
  ['search_path', 'pg_catalog'],
  ['timezone', 'GMT'],
  ['datestyle', 'ISO'],
  ['intervalstyle', 'postgres'],
  ['extra_float_digits', '3'],
])
