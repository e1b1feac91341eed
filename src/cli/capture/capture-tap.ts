import type { Command } from 'commander'
import { formatEndpoint } from '../../core/segment.ts'
import { CAPTURE_FLAGS, CAPTURE_GROUPS, recordSettings } from './capture-flags.ts'
import type { FlagGroups } from '../flags.ts'
import { createStages } from './recording-stages.ts'
import { ringBytesOf, TAP_FLAGS, TAP_GROUPS, tapOptionsOf } from './tap-flags.ts'
import { runTap } from './tap-run.ts'
import type { Caller } from '../verb.ts'
import { commandOf } from '../verb.ts'

const FLAGS = { ...TAP_FLAGS, ...CAPTURE_FLAGS }

const GROUPS: FlagGroups<typeof FLAGS> = { ...TAP_GROUPS, ...CAPTURE_GROUPS }

/** `mesh capture tap`: an inline relay that records what it passes on. */
export function captureTapCommand(caller: Caller): Command {
  return commandOf(
    {
      name: 'tap',
      summary: 'relay connections to a service, byte for byte, and record them',
      section: 'capture',
      examples: [
        'mesh capture tap --listen :8080 --upstream 127.0.0.1:9000 -o shop.mcap',
        'mesh capture tap --listen :443 --tls-cert c.pem --tls-key k.pem --upstream 10.0.0.5:80 -o shop.mcap',
        'mesh capture tap --listen :8080 --upstream :9000 -o shop.mcap --rotate 256MiB --metrics :9464',
      ],
      flags: FLAGS,
      groups: GROUPS,
      run: async ({ flags, terminal }) => {
        const options = tapOptionsOf(flags)
        const description = `tap ${formatEndpoint(options.listen)} > ${formatEndpoint(options.upstream)}`
        const settings = recordSettings(flags, { description, live: true, secure: options.tls !== undefined })
        createStages(settings)
        return runTap(
          { options, settings, ringBytes: ringBytesOf(flags), metrics: flags.metrics, durationNs: flags.duration },
          terminal,
        )
      },
    },
    caller,
  )
}
