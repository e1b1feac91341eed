#!/usr/bin/env node
/**
 * Puts what `tsc` wrote, and the packages it imports, into a few files under `dist/bundle`: the command line and its threads. Nearly half
 * of a command's start went into finding, reading and linking some 480 small modules. The files lie beside each other, so that a
 * thread is found by its name, `new URL('worker-main.js', import.meta.url)`, as it is in `dist`; what a file finds by its own place else
 * is two folders below the package, here as there.
 */
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

const THREADS = [
  'cli/capture/record-worker',
  'cli/demo/shop-thread',
  'cli/mirror/mirror-worker',
  'cli/replay/dashboard-thread',
  'cow/postgres/overlay/pg-dump-thread',
  'replay/worker-main',
]

/** They find programs or WebAssembly by their own place, or are only asked for where a developer debugs. */
const LEFT_ALONE = [
  '@electric-sql/pglite-tools',
  '@foxglove/wasm-zstd',
  'autocannon',
  'esbuild',
  'libpg-query',
  'react-devtools-core',
]

const outdir = `${ROOT}/dist/bundle`
rmSync(outdir, { recursive: true, force: true })
const { metafile } = await build({
  absWorkingDir: ROOT,
  entryPoints: ['cli/main', ...THREADS].map((name) => `dist/${name}.js`),
  outdir,
  entryNames: '[name]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  external: LEFT_ALONE,
  define: { 'process.env.NODE_ENV': '"production"' },
  // Packages in CommonJS ask for Node's own modules.
  banner: {
    js: `import { createRequire as requireMaker } from 'node:module';const require = requireMaker(import.meta.url);`,
  },
  metafile: true,
  logLevel: 'warning',
})
writeFileSync(`${outdir}/LICENSES.txt`, licensesOf(Object.keys(metafile.inputs)))

/** What the packages among these files ask to be kept with them: each one's own licence. */
function licensesOf(files) {
  const folders = new Set(files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []))
  const texts = [...folders]
    .toSorted((left, right) => (left < right ? -1 : 1))
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(`${ROOT}/${folder}/package.json`, 'utf8'))
      const own = readdirSync(`${ROOT}/${folder}`).filter((file) => /^licen[cs]e/i.test(file))
      const text = own.map((file) => readFileSync(`${ROOT}/${folder}/${file}`, 'utf8')).join('\n')
      return `${name} ${version} (${license})\n\n${text}`
    })
  return texts.join(`\n${'-'.repeat(80)}\n\n`)
}
