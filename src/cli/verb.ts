import { existsSync } from 'node:fs'
import { Command, Option } from 'commander'
import type { Config } from './config.ts'
import type { ExitCode } from './exit-codes.ts'
import type { FlagGroups, FlagTable, FlagValues } from './flags.ts'
import { addFlags, readFlags, switchFlag, textFlag } from './flags.ts'
import { exampleText, HELP_LAYOUT } from './help-text.ts'
import type { SettingNames } from './settings.ts'
import { checkSection, foreignVariables, variableWarnings } from './settings.ts'
import type { Terminal } from './terminal.ts'
import { processTerminal, writeResult } from './terminal.ts'
import { usageLine } from './usage-line.ts'

/** The file that holds the same settings as the flags: read from the working directory where `--config` names none. */
const CONFIG_FILE = 'mesh.yaml'

/** What a verb is given to work with. */
export interface VerbInput<Table extends FlagTable> {
  readonly flags: FlagValues<Table>
  /** Words that are not flags, in order. */
  readonly words: readonly string[]
  readonly terminal: Terminal
  readonly config: Config | undefined
}

/** One verb: its help, its flags and what it does. */
export interface Verb<Table extends FlagTable> {
  readonly name: string
  readonly summary: string
  /** Shown first in the help: what people will type. */
  readonly examples: readonly string[]
  /** Words that are not flags, as the help shows them: `<file...>`, `[file...]`, `<action> [name]`. */
  readonly words?: string
  /** The section of the config file; by default the verb's own name. */
  readonly section?: string
  readonly flags: Table
  /** How the help shows them; by default in one list. */
  readonly groups?: FlagGroups<Table>
  run(input: VerbInput<Table>): Promise<ExitCode>
}

/** Flags that every verb has. */
const COMMON_FLAGS = {
  quiet: switchFlag(['q', 'quiet'], 'say nothing but results, warnings and errors'),
  config: textFlag('config', '<file>', `settings file (default ${CONFIG_FILE} here)`),
}

/** Who runs a verb. */
export interface Caller {
  /** Receives the exit code of the verb that ran. */
  readonly finish: (code: ExitCode) => void
  /** The names of settings, of these sections or of all. Loads the verbs that have them: ask only where there is a doubt. */
  readonly settingNames: (sections?: readonly string[]) => Promise<SettingNames>
}

/** Makes commander's command of a verb. */
export function commandOf<Table extends FlagTable>(verb: Verb<Table>, caller: Caller): Command {
  const command = new Command(verb.name).description(verb.summary).exitOverride().showSuggestionAfterError()
  command.configureOutput({ writeOut: writeResult, outputError: (text, write) => write(usageLine(text)) })
  for (const word of verb.words?.split(' ') ?? []) command.argument(word)
  command.allowExcessArguments(false)
  const common = verb.groups === undefined ? undefined : 'Settings:'
  addFlags(command, verb.flags, verb.groups)
  addFlags(command, COMMON_FLAGS, common === undefined ? undefined : { [common]: ['quiet', 'config'] })
  const help = new Option('-h, --help', 'show this help')
  command.addHelpOption(common === undefined ? help : help.helpGroup(common))
  command.configureHelp(HELP_LAYOUT).addHelpText('before', exampleText(verb.examples))
  command.action(async () => {
    const common = readFlags(command, COMMON_FLAGS, process.env, undefined)
    const config = await loadConfig(common.config)
    const name = verb.section ?? verb.name
    const values = config?.sections[name]
    const file = config === undefined || values === undefined ? undefined : { file: config.file, values }
    // The section may serve several verbs (`capture`): what it may hold is what all of them take.
    if (config !== undefined && file !== undefined) checkSection(config, name, await caller.settingNames([name]))
    const { quiet } = readFlags(command, { quiet: COMMON_FLAGS.quiet }, process.env, file)
    const terminal = processTerminal(quiet)
    await warnOfVariables(verb.flags, caller, terminal)
    const flags = readFlags(command, verb.flags, process.env, file)
    caller.finish(await verb.run({ flags, words: command.args, terminal, config }))
  })
  return command
}

/** A mistyped variable would be a setting that is not in effect, unnoticed. It is no error: it may be another program's. */
async function warnOfVariables(own: FlagTable, caller: Caller, terminal: Terminal): Promise<void> {
  const ownNames = [...Object.values(own), ...Object.values(COMMON_FLAGS)].map((flag) => flag.name)
  if (foreignVariables(process.env, ownNames).length === 0) return
  const known = await caller.settingNames()
  const foreign = foreignVariables(process.env, [...known.values()].flat())
  for (const line of variableWarnings(foreign, known)) terminal.warn(`mesh: ${line}`)
}

/** Most runs have no such file, and need not wait for what reads it. */
async function loadConfig(path: string | undefined): Promise<Config | undefined> {
  if (path === undefined && !existsSync(CONFIG_FILE)) return undefined
  const { readConfig } = await import('./config.ts')
  return readConfig(path ?? CONFIG_FILE)
}
