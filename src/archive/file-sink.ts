import { constants } from 'node:fs'
import { open, unlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Writable } from 'node:stream'
import { MeshError, systemCode, toMeshError } from '../core/errors.ts'
import type { WritableBytes } from './writable-bytes.ts'

const { O_CREAT, O_EXCL, O_WRONLY } = constants

/** Recordings hold traffic: nobody but their owner reads them. */
const MODE = 0o600

/** A new file: `MESH_ERR_FILE_EXISTS` where there is one already, never overwritten. */
export async function createFileSink(path: string): Promise<WritableBytes> {
  try {
    return fileSink(path, await open(path, O_CREAT | O_EXCL | O_WRONLY, MODE))
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw toMeshError(error, path)
    throw new MeshError('MESH_ERR_FILE_NOT_FOUND', {
      what: 'no such folder to write to',
      where: dirname(path),
      remedy: 'make it, or choose another name with -o',
      cause: error,
    })
  }
}

function fileSink(path: string, handle: FileHandle): WritableBytes {
  let position = 0
  return {
    name: path,
    async write(bytes) {
      try {
        let done = 0
        while (done < bytes.length) {
          const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position)
          done += bytesWritten
          position += bytesWritten
        }
      } catch (error) {
        throw toMeshError(error, `${path}, offset ${position}`)
      }
    },
    async truncate(length) {
      try {
        await handle.truncate(length)
        position = length
      } catch (error) {
        throw toMeshError(error, path)
      }
    },
    async close() {
      try {
        await handle.close()
      } catch (error) {
        throw toMeshError(error, path)
      }
    },
    async remove() {
      try {
        await unlink(path)
      } catch (error) {
        throw toMeshError(error, path)
      }
    },
  }
}

/** A stream such as stdout. It is left open at the end: it is not ours. */
export function streamSink(stream: Writable, name: string): WritableBytes {
  // A stream tells of a failed write twice, and of the second time to nobody in particular: that would end the process.
  stream.on('error', () => undefined)
  return {
    name,
    write: (bytes) =>
      new Promise((resolve, reject) => {
        stream.write(bytes, (error) => {
          if (error) reject(toMeshError(error, name))
          else resolve()
        })
      }),
    close: () => Promise.resolve(),
  }
}
