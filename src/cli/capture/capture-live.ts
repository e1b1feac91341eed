import type { Command } from 'commander'
import { LiveSource } from '../../capture/live/source.ts'
import { monotonicNs, unixNs } from '../../core/clock.ts'
import { formatCount } from '../../core/units.ts'
import { CAPTURE_FLAGS, CAPTURE_GROUPS, recordSettings } from './capture-flags.ts'
import { portsOption } from './capture-pcap.ts'
import { EXIT } from '../exit-codes.ts'
import { required, sizeFlag, textFlag } from '../flags.ts'
import { notePassiveCounters } from './passive-notes.ts'
import { createStages } from './recording-stages.ts'
import { recordSegments } from './source-run.ts'
import type { Caller } from '../verb.ts'
import { commandOf } from '../verb.ts'

const FLAGS = {
  interface: textFlag(['i', 'interface'], '<name>', 'the interface to listen on: lo, eth0, any'),
  port: textFlag('port', '<80,8080>', 'the ports of the services'),
  buffer: sizeFlag('buffer', "the kernel's buffer for packets (default tcpdump's)"),
  ...CAPTURE_FLAGS,
}

/** `mesh capture live`: passive, through tcpdump. */
export function captureLiveCommand(caller: Caller): Command {
  return commandOf(
    {
      name: 'live',
      summary: 'listen to an interface through tcpdump and record the HTTP/1 on these ports',
      section: 'capture',
      examples: [
        'mesh capture live --interface eth0 --port 8080 -o shop.mcap',
        'mesh capture live --interface lo --port 80,8080 --duration 5m -o shop.mcap',
        'mesh capture live --interface any --port 8080 --match \'request.path.startsWith("/api")\' -o api.mcap',
      ],
      flags: FLAGS,
      groups: { 'Source:': ['interface', 'port', 'buffer'], ...CAPTURE_GROUPS },
      run: async ({ flags, terminal }) => {
        const name = required(flags.interface, 'interface', '--interface eth0')
        const { ports = [] } = portsOption(required(flags.port, 'port', '--port 8080'))
        const description = `live ${name} port ${ports.join(',')}`
        const settings = recordSettings(flags, { description, live: true, secure: false })
        createStages(settings)
        const buffer = flags.buffer === undefined ? {} : { bufferBytes: flags.buffer }
        const live = await LiveSource.start({ interface: name, ports, ...buffer })
        const offsetNs = Number(unixNs() - live.originUnixNs) - monotonicNs()
        terminal.say(`listening on ${name}, ports ${ports.join(', ')}; INT or TERM ends it in order`)
        const run = {
          settings: { ...settings, originUnixNs: live.originUnixNs },
          durationNs: flags.duration,
          nowNs: () => monotonicNs() + offsetNs,
          notes: notePassiveCounters(() => live.counters),
        }
        const code = await recordSegments(live, run, terminal)
        const dropped = live.counters.packets.captureDropped
        if (dropped > 0)
          terminal.warn(`mesh: the kernel dropped ${formatCount(dropped)} packets; what they carried is missing`)
        if (live.ending === undefined) return code
        terminal.warn(`mesh: ${live.ending.message} [${live.ending.code}]; what came before it is recorded`)
        return EXIT.couldNotRun
      },
    },
    caller,
  )
}
