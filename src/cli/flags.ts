import { type Command, Option } from 'commander'
import { MeshError } from '../core/errors.ts'
import type { Endpoint } from '../core/segment.ts'
import {
  parseAddress,
  parseCount,
  parseDurationNs,
  parseMultiplier,
  parseRatePerSecond,
  parseShare,
  parseSizeBytes,
} from '../core/units.ts'

/** One flag: how it is written, what it means, how its text becomes a value. `where` names its origin in an error. */
export interface Flag<Value> {
  readonly name: string
  readonly short?: string
  /** What stands behind it in the help, `<size>`; a switch has none. */
  readonly placeholder?: string
  readonly about: string
  readonly fallback: Value
  /** Reads the texts that were given, one or several. */
  readonly read: (texts: readonly string[], where: string) => Value
  readonly many: boolean
}

/** A verb's flags, by the name that its code uses for them. */
export type FlagTable = { readonly [key: string]: Flag<unknown> }

/** Flags under the headings of a verb's help, in the order in which it shows them. */
export type FlagGroups<Table extends FlagTable> = Readonly<Record<string, readonly (keyof Table & string)[]>>

/** The values of a table's flags. */
export type FlagValues<Table extends FlagTable> = {
  readonly [Key in keyof Table]: Table[Key] extends Flag<infer Value> ? Value : never
}

/** How a flag is written: `--max-body`, or with a short form `-o, --output`. */
type Spelling = string | readonly [short: string, name: string]

function spelled(spelling: Spelling): { name: string; short?: string } {
  return typeof spelling === 'string' ? { name: spelling } : { short: spelling[0], name: spelling[1] }
}

function single<Value>(
  spelling: Spelling,
  placeholder: string,
  about: string,
  parse: (text: string, where: string) => Value,
): Flag<Value | undefined> {
  const read = (texts: readonly string[], where: string): Value => parse(texts.at(-1) ?? '', where)
  return { ...spelled(spelling), placeholder, about, fallback: undefined, many: false, read }
}

/** Gives a flag a value for when it is not set; the help shows it. */
export function withDefault<Value>(flag: Flag<Value | undefined>, text: string): Flag<Value> {
  const value = flag.read([text], 'default')
  if (value === undefined) throw new MeshError('MESH_ERR_INTERNAL', { what: `no default for --${flag.name}` })
  const read = (texts: readonly string[], where: string): Value => flag.read(texts, where) ?? value
  return { ...flag, about: `${flag.about} (default ${text})`, fallback: value, read }
}

export function switchFlag(spelling: Spelling, about: string): Flag<boolean> {
  const read = (texts: readonly string[], where: string): boolean => {
    const text = texts.at(-1) ?? 'true'
    if (['true', '1', 'yes', 'on', ''].includes(text)) return true
    if (['false', '0', 'no', 'off'].includes(text)) return false
    throw new MeshError('MESH_ERR_UNIT', { what: `expected true or false, found "${text}"`, where })
  }
  return { ...spelled(spelling), about, fallback: false, many: false, read }
}

export function textFlag(spelling: Spelling, placeholder: string, about: string): Flag<string | undefined> {
  return single(spelling, placeholder, about, (text) => text)
}

export function listFlag(spelling: Spelling, placeholder: string, about: string): Flag<readonly string[]> {
  return { ...spelled(spelling), placeholder, about, fallback: [], many: true, read: (texts) => texts }
}

export function choiceFlag<Choice extends string>(
  spelling: Spelling,
  choices: readonly Choice[],
  about: string,
): Flag<Choice | undefined> {
  return single(spelling, `<${choices.join('|')}>`, about, (text, where) => {
    const choice = choices.find((known) => known === text)
    if (choice !== undefined) return choice
    throw new MeshError('MESH_ERR_USAGE', { what: `expected ${choices.join(', ')}, found "${text}"`, where })
  })
}

/** Refuses zero: as a rate, a time to wait or a size it would mean "never". */
function aboveZero(parse: (text: string, where: string) => number): (text: string, where: string) => number {
  return (text, where) => {
    const value = parse(text, where)
    if (value > 0) return value
    throw new MeshError('MESH_ERR_UNIT', { what: `expected more than zero, found "${text}"`, where })
  }
}

export const spanFlag = (spelling: Spelling, about: string): Flag<number | undefined> =>
  single(spelling, '<duration>', about, aboveZero(parseDurationNs))
/** A time between two looks at something, of at least a second. */
export const intervalFlag = (spelling: Spelling, about: string): Flag<number | undefined> =>
  single(spelling, '<duration>', about, (text, where) => {
    const ns = parseDurationNs(text, where)
    if (ns >= 1e9 && ns <= 3600e9) return ns
    throw new MeshError('MESH_ERR_UNIT', { what: `expected 1s to 1h, found "${text}"`, where })
  })
export const durationFlag = (spelling: Spelling, about: string): Flag<number | undefined> =>
  single(spelling, '<duration>', about, parseDurationNs)
export const rateFlag = (spelling: Spelling, about: string): Flag<number | undefined> =>
  single(spelling, '<rate>', about, aboveZero(parseRatePerSecond))
