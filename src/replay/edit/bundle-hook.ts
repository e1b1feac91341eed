import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { MeshError } from '../../core/errors.ts'

/** Modules that Node 20 does not read itself. */
const TYPESCRIPT = /\.[cm]?tsx?$/

export function isTypeScript(file: string): boolean {
  return TYPESCRIPT.test(file)
}

/**
 * Loads a module in TypeScript, made JavaScript with all that it imports. Types are not checked. Errors of the module name places in the
 * TypeScript.
 *
 * @throws MeshError MESH_ERR_HOOK where it cannot be compiled, with the place.
 */
export async function importTypeScript(file: string): Promise<unknown> {
  const code = await bundled(file)
  const folder = await mkdtemp(join(tmpdir(), 'mesh-hook-'))
  try {
    const path = join(folder, 'hook.mjs')
    await writeFile(path, code)
    process.setSourceMapsEnabled(true)
    return await import(pathToFileURL(path).href)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The package starts a program of its own, in a third of a second: only where there is TypeScript. */
async function bundled(file: string): Promise<Uint8Array> {
  const { build } = await import('esbuild')
  const options = { bundle: true, platform: 'node', format: 'esm', target: 'node20', sourcemap: 'inline' } as const
  try {
    const { outputFiles } = await build({ ...options, entryPoints: [file], write: false, logLevel: 'silent' })
    return outputFiles[0]?.contents ?? new Uint8Array()
  } catch (error) {
    throw new MeshError('MESH_ERR_HOOK', {
      what: `expected a module, found: ${firstMessage(error)}`,
      where: file,
      cause: error,
    })
  }
}

/** esbuild's errors have a summary, and the messages behind it. */
function firstMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const [first] = 'errors' in error && Array.isArray(error.errors) ? (error.errors as readonly unknown[]) : []
  if (typeof first !== 'object' || first === null || !('text' in first)) return error.message
  const place = 'location' in first && typeof first.location === 'object' ? first.location : null
  const at =
    place !== null && 'line' in place && 'column' in place ? ` at ${String(place.line)}:${String(place.column)}` : ''
  return `${String(first.text)}${at}`
}
