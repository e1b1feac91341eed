import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { MeshError } from '../core/errors.ts'
import type { Config } from './config.ts'
import type { ExitCode } from './exit-codes.ts'
import type { FlagTable, FlagValues } from './flags.ts'
import { addFlags, readFlags, switchFlag, textFlag } from './flags.ts'
import type { Terminal } from './terminal.ts'
import { processTerminal } from './terminal.ts'
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
  /** Words that are not flags, as the help shows them: `<file...>`, `[file...]`. */
  readonly words?: string
  /** The section of the config file; by default the verb's own name. */
  readonly section?: string
  readonly flags: Table
  run(input: VerbInput<Table>): Promise<ExitCode>
}

/** Flags that every verb has. */
const COMMON_FLAGS = {
  quiet: switchFlag(['q', 'quiet'], 'say nothing but results, warnings and errors'),
  config: textFlag('config', '<file>', `settings file (default ${CONFIG_FILE} in the working directory)`),
}

/** Receives the exit code of the verb that ran. */
export type Finish = (code: ExitCode) => void

/** Makes commander's command of a verb. */
export function commandOf<Table extends FlagTable>(verb: Verb<Table>, finish: Finish): Command {
  const command = new Command(verb.name).description(verb.summary).exitOverride().showSuggestionAfterError()
  command.configureOutput({ outputError: (text, write) => write(usageLine(text)) })
  if (verb.words !== undefined) command.argument(verb.words)
  command.allowExcessArguments(false)
  addFlags(command, verb.flags)
  addFlags(command, COMMON_FLAGS)
  const examples = verb.examples.map((example) => `  ${example}\n`).join('')
  command.addHelpText('before', `Examples:\n${examples}`)
  command.action(async () => {
    const common = readFlags(command, COMMON_FLAGS, process.env, undefined)
    const config = await loadConfig(common.config)
    const section = config?.sections[verb.section ?? verb.name]
    checkSection(section, verb, config)
    const file = config === undefined || section === undefined ? undefined : { file: config.file, values: section }
    finish(
      await verb.run({
        flags: readFlags(command, verb.flags, process.env, file),
        words: command.args,
        terminal: processTerminal(common.quiet),
        config,
      }),
    )
  })
  return command
}

/** Most runs have no such file, and need not wait for what reads it. */
async function loadConfig(path: string | undefined): Promise<Config | undefined> {
  if (path === undefined && !existsSync(CONFIG_FILE)) return undefined
  const { readConfig } = await import('./config.ts')
  return readConfig(path ?? CONFIG_FILE)
}

/** A section may serve several verbs (`capture`), so a name is wrong only where it looks like none of a flag's. */
function checkSection(section: object | undefined, verb: Verb<FlagTable>, config: Config | undefined): void {
  if (section === undefined || verb.section !== undefined) return
  const known = new Set(Object.values(verb.flags).map((flag) => flag.name))
  const unknown = Object.keys(section).find((name) => !known.has(name))
  if (unknown === undefined) return
  throw new MeshError('MESH_ERR_USAGE', {
    what: `unknown setting "${unknown}"`,
    where: `${config?.file ?? CONFIG_FILE}: ${verb.name}`,
    remedy: `settings are named as the flags of mesh ${verb.name} --help`,
  })
}
