import { randomUUID } from 'node:crypto'
import { open, unlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MeshError, toMeshError } from '../core/errors.ts'
import type { ReadableBytes } from './readable-bytes.ts'
import { fileBytes } from './readable-bytes.ts'

/** Beyond it a pipe is refused rather than the disk of temporary files filled: so much can be named as a file. */
const MAX_SPOOLED_BYTES = 16 * 1024 ** 3

/** Traffic: nobody but its owner reads it. */
const MODE = 0o600

/**
 * Reads a pipe to its end into a temporary file, for readers that look twice. The file has no name from the first moment on, so that
 * nothing is left of it however the process ends; `close` gives its room back.
 *
 * @throws MeshError MESH_ERR_LIMIT beyond `maxBytes`, and what the disk says (`TMPDIR` names another).
 */
export async function spoolBytes(
  bytes: AsyncIterable<Uint8Array>,
  name: string,
  maxBytes: number = MAX_SPOOLED_BYTES,
): Promise<ReadableBytes> {
  const path = join(tmpdir(), `mesh-${randomUUID()}.mcap`)
  let handle: FileHandle | undefined
  try {
    handle = await open(path, 'wx+', MODE)
    await unlink(path)
    return fileBytes(name, handle, await fill(handle, bytes, name, maxBytes))
  } catch (error) {
    await handle?.close()
    throw toMeshError(error, `${name}, kept in ${tmpdir()}`)
  }
}

async function fill(
  handle: FileHandle,
  bytes: AsyncIterable<Uint8Array>,
  name: string,
  maxBytes: number,
): Promise<number> {
  let size = 0
  for await (const piece of bytes) {
    if (size + piece.length > maxBytes) {
      throw new MeshError('MESH_ERR_LIMIT', {
        what: `expected a recording of at most ${maxBytes} bytes through a pipe, found a longer one`,
        where: name,
        remedy: 'write it to a file, and name that',
      })
    }
    for (let done = 0; done < piece.length;) {
      done += (await handle.write(piece, done, piece.length - done, size + done)).bytesWritten
    }
    size += piece.length
  }
  return size
}
