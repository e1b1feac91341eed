import { Command } from 'commander'
import type { Caller } from './verb.ts'
import type { SettingNames } from './settings.ts'
import { usageLine } from './usage-line.ts'
import { VERSION } from './version.ts'

type MakeCommand = (caller: Caller) => Command
type Loaders = Readonly<Record<string, () => Promise<MakeCommand>>>

/** The verbs, each loaded only where it is meant: `mesh report` should not wait for what `mesh replay` needs. */
const VERBS: Loaders = {
  inspect: async () => (await import('./inspect.ts')).inspectCommand,
  export: async () => (await import('./export.ts')).exportCommand,
  replay: async () => (await import('./replay.ts')).replayCommand,
  report: async () => (await import('./report.ts')).reportCommand,
  demo: async () => (await import('./demo.ts')).demoCommand,
}

const CAPTURE_VERBS: Loaders = {
  tap: async () => (await import('./capture-tap.ts')).captureTapCommand,
  pcap: async () => (await import('./capture-pcap.ts')).capturePcapCommand,
  live: async () => (await import('./capture-live.ts')).captureLiveCommand,
  import: async () => (await import('./capture-import.ts')).captureImportCommand,
  gor: async () => (await import('./capture-gor.ts')).captureGorCommand,
}

const EXAMPLES = `Examples:
  mesh demo
  mesh capture tap --listen :8080 --upstream 127.0.0.1:9000 -o host-a.mcap
  mesh replay host-a.mcap host-b.mcap host-c.mcap --to http://canary:8080 --amplify 2

`

const CAPTURE_EXAMPLES = `Examples:
  mesh capture tap --listen :8080 --upstream 127.0.0.1:9000 -o shop.mcap
  mesh capture pcap traffic.pcap -o shop.mcap
  mesh capture import requests.gor -o shop.mcap

`

/** Errors of the command line look like all others. */
const ERRORS = {
  outputError: (text: string, write: (text: string) => void): void => write(usageLine(text)),
}

/** The command line for these words. `finish` receives the exit code of the verb that runs. */
export async function buildProgram(words: readonly string[], finish: Caller['finish']): Promise<Command> {
  const program = new Command('mesh')
    .description('Record real traffic, fold many hosts onto one target, report honestly.')
    .version(VERSION)
    .exitOverride()
    .showSuggestionAfterError()
    .addHelpText('before', EXAMPLES)
    .configureOutput(ERRORS)
  const caller: Caller = { finish, settingNames }
  const [verb, subverb] = words.filter((word) => word !== 'help')
  if (verb === '--version' || verb === '-V') return program
  if (verb === undefined || verb === 'capture' || VERBS[verb] === undefined) {
    const group = new Command('capture').description('record traffic').exitOverride().showSuggestionAfterError()
    group.configureOutput(ERRORS).addHelpText('before', CAPTURE_EXAMPLES)
    await addVerbs(group, CAPTURE_VERBS, verb === 'capture' ? subverb : undefined, caller)
    program.addCommand(group)
  }
  if (verb !== 'capture') await addVerbs(program, VERBS, verb, caller)
  return program
}

/** Adds the verb that is meant, or all where that is not known: for the help, and for suggestions. */
async function addVerbs(parent: Command, loaders: Loaders, meant: string | undefined, caller: Caller): Promise<void> {
  const known = meant === undefined ? undefined : loaders[meant]
  const chosen = known === undefined ? Object.values(loaders) : [known]
  for (const load of chosen) parent.addCommand((await load())(caller))
}

/** The names of all settings, or of those in some sections. */
async function settingNames(sections?: readonly string[]): Promise<SettingNames> {
  const names = new Map<string, readonly string[]>()
  for (const [section, loaders] of Object.entries({ ...sectionsOf(VERBS), capture: CAPTURE_VERBS })) {
    if (sections?.includes(section) !== false) names.set(section, await flagNames(loaders))
  }
  return names
}

/** A section a verb. */
function sectionsOf(loaders: Loaders): Readonly<Record<string, Loaders>> {
  return Object.fromEntries(Object.entries(loaders).map(([verb, load]) => [verb, { [verb]: load }]))
}

async function flagNames(loaders: Loaders): Promise<readonly string[]> {
  const parent = new Command()
  await addVerbs(parent, loaders, undefined, { finish: () => undefined, settingNames })
  const flags = parent.commands.flatMap(({ options }) => options.map(({ long }) => (long ?? '').replace(/^--/, '')))
  return [...new Set(flags)]
}
