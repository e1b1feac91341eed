import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Account, servantAccount } from '../../src/cow/postgres/overlay/account.ts'
import { findBinaries, type PostgresBinaries } from '../../src/cow/postgres/overlay/binaries.ts'
import { startServer } from '../../src/cow/postgres/overlay/server.ts'
import { copyFolder, takeWhole } from './copied-folder.ts'

/** Binaries are copied there once for all tests of a machine, where they have to be copied at all. */
const BINARIES = join(tmpdir(), 'mesh-test-postgres')

/** What makes a cluster: another text may make another one. */
const MAKER = new URL('../../src/cow/postgres/overlay/server.ts', import.meta.url)

/** Clusters that may meet are of different kinds. */
export type ClusterKind = 'production' | 'overlay'

/** The programs of the embedded PostgreSQL, as tests run them. */
export async function testBinaries(): Promise<PostgresBinaries> {
  return findBinaries(BINARIES, (await servantAccount()) !== undefined)
}

/** Gives a state folder of mesh the programs that tests share, where mesh would copy 60 MB into it. */
export async function shareBinaries(stateFolder: string): Promise<void> {
  const name = `postgresql-${(await testBinaries()).version}`
  await mkdir(stateFolder, { recursive: true })
  await chmod(stateFolder, 0o755)
  if (existsSync(join(BINARIES, name))) await symlink(join(BINARIES, name), join(stateFolder, name))
}

/**
 * Puts a new cluster into `folder`, as `startServer` would make it there: one is made for all tests of a machine and copied, a tenth of
 * the work. Clusters of one kind have one system identifier: production and its overlay have to be of two.
 */
export async function placeCluster(kind: ClusterKind, folder: string): Promise<void> {
  const account = await servantAccount()
  const template = await clusterTemplate(kind, account)
  await mkdir(folder, { mode: 0o700, recursive: true })
  if (account !== undefined) await chown(folder, account.userId, account.groupId)
  await copyFolder(template, join(folder, 'data'))
}

async function clusterTemplate(kind: ClusterKind, account: Account | undefined): Promise<string> {
  const binaries = await testBinaries()
  const recipe = createHash('sha256').update(binaries.version).update(readFileSync(MAKER)).digest('hex').slice(0, 12)
  const template = join(tmpdir(), `mesh-test-cluster-${kind}-${process.getuid?.() ?? 0}-${recipe}`)
  if (existsSync(template)) return template
  const aside = await mkdtemp(join(tmpdir(), 'mesh-pg-'))
  await chmod(aside, 0o755)
  const paths = { folder: join(aside, 'state'), socketFolder: join(aside, 'socket') }
  const never = new AbortController().signal
  const server = await startServer({ binaries, account, ...paths, settings: { fsync: 'off' } }, never)
  await server.close()
  await takeWhole(join(aside, 'state', 'data'), template)
  await rm(aside, { recursive: true, force: true })
  return template
}
