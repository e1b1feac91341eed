import { MeshError } from '../core/errors.ts'
import type { Config } from './config.ts'
import { environmentName } from './flags.ts'
import { nearestName } from '../core/nearest.ts'

/** The long names of the flags of all verbs, by the section of the settings file that holds them. */
export type SettingNames = ReadonlyMap<string, readonly string[]>

/** Variables that are shown by name; a cluster that has a service called `mesh` sets dozens. */
const MAX_VARIABLES_SHOWN = 5

/** Which file the settings are in cannot be said in it. */
const NOT_IN_FILES = 'config'

/** Refuses a section with a name that no flag has. @throws MeshError MESH_ERR_USAGE with file, name and the nearest known one. */
export function checkSection({ file, sections }: Config, section: string, known: SettingNames): void {
  const names = (known.get(section) ?? []).filter((name) => name !== NOT_IN_FILES)
  const unknown = Object.keys(sections[section] ?? {}).find((name) => !names.includes(name))
  if (unknown === undefined) return
  const near = nearestName(unknown, names)
  throw new MeshError('MESH_ERR_USAGE', {
    what: `unknown setting "${unknown}"`,
    where: `${file}: ${section}`,
    remedy: near === undefined ? `settings are named as the flags of mesh ${section} --help` : `did you mean ${near}?`,
  })
}

/** Variables that are set, are called like ours, and are not those of these flags. */
export function foreignVariables(environment: NodeJS.ProcessEnv, flagNames: Iterable<string>): readonly string[] {
  const known = new Set([...flagNames].map(environmentName))
  return Object.keys(environment)
    .filter((name) => name.startsWith('MESH_') && environment[name] !== '' && !known.has(name))
    .sort()
}

/** What to say of variables that no verb reads: a line for each that looks mistyped, and one for the others. */
export function variableWarnings(foreign: readonly string[], known: SettingNames): readonly string[] {
  const variables = [...new Set([...known.values()].flat())].map(environmentName)
  const lines: string[] = []
  const strangers: string[] = []
  for (const name of foreign) {
    const near = nearestName(name, variables)
    if (near === undefined) strangers.push(name)
    else lines.push(`${name} is not a setting of mesh; did you mean ${near}?`)
  }
  const shown = strangers.slice(0, MAX_VARIABLES_SHOWN).join(', ')
  const more = strangers.length > MAX_VARIABLES_SHOWN ? ` and ${strangers.length - MAX_VARIABLES_SHOWN} more` : ''
  if (strangers.length > 0)
    lines.push(`${shown}${more} ${strangers.length === 1 ? 'is not a setting' : 'are not settings'} of mesh`)
  return lines
}
