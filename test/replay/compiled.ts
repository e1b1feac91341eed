import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll } from 'vitest'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/**
 * Compiles the sources beside the packages they import, once for the tests of a file, and gives the address of one: threads are
 * started by Node itself, which does not read TypeScript. Takes about a second.
 */
export function compiled(source: string): () => URL {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(ROOT, 'node_modules', '.mesh-test-'))
    const compiler = join(ROOT, 'node_modules', '.bin', 'tsc')
    // Types are another check's matter: the compiler writes what it read either way.
    await promisify(execFile)(compiler, ['-p', ROOT, '--outDir', folder]).catch(() => undefined)
  }, 120_000)
  afterAll(() => rm(folder, { recursive: true, force: true }))
  return () => pathToFileURL(join(folder, source.replace(/\.ts$/, '.js')))
}