export const multiplierFlag = (spelling: Spelling, about: string): Flag<number | undefined> =>
  single(spelling, '<factor>', about, parseMultiplier)
export const shareFlag = (spelling: Spelling, about: string): Flag<number | undefined> =>
  single(spelling, '<share>', about, parseShare)
export const sizeFlag = (spelling: Spelling, about: string): Flag<number | undefined> =>
  single(spelling, '<size>', about, aboveZero(parseSizeBytes))
export const countFlag = (spelling: Spelling, about: string, least = 1, most?: number): Flag<number | undefined> =>
  single(spelling, '<n>', about, (text, where) => parseCount(text, where, least, most))
/** What `:8080` means where something listens; `[::]:8080` is all addresses, IPv6 too. */
const ANY_IPV4 = '0.0.0.0'

/** An address to listen on: without a host, all IPv4 addresses of this machine. */
export const listenFlag = (spelling: Spelling, about: string): Flag<Endpoint | undefined> =>
  single(spelling, '<[host:]port>', `${about}; without a host, all IPv4 addresses`, (text, where) =>
    parseAddress(text, where, ANY_IPV4),
  )
/** An address to connect to: without a host, this machine. */
export const addressFlag = (spelling: Spelling, about: string): Flag<Endpoint | undefined> =>
  single(spelling, '<[host:]port>', about, parseUpstream)

/** `host:port`, with host names too. */
function parseUpstream(text: string, where: string): { address: string; port: number } {
  return parseAddress(text.replace(/^(?:tcp|https?):\/\//, '').replace(/\/$/, ''), where)
}

/** The environment variable of a flag: `--max-body` is `MESH_MAX_BODY`. */
export function environmentName(flagName: string): string {
  return `MESH_${flagName.toUpperCase().replaceAll('-', '_')}`
}

/** Adds a table's flags to a command: those of groups in their order, then the others. */
export function addFlags<Table extends FlagTable>(command: Command, table: Table, groups?: FlagGroups<Table>): void {
  const headings = new Map<string, string>()
  for (const [heading, keys] of Object.entries(groups ?? {})) for (const key of keys) headings.set(key, heading)
  for (const key of new Set([...headings.keys(), ...Object.keys(table)])) {
    const flag = table[key]
    if (flag === undefined) continue
    const short = flag.short === undefined ? '' : `-${flag.short}, `
    const behind = flag.placeholder === undefined ? '' : ` ${flag.placeholder}`
    const option = new Option(`${short}--${flag.name}${behind}`, flag.about)
    // A name that begins with no- is a switch like any other, not the opposite of one.
    option.negate = false
    const heading = headings.get(key)
    if (heading !== undefined) option.helpGroup(heading)
    if (flag.many) option.argParser((text: string, before: unknown) => [...(isTexts(before) ? before : []), text])
    command.addOption(option)
  }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string')
}

/** Values that stand in a file, by flag name; each a text or a list of texts. */
export interface FileValues {
  readonly file: string
  readonly values: Readonly<Record<string, readonly string[]>>
}

/**
 * Reads a table's values: the flag before its environment variable before the file before the fallback.
 * @throws MeshError MESH_ERR_UNIT or MESH_ERR_USAGE, naming the flag, variable or file that holds the wrong text.
 */
export function readFlags<Table extends FlagTable>(
  command: Command,
  table: Table,
  environment: NodeJS.ProcessEnv,
  file: FileValues | undefined,
): FlagValues<Table> {
  const values: Record<string, unknown> = {}
  for (const [key, flag] of Object.entries(table)) values[key] = readFlag(command, flag, environment, file)
  // The loop above gives each key the value of its own flag, which is what FlagValues says; the compiler cannot follow it.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return values as FlagValues<Table>
}

function readFlag<Value>(
  command: Command,
  flag: Flag<Value>,
  environment: NodeJS.ProcessEnv,
  file: FileValues | undefined,
): Value {
  const camel = flag.name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
  const given: unknown = command.getOptionValue(camel)
  if (given === true) return flag.read(['true'], `--${flag.name}`)
  if (typeof given === 'string') return flag.read([given], `--${flag.name}`)
  if (isTexts(given)) return flag.read(given, `--${flag.name}`)
  const variable = environmentName(flag.name)
  const fromEnvironment = environment[variable]
  // Shells and CI systems end a block of lines with a line end.
  const lines = flag.many ? (fromEnvironment ?? '').split(/\r?\n/).filter((line) => line.trim() !== '') : []
  if (lines.length > 0) return flag.read(lines, variable)
  if (!flag.many && fromEnvironment !== undefined && fromEnvironment !== '') {
    return flag.read([fromEnvironment], variable)
  }
  const fromFile = file?.values[flag.name]
  if (fromFile !== undefined) return flag.read(fromFile, `${file?.file ?? 'mesh.yaml'}: ${flag.name}`)
  return flag.fallback
}

/** A flag that must be given. @throws MeshError MESH_ERR_USAGE, naming it. */
export function required<Value>(value: Value | undefined, name: string, example: string): Value {
  if (value !== undefined) return value
  throw new MeshError('MESH_ERR_USAGE', { what: `--${name} is missing`, remedy: `for example ${example}` })
}
