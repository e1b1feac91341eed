import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const SOURCE = fileURLToPath(new URL('../../src', import.meta.url))

/** What each folder may import: other folders, and third-party packages. docs/architecture.md says why. */
const HOUSE: Readonly<Record<string, { folders: readonly string[]; packages: readonly string[] }>> = {
  core: { folders: [], packages: [] },
  net: { folders: ['core'], packages: [] },
  wire: { folders: ['core'], packages: [] },
  select: { folders: ['core'], packages: ['@marcbachmann/cel-js'] },
  mask: { folders: ['core'], packages: ['age-encryption'] },
  compare: { folders: ['core'], packages: [] },
  archive: { folders: ['core'], packages: ['@mcap/core', 'protobufjs', '@foxglove/wasm-zstd'] },
  measure: { folders: ['core'], packages: ['hdr-histogram-js'] },
  capture: { folders: ['core', 'net', 'wire', 'select', 'mask'], packages: [] },
  replay: {
    folders: ['core', 'net', 'wire', 'select', 'compare', 'mask', 'measure'],
    packages: ['autocannon', 'esbuild'],
  },
  mirror: { folders: ['core', 'net', 'wire', 'select', 'compare', 'mask', 'measure'], packages: [] },
  cow: { folders: ['core', 'net', 'wire', 'mask'], packages: ['libpg-query', '@electric-sql/pglite-tools'] },
  export: { folders: ['core', 'wire'], packages: [] },
  report: { folders: ['core', 'measure', 'observe'], packages: [] },
  observe: { folders: ['core'], packages: [] },
  tui: { folders: ['core', 'measure', 'report'], packages: ['ink', 'react'] },
  cli: { folders: ['*'], packages: ['commander', 'zod', 'yaml'] },
}

/** Built-in modules that do I/O: not for the vocabulary, and not for codecs. */
const PURE_FOLDERS = new Set(['core', 'wire', 'select', 'compare'])
const INPUT_OUTPUT = /^node:(net|tls|http|https|dgram|dns|fs|fs\/promises|child_process|worker_threads)$/

interface Import {
  readonly file: string
  readonly folder: string
  readonly specifier: string
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
}

function allImports(): Import[] {
  return sourceFiles(SOURCE).flatMap((path) => {
    const file = relative(SOURCE, path)
    const folder = file.includes('/') ? (file.split('/')[0] ?? '') : ''
    const text = readFileSync(path, 'utf8')
    const found = text.matchAll(
      /^(?:import|export)\s[^'"]*?from\s+'([^']+)'|^import\s+'([^']+)'|\bimport\('([^']+)'\)/gm,
    )
    return [...found].map((match) => ({ file, folder, specifier: match[1] ?? match[2] ?? match[3] ?? '' }))
  })
}

function breach({ file, folder, specifier }: Import): string | undefined {
  const rules = HOUSE[folder]
  if (folder === '' && file === 'index.ts') return undefined
  if (rules === undefined) return `${file}: the folder ${folder} has no row in the import table`
  if (specifier.startsWith('node:')) {
    if (PURE_FOLDERS.has(folder) && INPUT_OUTPUT.test(specifier)) return `${file} does I/O through ${specifier}`
    return undefined
  }
  if (specifier.startsWith('.')) {
    const target = relative(SOURCE, join(SOURCE, dirname(file), specifier)).split('/')[0] ?? ''
    if (target === folder || rules.folders.includes('*') || rules.folders.includes(target)) return undefined
    return `${file} imports ${specifier}: ${folder} may not import ${target}`
  }
  const name = specifier.startsWith('@') ? specifier.split('/').slice(0, 2).join('/') : (specifier.split('/')[0] ?? '')
  return rules.packages.includes(name) ? undefined : `${file} imports ${name}: not a package of ${folder}`
}

describe('the house', () => {
  it('keeps to its import table', () => {
    const breaches = allImports().flatMap((found) => breach(found) ?? [])
    expect(breaches).toEqual([])
  })

  it('has no circle of imports, of types neither', () => {
    const edges = new Map<string, string[]>()
    for (const { file, specifier } of allImports()) {
      if (!specifier.startsWith('.')) continue
      const target = relative(SOURCE, join(SOURCE, dirname(file), specifier))
      edges.set(file, [...(edges.get(file) ?? []), target])
    }
    expect(circle(edges)).toEqual([])
  })

  it('has each third-party package behind one file', () => {
    const users = new Map<string, Set<string>>()
    for (const { file, specifier } of allImports()) {
      if (specifier.startsWith('.') || specifier.startsWith('node:')) continue
      users.set(specifier, (users.get(specifier) ?? new Set()).add(file))
    }
    const spread = [...users]
      .filter(([, files]) => files.size > 1)
      .map(([name, files]) => `${name}: ${[...files].join(', ')}`)
    expect(spread.filter((line) => !line.startsWith('commander:'))).toEqual([])
  })

  it('reads the clock in one file only', () => {
    const readers = sourceFiles(SOURCE)
      .filter((path) =>
        /\b(performance\.now|process\.hrtime|Date\.now)\b/.test(withoutComments(readFileSync(path, 'utf8'))),
      )
      .map((path) => relative(SOURCE, path))
    expect(readers).toEqual(['core/clock.ts'])
  })

  it('prints and exits in cli only', () => {
    const speakers = sourceFiles(SOURCE)
      .filter((path) => !relative(SOURCE, path).startsWith('cli/'))
      .filter((path) =>
        /\bconsole\.|process\.(exit|stdout|stderr|argv|env)\b/.test(withoutComments(readFileSync(path, 'utf8'))),
      )
      .map((path) => relative(SOURCE, path))
    expect(speakers).toEqual([])
  })
})

/** The first circle found, as the files on it; empty where there is none. */
function circle(edges: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const done = new Set<string>()
  const path: string[] = []
  const visit = (file: string): readonly string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return []
    done.add(file)
    path.push(file)
    for (const next of edges.get(file) ?? []) {
      const found = visit(next)
      if (found.length > 0) return found
    }
    path.pop()
    return []
  }
  for (const file of edges.keys()) {
    const found = visit(file)
    if (found.length > 0) return found
  }
  return []
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
}
