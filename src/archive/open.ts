import { realpath } from 'node:fs/promises'
import { MeshError } from '../core/errors.ts'
import type { OpenSeal, RecordingReader } from '../core/recording.ts'
import { expandPaths } from './expand-paths.ts'
import { openPart, openPartBytes, readParts } from './reader.ts'
import type { OpenPart } from './reader.ts'
import { spoolBytes } from './spool.ts'
import { openRecordingStream } from './stream-reader.ts'

/** The extension of recordings. */
export const RECORDING_EXTENSION = '.mcap'

/**
 * Opens the recordings that arguments name: files, directories, patterns, `-` for `stdin`. Files of one recording id are parts of one
 * recording, whatever they are called. Recordings come in the order in which the arguments first name them, a stream before them. Where
 * exchanges are asked for more than once (`many`), stdin is read to its end first and kept in a temporary file. With `openSeal`, masked values
 * of recordings that it opens are restored.
 */
export async function openRecordings(
  args: readonly string[],
  stdin: AsyncIterable<Uint8Array>,
  passes: 'one' | 'many' = 'one',
  openSeal?: OpenSeal,
): Promise<readonly RecordingReader[]> {
  const paths = await uniquePaths(await expandPaths(args, RECORDING_EXTENSION))
  const opened: RecordingReader[] = []
  const parts: OpenPart[] = []
  try {
    for (const path of paths) {
      if (path === '-' && passes === 'many') parts.push(await openPartBytes(await spoolBytes(stdin, 'stdin'), openSeal))
      else if (path === '-') opened.push(await openRecordingStream(stdin, 'stdin', undefined, openSeal))
      else parts.push(await openPart(path, openSeal))
    }
    for (const group of byRecording(parts)) opened.push(await readParts(group))
    return opened
  } catch (error) {
    await Promise.all([...parts.map((part) => part.bytes.close()), ...opened.map((reader) => reader.close())])
    throw error
  }
}

/** One path a file, however it was named. */
async function uniquePaths(paths: readonly string[]): Promise<readonly string[]> {
  const byFile = new Map<string, string>()
  for (const path of paths) {
    const file = path === '-' ? path : await realpath(path)
    if (!byFile.has(file)) byFile.set(file, path)
  }
  return [...byFile.values()]
}

/** Parts by recording id. Two files that claim to be the same part are an error: one of them would count twice. */
export function byRecording(parts: readonly OpenPart[]): readonly (readonly OpenPart[])[] {
  const groups = new Map<string, OpenPart[]>()
  for (const part of parts) {
    const { recordingId, part: number } = part.contents.info
    const group = groups.get(recordingId) ?? []
    const twin = group.find(({ contents }) => contents.info.part === number)
    if (twin !== undefined) {
      throw new MeshError('MESH_ERR_USAGE', {
        what: `expected each part once, found part ${number} of recording ${recordingId} twice`,
        where: `${twin.bytes.name}, ${part.bytes.name}`,
        remedy: 'name one of the two',
      })
    }
    group.push(part)
    groups.set(recordingId, group)
  }
  return [...groups.values()]
}
