import type { TableShape } from './table-shape.ts'

/** Tables by the foreign keys between them. */
export class TableFamily {
  readonly #byOid: ReadonlyMap<number, TableShape>
  readonly #children = new Map<number, TableShape[]>()

  constructor(tables: readonly TableShape[]) {
    this.#byOid = new Map(tables.map((table) => [table.oid, table]))
    for (const table of tables) {
      for (const parentOid of new Set(table.foreignKeys.map((key) => key.parentOid))) {
        const children = this.#children.get(parentOid)
        if (children === undefined) this.#children.set(parentOid, [table])
        else children.push(table)
      }
    }
  }

  /** A table by its `oid`; undefined where it is not merged. */
  table(oid: number): TableShape | undefined {
    return this.#byOid.get(oid)
  }

  /** Tables with a foreign key to this one; it may be one of them. */
  childrenOf({ oid }: TableShape): readonly TableShape[] {
    return this.#children.get(oid) ?? []
  }
}
