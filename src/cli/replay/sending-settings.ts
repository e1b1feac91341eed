import { createHash } from 'node:crypto'
import { isSecretName } from '../../mask/names.ts'
import type { Config } from '../config.ts'
import type { FlagValues } from '../flags.ts'
import { MAX_TEXT_BYTES, readBytes } from '../read-text.ts'
import { headerOf, REPLAY_FLAGS, type ReplayFlags } from './replay-flags.ts'

/** Flags that decide what is sent and how, beside those that the plan tells of. Their values may be shown. */
const SHOWN_FLAGS = [
  'match',
  'between',
  'align',
  'ragged',
  'loop',
  'seed',
  'order',
  'connections',
  'maxInFlight',
  'allowWrites',
  'keepReplayed',
  'correlate',
  'keepHost',
  'pacing',
  'workers',
  'check',
] as const satisfies readonly (keyof ReplayFlags)[]

/** And those that are times. */
const TIME_FLAGS = ['warmup', 'jitter', 'timeout'] as const satisfies readonly (keyof ReplayFlags)[]

/** Flags of which it is only told that they were given: keys, and commands that print secrets. */
const GIVEN_FLAGS = ['jwtKey', 'authCommand'] as const satisfies readonly (keyof ReplayFlags)[]

/**
 * What was sent and how, by the flags' names: runs that differ in it are not comparable. What may hold a secret is a digest, of 16 bits: enough
 * to notice a change by, and too little to find a secret with. Tokens that are new in every run are no change: of a header with a
 * credential's name the value does not count.
 */
export function sendingSettings(
  flags: FlagValues<ReplayFlags>,
  config: Config | undefined,
): Readonly<Record<string, string>> {
  const settings: Record<string, string> = {}
  for (const key of SHOWN_FLAGS) {
    const value = flags[key]
    if (value !== undefined && value !== false) settings[REPLAY_FLAGS[key].name] = String(value)
  }
  for (const key of TIME_FLAGS) {
    const ns = flags[key]
    if (ns !== undefined) settings[REPLAY_FLAGS[key].name] = exactTime(ns)
  }
  for (const key of GIVEN_FLAGS) if (flags[key] !== undefined) settings[REPLAY_FLAGS[key].name] = 'given'
  if (flags.unseal.length > 0) settings[REPLAY_FLAGS.unseal.name] = 'given'
  const headers = flags.header.map(headerOf).map(({ name, value }) => {
    const lower = name.toLowerCase()
    return isSecretName(lower) && value !== '' ? lower : `${lower}: ${value}`
  })
  const rules = [...(config?.rewrite ?? []), ...flags.rewrite]
  if (headers.length > 0) settings['header'] = digestOf(JSON.stringify(headers))
  if (rules.length > 0) settings['rewrite'] = digestOf(JSON.stringify(rules))
  if (flags.hook !== undefined) settings['hook'] = digestOf(readBytes(flags.hook, MAX_TEXT_BYTES))
  if (flags.correlate !== 'off' && config !== undefined) {
    const { rules: pinned, forbid, times } = config.correlate
    if (pinned.length + forbid.length + times.length > 0) {
      settings['correlate'] = `auto, ${digestOf(JSON.stringify(config.correlate))}`
    }
  }
  return settings
}

/** `30s`, `250ms`: none of its digits is lost. */
function exactTime(ns: number): string {
  if (ns % 1e9 === 0) return `${ns / 1e9}s`
  return ns % 1e6 === 0 ? `${ns / 1e6}ms` : `${ns}ns`
}

function digestOf(content: string | Uint8Array): string {
  return `#${createHash('sha256').update(content).digest('hex').slice(0, 4)}`
}
