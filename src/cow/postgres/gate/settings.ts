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

/** Name and value of each setting that differs from the role's own on production. */
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

/** One SELECT that sets `count` settings for the transaction; names and values are its parameters. */
export function settingsText(count: number): string {
  const calls = Array.from({ length: count }, (_, index) => {
    return `pg_catalog.set_config($${2 * index + 1}, $${2 * index + 2}, true)`
  })
  return `SELECT ${calls.join(', ')}`
}
