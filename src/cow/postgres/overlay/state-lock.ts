import { readFile, unlink, writeFile } from 'node:fs/promises'
import { MeshError, systemCode, toMeshError } from '../../../core/errors.ts'

/** Who holds a state folder. */
interface Holder {
  readonly processId: number
  /** When that process began, by the system's own count; empty where the system does not say. Tells a reused id. */
  readonly began: string
}

/** A state folder that is ours until it is released. */
export interface StateLock {
  release(): Promise<void>
}

/**
 * Takes a state folder for this process. A lock of a process that is gone is taken over.
 *
 * @throws MeshError MESH_ERR_FILE_EXISTS where another process that is alive holds it.
 */
export async function lockState(file: string): Promise<StateLock> {
  const own: Holder = { processId: process.pid, began: await beginningOf(process.pid) }
  for (;;) {
    try {
      await writeFile(file, JSON.stringify(own), { flag: 'wx', mode: 0o600 })
      return { release: () => unlink(file).catch(() => undefined) }
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw toMeshError(error, file)
    }
    const holder = await readHolder(file)
    if (holder !== undefined && (await isAlive(holder))) {
      throw new MeshError('MESH_ERR_FILE_EXISTS', {
        what: `another mesh (process ${holder.processId}) is running on this overlay`,
        where: file,
        remedy: 'stop it, or keep branches of your own with --state',
      })
    }
    await unlink(file).catch(() => undefined)
  }
}

/** The process that holds a state folder and is alive; undefined where nobody does. */
export async function stateHolder(file: string): Promise<number | undefined> {
  const holder = await readHolder(file)
  return holder !== undefined && (await isAlive(holder)) ? holder.processId : undefined
}

async function readHolder(file: string): Promise<Holder | undefined> {
  try {
    const parsed: unknown = JSON.parse(await readFile(file, 'utf8'))
    if (typeof parsed !== 'object' || parsed === null) return undefined
    const processId: unknown = Reflect.get(parsed, 'processId')
    const began: unknown = Reflect.get(parsed, 'began')
    return typeof processId === 'number' && typeof began === 'string' ? { processId, began } : undefined
  } catch {
    return undefined
  }
}

async function isAlive({ processId, began }: Holder): Promise<boolean> {
  try {
    process.kill(processId, 0)
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return false
  }
  return (await beginningOf(processId)) === began
}

/** Field 22 of `/proc/<pid>/stat`; the name before it may have blanks, but ends at the last parenthesis. */
async function beginningOf(processId: number): Promise<string> {
  const text = await readFile(`/proc/${processId}/stat`, 'utf8').catch(() => '')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}
