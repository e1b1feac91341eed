import type { Command } from 'commander'
import { openRecordings } from '../../archive/open.ts'
import type { FileRecordingReader } from '../../archive/reader.ts'
import { verifyRecording } from '../../archive/verify.ts'
import { MeshError, toMeshError } from '../../core/errors.ts'
import type { Exchange } from '../../core/exchange.ts'
import { ledgerImbalance } from '../../core/ledger.ts'
import type { RecordingReader } from '../../core/recording.ts'
import { formatBytes, formatMany } from '../../core/units.ts'
import type { Matcher } from '../../select/match.ts'
import { compileMatch } from '../../select/match.ts'
import { parseBetween } from '../between.ts'
import type { Config } from '../config.ts'
import { correlateOptionsOf, learnCorrelation } from '../replay/correlate-options.ts'
import { correlationsJson, correlationsText } from './correlations-text.ts'
import type { ExitCode } from '../exit-codes.ts'
import { EXIT } from '../exit-codes.ts'
import type { FlagValues } from '../flags.ts'
import { switchFlag, textFlag } from '../flags.ts'
import { exchangeLine, inspectionJson, inspectionText } from './inspection-text.ts'
import type { Inspection } from './inspection.ts'
import { inspectRecording } from './inspection.ts'
import type { Terminal } from '../terminal.ts'
import type { Unsealing } from '../unsealing.ts'
import { checkSealed, readUnsealing, unsealFlag } from '../unsealing.ts'
import type { Caller } from '../verb.ts'
import { commandOf } from '../verb.ts'

const FLAGS = {
  verify: switchFlag('verify', 'read every byte; exit 3 where a ledger does not balance or a file is damaged'),
  list: switchFlag('list', 'one line an exchange'),
  correlations: switchFlag('correlations', 'which values of requests come from earlier replies, and how sure that is'),
  unseal: unsealFlag('with --correlations: look at'),
  match: textFlag('match', '<cel>', 'look only at exchanges for which this is true'),
  between: textFlag('between', '<14:00-14:30>', 'look only at requests of this time'),
  json: switchFlag('json', 'one JSON document'),
}

/** `mesh inspect`: what is in recordings, and whether it is all there. */
export function inspectCommand(caller: Caller): Command {
  return commandOf(
    {
      name: 'inspect',
      summary: 'show what is in recordings, and prove that nothing is missing unexplained',
      examples: [
        'mesh inspect shop.mcap',
        'mesh inspect --verify host-a.mcap host-b.mcap',
        'mesh inspect --correlations shop.mcap',
        "mesh inspect shop.mcap --list --match 'response.code >= 500' --between 14:00-14:30",
      ],
      words: '<file...>',
      flags: FLAGS,
      run: async ({ flags, words, terminal, config }) => {
        const matcher = flags.match === undefined ? undefined : compileMatch(flags.match)
        const unsealing = unsealingOf(flags, terminal)
        const readers = await openRecordings(words, process.stdin, 'one', unsealing?.openSeal)
        if (flags.correlations) return await showCorrelations(readers, unsealing, matcher, flags, config, terminal)
        const documents: object[] = []
        let code: ExitCode = EXIT.ok
        try {
          for (const reader of readers) {
            // A stream is read once: its ledger is known when it has ended.
            const sound = !flags.verify || !isOfFiles(reader) || (await verifyFiles(reader, terminal))
            const exchanges = selected(reader, matcher, flags.between)
            try {
              if (flags.list) await list(reader, exchanges, terminal)
              else {
                const inspection = await inspectRecording(reader, exchanges, config?.routes ?? [])
                sayIfNothing(inspection, reader, terminal)
                if (flags.json) documents.push(inspectionJson(inspection))
                else terminal.out(inspectionText(inspection))
              }
            } catch (error) {
              // What cannot be read is among the findings already.
              if (sound || toMeshError(error).code !== 'MESH_ERR_FILE_CORRUPT') throw error
            }
            if (!sound || (flags.verify && !isOfFiles(reader) && !(await verifyStream(reader, terminal)))) {
              code = EXIT.checkFailed
            }
          }
        } finally {
          await Promise.all(readers.map((reader) => reader.close()))
        }
        if (flags.json && !flags.list) terminal.out(`${JSON.stringify({ recordings: documents })}\n`)
        if (matcher !== undefined && matcher.failures() > 0) {
          terminal.warn(
            `mesh: --match could not be evaluated for ${matcher.failures()} exchanges; they count as no match`,
          )
        }
        return code
      },
    },
    caller,
  )
}

