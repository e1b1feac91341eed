import { existsSync, mkdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { relative } from 'node:path'
import type { Command } from 'commander'
import { type Recorded, recordAndReplay } from './recording-act.ts'
import { Stage } from './stage.ts'
import { prepareStaging, showStaging } from './staging-act.ts'
import type { ExitCode } from '../exit-codes.ts'
import { EXIT } from '../exit-codes.ts'
import { durationFlag, textFlag, withDefault } from '../flags.ts'
import { listenForStop } from '../signals.ts'
import type { Terminal } from '../terminal.ts'
import type { Caller } from '../verb.ts'
import { commandOf } from '../verb.ts'

const FLAGS = {
  output: withDefault(textFlag(['o', 'output'], '<dir>', 'where recordings and the run go; a new folder'), 'mesh-demo'),
  duration: withDefault(durationFlag(['d', 'duration'], 'how long the users shop'), '10s'),
}

/** `mesh demo`: everything on a sample shop, with the commands that a person would type. */
export function demoCommand(caller: Caller): Command {
  return commandOf(
    {
      name: 'demo',
      summary: "record, replay and mirror a sample shop, its staging on production's data: under a minute",
      examples: ['mesh demo', 'mesh demo -o /tmp/demo', 'mesh demo --duration 20s'],
      flags: FLAGS,
      run: ({ flags, terminal }) => perform(newFolder(flags.output), flags.duration, terminal),
    },
    caller,
  )
}

/** Shows all acts. Whoever stops it is left with nothing of it: no process, no folder. */
async function perform(folder: string, durationNs: number, terminal: Terminal): Promise<ExitCode> {
  const stop = listenForStop((name) => terminal.say(`${name}: clearing the stage`))
  // The terminal was closed.
  const onHangUp = (): void => stop.stop()
  process.on('SIGHUP', onHangUp)
  const stage = new Stage(folder, terminal, stop.drain)
  try {
    const backstage = await prepareStaging(stage)
    const recorded = await recordAndReplay(stage, durationNs)
    const hasStaging = await showStaging(stage, backstage)
    await stage.close()
    sayGoodbye(folder, recorded, hasStaging, terminal)
    return EXIT.ok
  } catch (error) {
    await stage.close()
    if (!stop.drain.aborted) throw error
    await rm(folder, { recursive: true, force: true })
    return stop.name() === 'SIGINT' ? EXIT.interrupted : EXIT.terminated
  } finally {
    process.off('SIGHUP', onHangUp)
    stop.release()
  }
}

function sayGoodbye(folder: string, { recordings, run }: Recorded, hasStaging: boolean, terminal: Terminal): void {
  const [first = ''] = recordings
  terminal.say(`\nWritten to ${folder}/: three recordings (.mcap) and the run (run/).`)
  if (hasStaging) terminal.say('Both databases are gone again, and with them the audit log.')
  terminal.say('Try next:')
  terminal.say(`  npx mesh inspect ${first}`)
  terminal.say(`  npx mesh report ${run}`)
  terminal.say(`  npx mesh export ${first} --format curl --match 'request.path.startsWith("/search")' -o -`)
  if (hasStaging) terminal.say('  npx mesh cow postgres --upstream postgres://reader@YOUR-REPLICA/shop')
}

/** The folder asked for, or the next name that is free: nothing is ever overwritten. */
function newFolder(wanted: string): string {
  let folder = wanted
  for (let number = 2; existsSync(folder); number++) folder = `${wanted}-${number}`
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return folder.startsWith('/') ? folder : relative('.', folder)
}
