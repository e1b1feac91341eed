import { equalBytes } from '../../../core/bytes.ts'
import { type PgField, readRowDescription, rowDescription } from '../../../wire/postgres/backend.ts'
import type { SideTable } from './side-catalog.ts'

/** FirstNormalObjectId (transam.h): the types below have the same oids everywhere. */
const FIRST_USER_OID = 16_384

/** Descriptions that are remembered: some hundred bytes each. */
const MAX_KNOWN = 1000

/** Turns production's RowDescriptions into the overlay's: tables and columns have numbers of their own on each side. */
export class DescriptionMap {
  /** By production's oid, then its column's number: the overlay's. */
  readonly #tables = new Map<number, { readonly oid: number; readonly columns: ReadonlyMap<number, number> }>()
  /** By the text of a statement. */
  readonly #known = new Map<string, { readonly theirs: Uint8Array; readonly own: Uint8Array }>()

  /** Pairs of a table of production's and the same of the overlay's. */
  constructor(pairs: readonly (readonly [theirs: SideTable, own: SideTable])[]) {
    for (const [theirs, own] of pairs) {
      const numbers = new Map(own.columns.map(({ name, number }) => [name, number]))
      const columns = new Map(theirs.columns.map(({ name, number }) => [number, numbers.get(name) ?? 0]))
      this.#tables.set(theirs.oid, { oid: own.oid, columns })
    }
  }

  /** The overlay's message for one of production's; undefined where it tells of something that the overlay has not. */
  map(text: string, message: Uint8Array): Uint8Array | undefined {
    const known = this.#known.get(text)
    if (known !== undefined && equalBytes(known.theirs, message)) return known.own
    const fields: PgField[] = []
    for (const field of readRowDescription(message.subarray(5))) {
      const mapped = this.#mapField(field)
      if (mapped === undefined) return undefined
      fields.push(mapped)
    }
    const own = rowDescription(fields)
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.set(text, { theirs: Uint8Array.from(message), own })
    return own
  }

  #mapField(field: PgField): PgField | undefined {
    if (field.typeOid >= FIRST_USER_OID) return undefined
    if (field.tableOid === 0) return field
    const table = this.#tables.get(field.tableOid)
    const column = table?.columns.get(field.column) ?? 0
    return table === undefined || column === 0 ? undefined : { ...field, tableOid: table.oid, column }
  }
}