/** Values are shown masked, whoever asks: only what is learnt of them may differ. */
function unsealingOf(flags: FlagValues<typeof FLAGS>, terminal: Terminal): Unsealing | undefined {
  if (flags.unseal.length > 0 && !flags.correlations) {
    throw new MeshError('MESH_ERR_USAGE', {
      what: 'expected --correlations beside it, found none: nothing else of inspect shows values that are masked',
      where: '--unseal',
      remedy: 'mesh export --unseal FILE writes what was masked',
    })
  }
  return readUnsealing(flags.unseal, (line) => terminal.warn(line))
}

/** What a replay of these recordings would learn. */
async function showCorrelations(
  readers: readonly RecordingReader[],
  unsealing: Unsealing | undefined,
  matcher: Matcher | undefined,
  flags: FlagValues<typeof FLAGS>,
  config: Config | undefined,
  terminal: Terminal,
): Promise<ExitCode> {
  try {
    if (unsealing !== undefined) checkSealed(readers)
    const inputs = readers.map((reader) => ({
      info: reader.info,
      exchanges: () => selected(reader, matcher, flags.between),
    }))
    const correlation = await learnCorrelation(inputs, correlateOptionsOf(config), config?.routes ?? [])
    terminal.out(flags.json ? `${JSON.stringify(correlationsJson(correlation))}\n` : correlationsText(correlation))
    return EXIT.ok
  } finally {
    await Promise.all(readers.map((reader) => reader.close()))
  }
}

/** An empty answer is often a question asked in the wrong time zone. */
function sayIfNothing(inspection: Inspection, { info }: RecordingReader, terminal: Terminal): void {
  if (inspection.exchanges > 0) return
  const began = new Date(Number(info.originUnixNs / 1_000_000n))
  terminal.warn(`mesh: ${info.host}: nothing found; the recording begins at ${began.toString().replace(/ \(.*/, '')}`)
}

/** The exchanges of a recording that match and are of the time asked for. */
export async function* selected(
  reader: RecordingReader,
  matcher: Matcher | undefined,
  between: string | undefined,
): AsyncIterable<Exchange> {
  const range = between === undefined ? undefined : parseBetween(between, reader.info.originUnixNs)
  for await (const exchange of reader.exchanges(range)) {
    if (matcher === undefined || matcher.matches(exchange)) yield exchange
  }
}

async function list(reader: RecordingReader, exchanges: AsyncIterable<Exchange>, terminal: Terminal): Promise<void> {
  for await (const exchange of exchanges) terminal.out(`${exchangeLine(exchange, reader.info)}\n`)
}

/** Of what came through a pipe and is gone, only the ledger can be checked. */
async function verifyStream(reader: RecordingReader, terminal: Terminal): Promise<boolean> {
  const balanced = ledgerImbalance(await reader.ledger()).size === 0
  terminal.say(`${reader.info.host}: ${balanced ? 'the ledger balances' : 'THE LEDGER DOES NOT BALANCE'}`)
  return balanced
}

/** Reads every byte, and says each thing that a recording promises and does not keep. */
async function verifyFiles(reader: FileRecordingReader, terminal: Terminal): Promise<boolean> {
  const { host } = reader.info
  const { chunks, exchanges, parts, ending, unreadableBytes, findings } = await verifyRecording(reader)
  for (const { kind, where, what } of findings) terminal.warn(`mesh: ${host}: ${kind}: ${what} (${where})`)
  const size = `${formatMany(exchanges, 'exchange')} in ${formatMany(chunks, 'chunk')} of ${formatMany(parts, 'part')}`
  const cut = ending === 'cut' ? `CUT: its end is missing${ofTheRest(unreadableBytes)}; ` : ''
  const sound = `${cut === '' ? 'verified:' : 'in what is whole'} every checksum holds, the ledger balances`
  const found = findings.length === 0 ? sound : formatMany(findings.length, 'finding')
  terminal.say(`${host}: ${cut}${found} (${size})`)
  return findings.length === 0
}

/** Of a cut recording. */
function ofTheRest(unreadableBytes: number): string {
  return unreadableBytes === 0 ? '' : `, and its last ${formatBytes(unreadableBytes)} are no whole chunk`
}

function isOfFiles(reader: RecordingReader): reader is FileRecordingReader {
  return 'parts' in reader
}
