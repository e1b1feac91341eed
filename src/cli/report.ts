import type { Command } from 'commander'
import { readRunDirectory } from '../report/read-run.ts'
import { readSeries } from '../report/read-series.ts'
import { REPORT_FORMATS, REPORTERS } from '../report/index.ts'
import { EXIT } from './exit-codes.ts'
import { choiceFlag, withDefault } from './flags.ts'
import type { Caller } from './verb.ts'
import { commandOf } from './verb.ts'

const FLAGS = { format: withDefault(choiceFlag('format', REPORT_FORMATS, 'what to print'), 'text') }

/** `mesh report`: a run, printed again. */
export function reportCommand(caller: Caller): Command {
  return commandOf(
    {
      name: 'report',
      summary: 'print the report of a run again',
      examples: [
        'mesh report run',
        'mesh report run --format html > report.html',
        'mesh report run --format json | jq .verdict',
      ],
      words: '<dir>',
      flags: FLAGS,
      run: async ({ flags, words, terminal }) => {
        const [directory = ''] = words
        const run = await readRunDirectory(directory)
        const style = { columns: Math.max(80, terminal.columns), colour: terminal.colour }
        const reporter = REPORTERS[flags.format]
        const series = reporter.readsSeries === true ? await readSeries(directory, run.targetIntervalNs) : undefined
        reporter.write(run, { write: (text) => terminal.out(text) }, style, series)
        return EXIT.ok
      },
    },
    caller,
  )
}
