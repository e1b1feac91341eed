import type { Command } from 'commander'
import { GorReceiver } from '../../capture/gor/receiver.ts'
import { PrimedExchanges } from '../../capture/primed.ts'
import { formatEndpoint } from '../../core/segment.ts'
import { CAPTURE_FLAGS, CAPTURE_GROUPS, recordSettings } from './capture-flags.ts'
import { EXIT } from '../exit-codes.ts'
import { listenFlag, withDefault } from '../flags.ts'
import { createStages } from './recording-stages.ts'
import { listenForStop } from '../signals.ts'
import { recordExchanges } from './source-run.ts'
import { after } from '../timer.ts'
import type { Caller } from '../verb.ts'
import { commandOf } from '../verb.ts'

const FLAGS = {
  listen: withDefault(listenFlag('listen', "where GoReplay's --output-tcp connects"), ':28020'),
  ...CAPTURE_FLAGS,
}

/** `mesh capture gor`: takes what a fleet of GoReplay sends. */
export function captureGorCommand(caller: Caller): Command {
  return commandOf(
    {
      name: 'gor',
      summary: 'receive what `gor --output-tcp` sends, and record it',
      section: 'capture',
      examples: [
        'mesh capture gor --listen :28020 -o fleet.mcap',
        'mesh capture gor --listen :28020 --duration 10m -o fleet.mcap',
        'gor --input-raw :80 --input-raw-track-response --output-tcp collector:28020',
      ],
      flags: FLAGS,
      groups: { 'Source:': ['listen'], ...CAPTURE_GROUPS },
      run: async ({ flags, terminal }) => {
        const description = `gor ${formatEndpoint(flags.listen)}`
        const settings = recordSettings(
          { ...flags, host: flags.host ?? 'gor' },
          { description, live: true, secure: false },
        )
        createStages(settings)
        const waiting = listenForStop()
        const { receiver, address } = await GorReceiver.listen(flags.listen, flags.maxBody)
        terminal.say(`listening on ${formatEndpoint(address)} for gor --output-tcp`)
        const stopTimer = flags.duration === undefined ? undefined : after(flags.duration, () => waiting.stop())
        const primed = await PrimedExchanges.of(receiver, waiting.drain)
        stopTimer?.()
        if (waiting.drain.aborted && primed.originUnixNs === 0n) {
          waiting.release()
          terminal.warn('mesh: nothing came; no recording was made')
          return EXIT.ok
        }
        const run = { settings: { ...settings, originUnixNs: primed.originUnixNs }, durationNs: flags.duration }
        const code = await recordExchanges(primed, run, terminal)
        waiting.release()
        return code
      },
    },
    caller,
  )
}
