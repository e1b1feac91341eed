import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { MeshError, toMeshError } from '../core/errors.ts'

/** Bytes that can be read at any place. Errors are `MeshError`s that name the place. */
export interface ReadableBytes {
  /** For people: a path. */
  readonly name: string
  size(): Promise<number>
  /** Exactly `length` bytes, owned by the caller; `MESH_ERR_FILE_CUT` where there are fewer. */
  read(offset: number, length: number): Promise<Uint8Array>
  close(): Promise<void>
}

export async function openFileBytes(path: string): Promise<ReadableBytes> {
  try {
    const handle = await open(path, 'r')
    const stat = await handle.stat()
    if (stat.isFile()) return fileBytes(path, handle, stat.size)
    await handle.close()
  } catch (error) {
    throw toMeshError(error, path)
  }
  throw new MeshError('MESH_ERR_FILE_KIND', {
    what: 'expected a file that can be read at any place, found a pipe, a device or a directory',
    where: path,
    remedy: 'give a pipe as -',
  })
}

/**
 * The first `size` bytes of an open file, which it owns. The size is taken once: a recording that still grows is read as it was when it
 * was opened.
 */
export function fileBytes(path: string, handle: FileHandle, size: number): ReadableBytes {
  return {
    name: path,
    size: () => Promise.resolve(size),
    async read(offset, length) {
      const bytes = Buffer.allocUnsafeSlow(length)
      let done = 0
      try {
        while (done < length) {
          const { bytesRead } = await handle.read(bytes, done, length - done, offset + done)
          if (bytesRead === 0) break
          done += bytesRead
        }
      } catch (error) {
        throw toMeshError(error, `${path}, offset ${offset}`)
      }
      if (done < length) {
        throw new MeshError('MESH_ERR_FILE_CUT', {
          what: `expected ${length} bytes, found ${done}`,
          where: `${path}, offset ${offset}`,
        })
      }
      return bytes
    },
    async close() {
      await handle.close()
    },
  }
}
