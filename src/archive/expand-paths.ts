import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { MeshError, toMeshError } from '../core/errors.ts'

/** Files that one pattern or directory may name: more is a mistake in the pattern. */
const MAX_FILES = 100_000

/**
 * The files that arguments name, sorted within each argument, each once: a file as it is, a directory's files of one extension (not those
 * of its directories), a pattern of `*`, `?`, `[a-z]` and `**`, and `-`. What names nothing is an error that says so.
 */
export async function expandPaths(args: readonly string[], extension: string): Promise<readonly string[]> {
  const paths = new Set<string>()
  for (const arg of args) for (const path of await expandPath(arg, extension)) paths.add(path)
  if (paths.size === 0) {
    throw new MeshError('MESH_ERR_USAGE', { what: 'expected a file, a directory or -, found no argument' })
  }
  return [...paths]
}

async function expandPath(arg: string, extension: string): Promise<readonly string[]> {
  if (arg === '-') return [arg]
  const kind = await kindOf(arg)
  if (kind === 'file') return [arg]
  if (kind === 'directory') {
    const names = await list(arg)
    return found(
      names.filter((name) => name.endsWith(extension)).map((name) => join(arg, name)),
      `a directory with *${extension} files`,
      arg,
    )
  }
  if (!/[*?[]/.test(arg)) throw toMeshError({ code: 'ENOENT' }, arg)
  const absolute = arg.startsWith('/')
  const parts = arg.split('/').filter((part) => part !== '')
  return found(await matches(absolute ? '/' : '', parts), 'files that match', arg)
}

function found(paths: readonly string[], expected: string, arg: string): readonly string[] {
  if (paths.length > 0) return paths
  throw new MeshError('MESH_ERR_FILE_NOT_FOUND', {
    what: `expected ${expected}, found none`,
    where: arg,
    remedy: 'check the path',
  })
}

async function matches(folder: string, parts: readonly string[]): Promise<string[]> {
  const [part, ...rest] = parts
  if (part === undefined) return (await kindOf(folder)) === 'file' ? [folder] : []
  if (part === '**') {
    const here = await matches(folder, rest.length === 0 ? ['*'] : rest)
    const below: string[] = []
    for (const name of await listFolders(folder)) below.push(...(await matches(join(folder, name), parts)))
    return limited([...here, ...below])
  }
  if (!/[*?[]/.test(part)) return matches(join(folder, part), rest)
  const pattern = segmentPattern(part)
  const all: string[] = []
  for (const name of await list(folder === '' ? '.' : folder)) {
    if (pattern.test(name)) all.push(...(await matches(join(folder, name), rest)))
  }
  return limited(all)
}

function limited(paths: string[]): string[] {
  if (paths.length <= MAX_FILES) return paths
  throw new MeshError('MESH_ERR_LIMIT', { what: `expected at most ${MAX_FILES} files, found more` })
}

/** `*` and `?` do not match a leading dot. */
function segmentPattern(part: string): RegExp {
  const body = part
    .replaceAll(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
    .replaceAll('[!', '[^')
  try {
    return new RegExp(`^(?!\\.)${body}$`)
  } catch {
    return new RegExp(`^${part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`)
  }
}

async function list(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort()
  } catch (error) {
    const mesh = toMeshError(error, folder)
    if (mesh.code === 'MESH_ERR_FILE_NOT_FOUND' || /ENOTDIR/.test(mesh.what)) return []
    throw mesh
  }
}

async function listFolders(folder: string): Promise<string[]> {
  const entries = await readdir(folder === '' ? '.' : folder, { withFileTypes: true })
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort()
}

async function kindOf(path: string): Promise<'file' | 'directory' | undefined> {
  try {
    return (await stat(path)).isDirectory() ? 'directory' : 'file'
  } catch {
    return undefined
  }
}
