import { BACKEND, commandComplete, readCommandComplete } from '../../../wire/postgres/backend.ts'
import { qualified, nameList } from '../overlay/identifiers.ts'
import type { CopyIn } from '../sql/rewriting.ts'
import type { ReplyCollector } from './reply-queue.ts'

/** The temporary table that a COPY .. FROM fills in the stead of a merged table, which row-level security lets no COPY into. */
export const COPY_TABLE = 'pg_temp."mesh copy"'

/** Makes the table: columns of the same types and nothing else, so that constraints and triggers wait for the INSERT. */
export function copyTableText({ table, columns }: CopyIn): string {
  const source = qualified(table.schema, table.name)
  return `CREATE TEMPORARY TABLE "mesh copy" AS SELECT ${nameList(columns)} FROM ${source} WITH NO DATA`
}

/** Puts the rows where they belong, as an INSERT does it: with defaults, constraints and triggers, and checked against production's rows. */
export function copyInsertTexts({ table, columns }: CopyIn): readonly string[] {
  const names = nameList(columns)
  const overriding = table.columns.some(({ identity, name }) => identity !== '' && columns.includes(name))
  return [
    `INSERT INTO ${qualified(table.schema, table.name)} (${names})${overriding ? ' OVERRIDING SYSTEM VALUE' : ''} SELECT ${names} FROM ${COPY_TABLE}`,
    `DROP TABLE ${COPY_TABLE}`,
  ]
}

/** Lets the client begin to send, and keeps from it that the first half is done. */
export class CopyCollector implements ReplyCollector {
  readonly #toClient: (bytes: Uint8Array) => void
  readonly #onBegin: () => void
  #tag: string | undefined

  constructor(toClient: (bytes: Uint8Array) => void, onBegin: () => void) {
    this.#toClient = toClient
    this.#onBegin = onBegin
  }

  message(type: number, payload: Uint8Array, bytes: Uint8Array): void {
    if (type === BACKEND.commandComplete) this.#tag = readCommandComplete(payload)
    else this.#toClient(bytes)
    if (type === BACKEND.copyInResponse) this.#onBegin()
  }

  piece(bytes: Uint8Array): void {
    this.#toClient(bytes)
  }

  /** Tells the client that all of it is done; nothing where the copy failed. */
  complete(): void {
    if (this.#tag !== undefined) this.#toClient(commandComplete(this.#tag))
  }
}
