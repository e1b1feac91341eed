import { createWriteStream } from 'node:fs'
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import type { Command } from 'commander'
import { openRecordings } from '../archive/open.ts'
import { MeshError, systemCode, toMeshError } from '../core/errors.ts'
import { formatCount } from '../core/units.ts'
import { EXPORT_FORMATS, EXPORTERS } from '../export/index.ts'
import { compileMatch } from '../select/match.ts'
import { EXIT } from './exit-codes.ts'
import { choiceFlag, required, textFlag } from './flags.ts'
import { selected } from './inspect/inspect.ts'
import { checkSealed, readUnsealing, unsealFlag } from './unsealing.ts'
import type { Caller } from './verb.ts'
import { commandOf } from './verb.ts'
import { VERSION } from './version.ts'

const FLAGS = {
  format: choiceFlag('format', EXPORT_FORMATS, 'what to write'),
  output: textFlag(['o', 'output'], '<file>', 'where to, - for stdout; never overwritten'),
  match: textFlag('match', '<cel>', 'only exchanges for which this is true'),
  unseal: unsealFlag('write'),
  between: textFlag('between', '<14:00-14:30>', 'only requests of this time'),
}

/** `mesh export`: recordings in other tools' formats. */
export function exportCommand(caller: Caller): Command {
  return commandOf(
    {
      name: 'export',
      summary: 'write recordings as gor, HAR, NDJSON or curl commands',
      examples: [
        'mesh export shop.mcap --format gor -o shop.gor',
        "mesh export shop.mcap --format har --match 'response.code >= 500' -o errors.har",
        'mesh export shop.mcap --format ndjson -o - | jq .status',
      ],
      words: '<file...>',
      flags: FLAGS,
      run: async ({ flags, words, terminal }) => {
        const format = required(flags.format, 'format', '--format har')
        const output = required(flags.output, 'output', '-o shop.har, or -o - for stdout')
        const matcher = flags.match === undefined ? undefined : compileMatch(flags.match)
        const unsealing = readUnsealing(flags.unseal, (line) => terminal.warn(line))
        const readers = await openRecordings(words, process.stdin, 'one', unsealing?.openSeal)
        const exporter = EXPORTERS[format](VERSION)
        if (unsealing !== undefined) checkSealed(readers)
        const stream = await openOutput(output)
        let count = 0
        try {
          await write(stream, exporter.start(), output)
          for (const reader of readers) {
            for await (const exchange of selected(reader, matcher, flags.between)) {
              await write(stream, exporter.exchange(exchange, reader.info), output)
              count++
            }
          }
          await write(stream, exporter.end(), output)
          await finished(stream, output)
        } catch (error) {
          if (stream === process.stdout && readerLeft(error)) return EXIT.ok
          throw error
        } finally {
          await Promise.all(readers.map((reader) => reader.close()))
        }
        terminal.say(`wrote ${formatCount(count)} exchanges as ${format} to ${output === '-' ? 'stdout' : output}`)
        return EXIT.ok
      },
    },
    caller,
  )
}

async function openOutput(path: string): Promise<Writable> {
  if (path === '-') {
    // An error comes out of the write that meets it, or of the end: not of the event.
    process.stdout.on('error', () => undefined)
    return process.stdout
  }
  const stream = createWriteStream(path, { flags: 'wx', mode: 0o600 })
  try {
    await once(stream, 'open')
    return stream
  } catch (error) {
    const { code } = toMeshError(error, path)
    if (code !== 'MESH_ERR_FILE_EXISTS') throw toMeshError(error, path)
    throw new MeshError(code, { what: 'the file exists already', where: path, remedy: 'choose another name with -o' })
  }
}

/** Writes, and waits where the stream is full; the next piece never passes a slow disk or pipe. */
async function write(stream: Writable, piece: string | Uint8Array, where: string): Promise<void> {
  if (piece.length === 0) return
  if (stream.errored !== null) throw toMeshError(stream.errored, where)
  if (stream.write(piece)) return
  await once(stream, 'drain').catch((error: unknown) => {
    throw toMeshError(error, where)
  })
}

async function finished(stream: Writable, where: string): Promise<void> {
  if (stream === process.stdout) {
    await new Promise<void>((resolve) => stream.write('', () => resolve()))
    if (stream.errored !== null) throw toMeshError(stream.errored, where)
    return
  }
  stream.end()
  await once(stream, 'finish').catch((error: unknown) => {
    throw toMeshError(error, where)
  })
}

/** The reader of a pipe has seen enough (`| head`): no error of ours. */
function readerLeft(error: unknown): boolean {
  return error instanceof MeshError && systemCode(error.cause) === 'EPIPE'
}
