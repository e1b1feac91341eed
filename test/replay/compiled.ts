import { execFile } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll } from 'vitest'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const BUILD = join(ROOT, 'dist')

/**
 * The compiled sources beside the packages they import, and of them the address of one: threads are started by Node itself, which does
 * not read TypeScript. Those of the last build, or where a source changed since then compiled once for the tests of a file: a second.
 */
export function compiled(source: string): () => URL {
  let folder = BUILD
  let own: string | undefined
  beforeAll(async () => {
    if (isBuilt()) return
    folder = own = await mkdtemp(join(ROOT, 'node_modules', '.mesh-test-'))
    const compiler = join(ROOT, 'node_modules', '.bin', 'tsc')
    // Types are another check's matter: the compiler writes what it read either way.
    await promisify(execFile)(compiler, ['-p', ROOT, '--outDir', folder]).catch(() => undefined)
  })
  afterAll(async () => {
    if (own !== undefined) await rm(own, { recursive: true, force: true })
  })
  return () => pathToFileURL(join(folder, source.replace(/\.ts$/, '.js')))
}

/** No source is newer than the build, as `scripts/setup.js` looks at it. */
function isBuilt(): boolean {
  const built = join(BUILD, 'cli', 'main.js')
  if (!existsSync(built)) return false
  const names = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  const newestMs = Math.max(...names.map((name) => statSync(join(ROOT, 'src', name)).mtimeMs))
  return statSync(built).mtimeMs > newestMs
}
