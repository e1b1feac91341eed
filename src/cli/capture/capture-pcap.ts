import type { Command } from 'commander'
import type { CaptureInput } from '../../capture/pcap/source.ts'
import { captureFile, PcapSource } from '../../capture/pcap/source.ts'
import { MeshError } from '../../core/errors.ts'
import { parseCount } from '../../core/units.ts'
import { CAPTURE_FLAGS, CAPTURE_GROUPS, recordSettings } from './capture-flags.ts'
import { EXIT } from '../exit-codes.ts'
import { textFlag } from '../flags.ts'
import { createStages } from './recording-stages.ts'
import { notePassiveCounters } from './passive-notes.ts'
import { recordSegments } from './source-run.ts'
import type { Caller } from '../verb.ts'
import { commandOf } from '../verb.ts'

const FLAGS = {
  port: textFlag('port', '<80,8080>', 'only connections with a server port of these (default all TCP)'),
  ...CAPTURE_FLAGS,
}

/** `mesh capture pcap`: HTTP/1 out of a packet capture. */
export function capturePcapCommand(caller: Caller): Command {
  return commandOf(
    {
      name: 'pcap',
      summary: 'read a pcap or pcapng file (also .gz, also stdin) and record the HTTP/1 in it',
      section: 'capture',
      examples: [
        'mesh capture pcap traffic.pcap -o shop.mcap',
        'mesh capture pcap traffic.pcapng.gz --port 80,8080 -o shop.mcap',
        "ssh host tcpdump -i any -w - 'tcp port 80' | mesh capture pcap - -o shop.mcap",
      ],
      words: '<file>',
      flags: FLAGS,
      groups: { 'Source:': ['port'], ...CAPTURE_GROUPS },
      run: async ({ flags, words, terminal }) => {
        const [file = '-'] = words
        const source = { description: `pcap ${file}`, live: false, secure: false }
        const settings = recordSettings({ ...flags, host: flags.host ?? 'pcap' }, source)
        createStages(settings)
        const pcap = await PcapSource.open(inputOf(file), portsOption(flags.port))
        const run = {
          settings: { ...settings, originUnixNs: pcap.originUnixNs },
          durationNs: flags.duration,
          notes: notePassiveCounters(() => pcap.counters),
        }
        const code = await recordSegments(pcap, run, terminal)
        if (pcap.ending === undefined) return code
        terminal.warn(`mesh: ${pcap.ending.message} [${pcap.ending.code}]; what came before it is recorded`)
        return EXIT.couldNotRun
      },
    },
    caller,
  )
}

function inputOf(file: string): CaptureInput {
  if (file !== '-') return captureFile(file)
  return { name: 'stdin', bytes: process.stdin, close: () => process.stdin.destroy() }
}

/** `80,8080` as the option of a passive source. */
export function portsOption(text: string | undefined): { ports?: readonly number[] } {
  if (text === undefined) return {}
  const ports = text.split(',').map((port) => parseCount(port.trim(), '--port', 1, 65_535))
  if (ports.length === 0) throw new MeshError('MESH_ERR_USAGE', { what: 'expected ports, found none', where: '--port' })
  return { ports }
}
