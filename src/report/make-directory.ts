import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MeshError, systemCode } from '../core/errors.ts'

/** Paths that the system takes are shorter than 4096 bytes, and so have fewer parts. */
const MAX_PARENTS = 4096

/**
 * Makes a directory and those above it that are not there, each once; true where it was not there itself. (Node's own recursive mkdir tries again without end where a file
 * system has a directory and will not make another in it, and says that it is not there: /proc.)
 *
 * @throws the system's error, or MESH_ERR_FILE_NOT_FOUND where nothing can be made.
 */
export async function makeDirectory(path: string, mode: number): Promise<boolean> {
  const missing = [path]
  for (let folder = path; missing.length <= MAX_PARENTS;) {
    folder = dirname(folder)
    if (await isThere(folder)) break
    missing.push(folder)
  }
  let isNew = false
  for (const folder of missing.toReversed()) isNew = await makeOne(folder, mode)
  return isNew
}

async function makeOne(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, { mode })
    return true
  } catch (error) {
    const code = systemCode(error)
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return false
    if (code !== 'ENOENT') throw error
    throw new MeshError('MESH_ERR_FILE_NOT_FOUND', {
      what: 'expected a place where a directory can be made, found one that takes none',
      where: path,
      remedy: 'choose another with -o',
      cause: error,
    })
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false
    throw error
  }
}
