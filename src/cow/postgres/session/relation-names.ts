import type { RelationName, Resolved } from '../catalog.ts'
import type { Branch } from '../branch/branch.ts'
import type { StatementDetail } from '../sql/statement.ts'
import { splitNames } from '../branch/name-list.ts'

/** PostgreSQL's own default (`"$user", public`). */
const DEFAULT_SEARCH_PATH = '"$user", public'

/** What a session's names of relations mean: its search_path, its temporary tables, then the branch's relations. */
export class RelationNames {
  readonly #branch: Branch
  readonly #user: string
  readonly #temporary = new Set<string>()
  #text: string
  #schemas: readonly string[]
  #key: string

  constructor(branch: Branch, user: string, searchPath: string | undefined) {
    this.#branch = branch
    this.#user = user
    this.#text = searchPath ?? DEFAULT_SEARCH_PATH
    this.#schemas = this.#read(this.#text)
    this.#key = keyOf(this.#schemas)
  }

  /** The setting as the server reports it; reported whenever it changes (PostgreSQL 18). */
  set searchPath(text: string) {
    this.#text = text
    this.#schemas = this.#read(text)
    this.#key = keyOf(this.#schemas)
  }

  /** Two sessions with equal keys resolve every name alike: what a plan may be shared by. Empty: not to be shared. */
  get sharingKey(): string {
    return this.#temporary.size > 0 ? '' : this.#key
  }

  /** Where names are looked up, one after the other. */
  get schemas(): readonly string[] {
    return this.#schemas
  }

  /** They are those of this search_path. */
  isFor(searchPath: string): boolean {
    return searchPath === this.#text || this.#read(searchPath).join('\0') === this.#schemas.join('\0')
  }

  /** Told of each statement. A temporary table hides others of its name from now on; that it is dropped later does no harm. */
  note(detail: StatementDetail): void {
    if (detail.kind === 'ddl' && detail.ddl.temporary)
      for (const { name } of detail.ddl.names) this.#temporary.add(name)
  }

  resolve(relation: RelationName): Resolved {
    const { schema, name } = relation
    if (schema === 'pg_temp' || (schema === undefined && this.#temporary.has(name))) return 'temporary'
    if (schema !== undefined) return this.#branch.relation(schema, name) ?? 'unknown'
    if (!this.#schemas.includes('pg_catalog')) {
      const system = this.#branch.relation('pg_catalog', name)
      if (system !== undefined) return system
    }
    for (const each of this.#schemas) {
      const found = this.#branch.relation(each, name)
      if (found !== undefined) return found
    }
    return 'unknown'
  }

  #read(text: string): readonly string[] {
    return splitNames(text).map((name) => (name === '$user' ? this.#user : name))
  }
}

function keyOf(schemas: readonly string[]): string {
  return `${schemas.join('\0')}\0`
}
