import { MessageBuilder } from '../../../wire/postgres/message-builder.ts'

/**
 * The settings under which a passed statement may run on production, in lower case: those that change how values are read and
 * written, and where names are looked up. No other can be set through the gate: neither role nor access mode nor any limit.
 */
export const REPLAYED_SETTINGS: ReadonlySet<string> = new Set([
  'application_name',
  'bytea_output',
  'client_encoding',
  'datestyle',
  'default_text_search_config',
  'extra_float_digits',
  'intervalstyle',
  'lc_monetary',
  'lc_numeric',
  'lc_time',
  'search_path',
  'timezone',
  'xmlbinary',
  'xmloption',
])

/** Name and value of each setting that differs from the role's own on production. Never changed: what is made of it is kept by it. */
export type SessionSettings = ReadonlyMap<string, string>

/** The first setting that must not be sent to production, if there is one. */
export function unknownSetting(settings: SessionSettings): string | undefined {
  for (const name of settings.keys()) if (!REPLAYED_SETTINGS.has(name.toLowerCase())) return name
  return undefined
}

const keys = new WeakMap<SessionSettings, string>()

/** Equal for equal settings; '' where there are none. */
export function settingsKey(settings: SessionSettings): string {
  let key = keys.get(settings)
  if (key === undefined) keys.set(settings, (key = settings.size === 0 ? '' : JSON.stringify([...settings])))
  return key
}

/** One SELECT that sets settings for the transaction. */
export interface SettingsCommand {
  /** Names and values are its parameters. */
  readonly text: string
  /** Of its Bind message. */
  readonly bindTail: Uint8Array
}

const commands = new WeakMap<SessionSettings, WeakMap<SessionSettings, SettingsCommand | typeof NOTHING>>()

/** For all settings of both; undefined where there are none. */
export function settingsCommand(settings: SessionSettings, limits: SessionSettings): SettingsCommand | undefined {
  let ofLimits = commands.get(settings)
  if (ofLimits === undefined) commands.set(settings, (ofLimits = new WeakMap()))
  let command = ofLimits.get(limits)
  if (command === undefined) ofLimits.set(limits, (command = commandOf(new Map([...settings, ...limits])) ?? NOTHING))
  return command === NOTHING ? undefined : command
}

const NOTHING = 'nothing'

function commandOf(settings: SessionSettings): SettingsCommand | undefined {
  if (settings.size === 0) return undefined
  const tail = new MessageBuilder().int16(0).count(2 * settings.size)
  for (const [name, value] of settings) tail.value(name).value(value)
  return { text: settingsText(settings.size), bindTail: tail.int16(0).finish() }
}

function settingsText(count: number): string {
  const calls = Array.from({ length: count }, (_, index) => {
    return `pg_catalog.set_config($${2 * index + 1}, $${2 * index + 2}, true)`
  })
  return `SELECT ${calls.join(', ')}`
}
