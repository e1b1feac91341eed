import { execFile } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { promisify } from 'node:util'
import { MeshError } from '../../../core/errors.ts'

/** A user of this machine. */
export interface Account {
  readonly name: string
  readonly userId: number
  readonly groupId: number
}

/** PostgreSQL refuses to run as root; these are tried in turn. */
const SERVANTS = ['postgres', 'nobody']

/**
 * The account that PostgreSQL is to run as: undefined for our own, `postgres` or else `nobody` where we are root.
 *
 * @throws MeshError MESH_ERR_PERMISSION where we are root and there is neither.
 */
export async function servantAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined
  for (const name of SERVANTS) {
    const [userId, groupId] = await Promise.all([idOf('-u', name), idOf('-g', name)])
    if (userId !== undefined && groupId !== undefined) return { name, userId, groupId }
  }
  throw new MeshError('MESH_ERR_PERMISSION', {
    what: `PostgreSQL does not run as root, and there is no user named ${SERVANTS.join(' or ')}`,
    remedy: 'run mesh as another user, or name a server with --overlay URL',
  })
}

async function idOf(flag: '-u' | '-g', name: string): Promise<number | undefined> {
  try {
    const { stdout } = await promisify(execFile)('id', [flag, name])
    return Number(stdout.trim())
  } catch {
    return undefined
  }
}

/**
 * Sees to it that another user can get to a folder: every folder above it has to let others pass.
 *
 * @throws MeshError MESH_ERR_PERMISSION naming the folder that is closed.
 */
export async function requirePassage(folder: string, account: Account): Promise<void> {
  for (let place = resolve(folder); dirname(place) !== place; place = dirname(place)) {
    const { mode, uid } = await stat(place)
    if ((mode & 0o001) === 0 && uid !== account.userId) {
      throw new MeshError('MESH_ERR_PERMISSION', {
        what: `the user ${account.name}, as whom PostgreSQL runs here, cannot enter a folder on the way to the overlay`,
        where: place,
        remedy: 'choose a state folder outside private homes with --state',
      })
    }
  }
}
