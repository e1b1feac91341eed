import { Command } from 'commander'
import type { Caller } from './verb.ts'
import { exampleText, HELP_LAYOUT } from './help-text.ts'
import type { SettingNames } from './settings.ts'
import { writeResult } from './terminal.ts'
import { usageLine } from './usage-line.ts'
import { VERSION } from './version.ts'

type MakeCommand = (caller: Caller) => Command
type Loaders = Readonly<Record<string, () => Promise<MakeCommand>>>

/** The verbs, each loaded only where it is meant: `mesh report` should not wait for what `mesh replay` needs. */
const VERBS: Loaders = {
  inspect: async () => (await import('./inspect/inspect.ts')).inspectCommand,
  export: async () => (await import('./export.ts')).exportCommand,
  replay: async () => (await import('./replay/replay.ts')).replayCommand,
  mirror: async () => (await import('./mirror/mirror.ts')).mirrorCommand,
  report: async () => (await import('./report.ts')).reportCommand,
  demo: async () => (await import('./demo/demo.ts')).demoCommand,
}

const CAPTURE_VERBS: Loaders = {
  tap: async () => (await import('./capture/capture-tap.ts')).captureTapCommand,
  pcap: async () => (await import('./capture/capture-pcap.ts')).capturePcapCommand,
  live: async () => (await import('./capture/capture-live.ts')).captureLiveCommand,
  import: async () => (await import('./capture/capture-import.ts')).captureImportCommand,
  gor: async () => (await import('./capture/capture-gor.ts')).captureGorCommand,
}

const COW_VERBS: Loaders = {
  postgres: async () => (await import('./cow/cow-postgres.ts')).cowPostgresCommand,
  status: async () => (await import('./cow/cow-status.ts')).cowStatusCommand,
  diff: async () => (await import('./cow/cow-diff.ts')).cowDiffCommand,
  reset: async () => (await import('./cow/cow-reset.ts')).cowResetCommand,
  branch: async () => (await import('./cow/cow-branch.ts')).cowBranchCommand,
}

const EXAMPLES = [
  'mesh demo',
  'mesh capture tap --listen :8080 --upstream 127.0.0.1:9000 -o host-a.mcap',
  'mesh replay host-a.mcap host-b.mcap host-c.mcap --to http://canary:8080 --amplify 2',
  'mesh mirror --listen :8080 --upstream 127.0.0.1:9000 --to http://staging:8080 --compare',
  'mesh cow postgres --upstream postgres://reader@db.internal/shop',
]

const CAPTURE_EXAMPLES = [
  'mesh capture tap --listen :8080 --upstream 127.0.0.1:9000 -o shop.mcap',
  'mesh capture pcap traffic.pcap -o shop.mcap',
  'mesh capture import requests.gor -o shop.mcap',
]

const COW_EXAMPLES = [
  'mesh cow postgres --upstream postgres://reader@db.internal/shop',
  'mesh cow postgres --upstream postgres://reader@db.internal/shop --branch fix-42 --listen 127.0.0.1:5444',
  'mesh cow diff --upstream postgres://reader@db.internal/shop --branch fix-42',
]

/** Verbs that have verbs of their own. */
const GROUPS: Readonly<
  Record<string, { readonly about: string; readonly examples: readonly string[]; readonly verbs: Loaders }>
> = {
  capture: { about: 'record traffic', examples: CAPTURE_EXAMPLES, verbs: CAPTURE_VERBS },
  cow: { about: "serve production's data copy-on-write", examples: COW_EXAMPLES, verbs: COW_VERBS },
}

/** Errors of the command line look like all others, and a reader of the help may leave (`| head`). */
const OUTPUT = {
  writeOut: writeResult,
  outputError: (text: string, write: (text: string) => void): void => write(usageLine(text)),
}

/** The command line for these words. `finish` receives the exit code of the verb that runs. */
export async function buildProgram(words: readonly string[], finish: Caller['finish']): Promise<Command> {
  const program = new Command('mesh')
    .description('Record real traffic, fold many hosts onto one target, report honestly.')
    .version(VERSION)
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp(HELP_LAYOUT)
    .addHelpText('before', exampleText(EXAMPLES))
    .addHelpText('after', '\nEach command has its own: mesh replay --help')
    .configureOutput(OUTPUT)
  const caller: Caller = { finish, settingNames }
  const [verb, subverb] = words.filter((word) => word !== 'help')
  if (verb === '--version' || verb === '-V') return program
  const isKnown = verb !== undefined && (GROUPS[verb] !== undefined || VERBS[verb] !== undefined)
  for (const [name, { about, examples, verbs }] of Object.entries(GROUPS)) {
    if (isKnown && verb !== name) continue
    const group = new Command(name).description(about).exitOverride().showSuggestionAfterError()
    group.configureOutput(OUTPUT).configureHelp(HELP_LAYOUT).addHelpText('before', exampleText(examples))
    await addVerbs(group, verbs, verb === name ? subverb : undefined, caller)
    program.addCommand(group)
  }
  if (verb === undefined || GROUPS[verb] === undefined) await addVerbs(program, VERBS, verb, caller)
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
  for (const [section, loaders] of Object.entries({ ...sectionsOf(VERBS), ...groupSections() })) {
    if (sections?.includes(section) !== false) names.set(section, await flagNames(loaders))
  }
  return names
}

/** A section a verb. */
function sectionsOf(loaders: Loaders): Readonly<Record<string, Loaders>> {
  return Object.fromEntries(Object.entries(loaders).map(([verb, load]) => [verb, { [verb]: load }]))
}

/** A section for all verbs of a group. */
function groupSections(): Readonly<Record<string, Loaders>> {
  return Object.fromEntries(Object.entries(GROUPS).map(([name, { verbs }]) => [name, verbs]))
}

async function flagNames(loaders: Loaders): Promise<readonly string[]> {
  const parent = new Command()
  await addVerbs(parent, loaders, undefined, { finish: () => undefined, settingNames })
  const flags = parent.commands.flatMap(({ options }) => options.map(({ long }) => (long ?? '').replace(/^--/, '')))
  return [...new Set(flags)]
}
