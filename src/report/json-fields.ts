import { MeshError } from '../core/errors.ts'

/**
 * One object of a JSON file, read by hand. Every getter throws `MESH_ERR_FILE_CORRUPT` with what was expected, what was found,
 * and the path to it (`run.json: routes[3].replayed.shots`).
 */
export class JsonFields {
  readonly #where: string
  readonly #fields: ReadonlyMap<string, unknown>

  constructor(value: unknown, where: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw mismatch('an object', value, where)
    this.#where = where
    this.#fields = new Map(Object.entries(value))
  }

  text(name: string): string {
    const value = this.#fields.get(name)
    return typeof value === 'string' ? value : this.#refuse('a text', name)
  }

  textOrNull(name: string): string | null {
    return this.#fields.get(name) === null ? null : this.text(name)
  }

  oneOf<Name extends string>(name: string, names: readonly Name[]): Name {
    const value = this.#fields.get(name)
    return names.find((known) => known === value) ?? this.#refuse(`one of ${names.join(', ')}`, name)
  }

  flag(name: string): boolean {
    const value = this.#fields.get(name)
    return typeof value === 'boolean' ? value : this.#refuse('true or false', name)
  }

  number(name: string): number {
    return numberAt(this.#fields.get(name), this.#at(name))
  }

  /** Several numbers, by their names. */
  numbers<Name extends string>(...names: readonly Name[]): Readonly<Record<Name, number>> {
    return byName(names, (name) => this.number(name))
  }

  /** Several texts, by their names. */
  texts<Name extends string>(...names: readonly Name[]): Readonly<Record<Name, string>> {
    return byName(names, (name) => this.text(name))
  }

  numberOrNull(name: string): number | null {
    return this.#fields.get(name) === null ? null : this.number(name)
  }

  /** A number, or one certain word in its place. */
  numberOr<Word extends string>(name: string, word: Word): number | Word {
    return this.#fields.get(name) === word ? word : this.number(name)
  }

  /** Undefined where it is not there. */
  optionalNumber(name: string): number | undefined {
    return this.#fields.has(name) ? this.number(name) : undefined
  }

  object(name: string): JsonFields {
    return new JsonFields(this.#fields.get(name), this.#at(name))
  }

  has(name: string): boolean {
    return this.#fields.has(name)
  }

  /** Undefined where it is not there. */
  optionalObject(name: string): JsonFields | undefined {
    return this.#fields.has(name) ? this.object(name) : undefined
  }

  objectOrNull(name: string): JsonFields | null {
    return this.#fields.get(name) === null ? null : this.object(name)
  }

  list<Item>(name: string, read: (value: unknown, where: string) => Item): readonly Item[] {
    const value: unknown = this.#fields.get(name)
    if (!Array.isArray(value)) return this.#refuse('a list', name)
    return value.map((item: unknown, index) => read(item, `${this.#at(name)}[${index}]`))
  }

  /** Empty where it is not there. */
  optionalList<Item>(name: string, read: (value: unknown, where: string) => Item): readonly Item[] {
    return this.#fields.has(name) ? this.list(name, read) : []
  }

  /** An object all of whose values are alike. */
  record<Item>(name: string, read: (value: unknown, where: string) => Item): Readonly<Record<string, Item>> {
    const fields = this.object(name)
    return Object.fromEntries([...fields.#fields].map(([key, value]) => [key, read(value, `${fields.#where}.${key}`)]))
  }

  #at(name: string): string {
    return `${this.#where}${this.#where.endsWith(': ') ? '' : '.'}${name}`
  }

  #refuse(expected: string, name: string): never {
    throw mismatch(expected, this.#fields.get(name), this.#at(name))
  }
}

/** An object of these names. */
function byName<Name extends string, Value>(
  names: readonly Name[],
  read: (name: Name) => Value,
): Readonly<Record<Name, Value>> {
  const values: Partial<Record<Name, Value>> = {}
  for (const name of names) values[name] = read(name)
  const isWhole = (found: Partial<Record<Name, Value>>): found is Record<Name, Value> =>
    names.every((name) => name in found)
  if (!isWhole(values)) throw new MeshError('MESH_ERR_INTERNAL', { what: 'expected every name to be read' })
  return values
}

export function numberAt(value: unknown, where: string): number {
  if (typeof value !== 'number') throw mismatch('a number', value, where)
  return value
}

export function textAt(value: unknown, where: string): string {
  if (typeof value !== 'string') throw mismatch('a text', value, where)
  return value
}

export function scalarAt(value: unknown, where: string): string | number | boolean {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  throw mismatch('a text, a number, true or false', value, where)
}

const MAX_SHOWN_CHARS = 40

function mismatch(expected: string, found: unknown, where: string): MeshError {
  const shown = found === undefined ? 'nothing' : JSON.stringify(found)
  const short = shown.length > MAX_SHOWN_CHARS ? `${shown.slice(0, MAX_SHOWN_CHARS)}…` : shown
  return new MeshError('MESH_ERR_FILE_CORRUPT', { what: `expected ${expected}, found ${short}`, where })
}
