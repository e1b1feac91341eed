import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MeshError, systemCode, toMeshError } from '../../core/errors.ts'

/**
 * Makes a folder of the state, and those above it that are not there, with this mode. (Node's own recursive mkdir tries again without end, and cannot be
 * stopped, where a file system has a folder and will not make another in it: /proc.)
 *
 * @throws MeshError MESH_ERR_FILE_NOT_FOUND where none can be made, MESH_ERR_PERMISSION, MESH_ERR_DISK_FULL, MESH_ERR_IO as the system says.
 */
export async function makeStateFolder(path: string, mode: number): Promise<void> {
  if (await isFolder(path)) return
  const above = dirname(path)
  if (above !== path) await makeStateFolder(above, mode)
  try {
    await mkdir(path, { mode })
  } catch (error) {
    const code = systemCode(error)
    if (code === 'EEXIST' && (await isFolder(path))) return
    if (code !== 'EEXIST' && code !== 'ENOENT' && code !== 'ENOTDIR') throw toMeshError(error, path)
    const found = code === 'ENOENT' ? 'one that takes none' : 'a file'
    throw new MeshError('MESH_ERR_FILE_NOT_FOUND', {
      what: `expected a place where the state folder can be made, found ${found}`,
      where: path,
      remedy: 'choose another with --state',
      cause: error,
    })
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    const code = systemCode(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    throw toMeshError(error, path)
  }
}
