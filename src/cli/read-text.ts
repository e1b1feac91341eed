import { closeSync, openSync, readSync } from 'node:fs'
import { MeshError, toMeshError } from '../core/errors.ts'
import { formatBytes } from '../core/units.ts'

/** Keys, certificates and settings; the largest of them, a system's whole list of authorities, is 0.3 MiB. */
export const MAX_TEXT_BYTES: number = 4 * 1024 * 1024

/** The text of a file that a flag names. @throws MeshError that names the file. */
export function readText(path: string): string {
  return readBytes(path, MAX_TEXT_BYTES).toString('utf8')
}

/**
 * The bytes of a file, a pipe too, that is small by its nature.
 *
 * @throws MeshError MESH_ERR_LIMIT where it is longer than `maxBytes`: a device such as /dev/zero has no end.
 */
export function readBytes(path: string, maxBytes: number): Buffer {
  const pieces: Buffer[] = []
  let length = 0
  try {
    const file = openSync(path, 'r')
    try {
      for (;;) {
        const piece = Buffer.alloc(Math.min(64 * 1024, maxBytes + 1 - length))
        const count = readSync(file, piece)
        if (count === 0) return Buffer.concat(pieces)
        pieces.push(piece.subarray(0, count))
        length += count
        if (length > maxBytes) break
      }
    } finally {
      closeSync(file)
    }
  } catch (error) {
    throw toMeshError(error, path)
  }
  throw new MeshError('MESH_ERR_LIMIT', {
    what: `expected a file of at most ${formatBytes(maxBytes)}, found a longer one`,
    where: path,
    remedy: 'check the path',
  })
}
