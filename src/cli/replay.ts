import type { Command } from 'commander'
import { openRecordings } from '../archive/open.ts'
import { MeshError } from '../core/errors.ts'
import type { RecordingReader } from '../core/recording.ts'
import { holdsPseudonym } from '../mask/pseudonym.ts'
import { checkPlan, planReplay } from '../replay/plan.ts'
import { resolveTarget } from '../replay/senders/resolve-target.ts'
import { surveyRecordings } from '../replay/survey.ts'
import type { Config } from './config.ts'
import type { ExitCode } from './exit-codes.ts'
import { EXIT } from './exit-codes.ts'
import type { FlagValues } from './flags.ts'
import { required } from './flags.ts'
import { runClosedLoop } from './replay-closed.ts'
import type { ReplayFlags } from './replay-flags.ts'
import { REPLAY_FLAGS } from './replay-flags.ts'
import { scheduleOptionsOf, targetOptionsOf } from './replay-options.ts'
import { runReplayFleet } from './replay-run.ts'
import { planText } from './plan-text.ts'
import type { Terminal } from './terminal.ts'
import { listenForStop } from './signals.ts'
import type { Finish } from './verb.ts'
import { commandOf } from './verb.ts'

/** `mesh replay`: many hosts' recordings onto one target. */
export function replayCommand(finish: Finish): Command {
  return commandOf(
    {
      name: 'replay',
      summary: 'merge recordings of many hosts, multiply them, send them to one target, and judge the run',
      examples: [
        'mesh replay host-a.mcap host-b.mcap host-c.mcap --to http://canary:8080 --plan',
        'mesh replay host-*.mcap --to http://canary:8080 --amplify 2.5 --warmup 10s -o run',
        'mesh replay host-a.mcap --to http://canary:8080 --speed max -c 50 --loop -d 30s --yes',
      ],
      words: '<file...>',
      flags: REPLAY_FLAGS,
      run: async ({ flags, words, terminal, config }) => {
        const url = required(flags.to, 'to', '--to http://canary:8080')
        if (words.includes('-')) {
          throw new MeshError('MESH_ERR_USAGE', {
            what: 'expected files: a replay reads recordings twice, once for the plan and once to send',
            where: '-',
            remedy: 'write stdin to a file first',
          })
        }
        const readers = await openRecordings(words, process.stdin)
        try {
          return await planAndRun(readers, url, flags, terminal, config)
        } finally {
          await Promise.all(readers.map((reader) => reader.close()))
        }
      },
    },
    finish,
  )
}

async function planAndRun(
  readers: readonly RecordingReader[],
  url: string,
  flags: FlagValues<ReplayFlags>,
  terminal: Terminal,
  config: Config | undefined,
): Promise<ExitCode> {
  const options = scheduleOptionsOf(flags, url, readers, config?.routes ?? [])
  for (const { info, ending } of readers) {
    if (ending === 'cut')
      terminal.warn(`mesh: the recording of ${info.host} was cut by a crash: its last second may be missing`)
  }
  const survey = await surveyRecordings(readers, options, holdsPseudonym, new AbortController().signal)
  const plan = planReplay(survey, options)
  if (flags.plan) {
    terminal.out(planText(plan, url))
    return EXIT.ok
  }
  terminal.say(planText(plan, url).trimEnd())
  const unpaced = flags.closed !== undefined
  checkPlan(plan, { confirmed: flags.yes, maxPerSecond: unpaced ? Infinity : flags.maxRate })
  const target = await resolveTarget(targetOptionsOf(flags, url))
  const stop = listenForStop((name) =>
    terminal.say(`${name}: sending no more, waiting for replies; once more ends it now`),
  )
  try {
    const replay = { survey, plan, options, target, url, flags }
    if (flags.closed !== undefined) return await runClosedLoop(replay, flags.closed, stop, terminal)
    return await runReplayFleet(replay, stop, terminal)
  } finally {
    stop.release()
  }
}
