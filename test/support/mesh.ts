import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The built binary. */
export const MESH: string = fileURLToPath(new URL('../../bin/mesh.js', import.meta.url))

/** What a finished `mesh` left behind. */
export interface MeshResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A `mesh` that runs: the built binary in a process of its own. */
export interface RunningMesh {
  readonly process: ChildProcess
  /** Resolves with the first match of its stderr so far; rejects when it ends without. */
  said(pattern: RegExp): Promise<RegExpExecArray>
  signal(name: NodeJS.Signals): void
  readonly ended: Promise<MeshResult>
}

/** Starts the built binary. Settings of the surrounding environment do not reach it. */
export function startMesh(
  words: readonly string[],
  options: {
    readonly input?: Uint8Array
    readonly cwd?: string
    /** Variables beside those of the surrounding environment, or instead of them. */
    readonly environment?: Readonly<Record<string, string>>
  } = {},
): RunningMesh {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(MESH_|GITHUB_STEP_SUMMARY$)/.test(name))
  const environment = { ...Object.fromEntries(inherited), ...options.environment }
  const child = spawn(process.execPath, [MESH, ...words], {
    env: environment,
    cwd: options.cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input)
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  const listeners = new Set<() => void>()
  child.stdout.on('data', (bytes: Buffer) => stdout.push(bytes))
  child.stderr.on('data', (bytes: Buffer) => {
    stderr.push(bytes)
    for (const listener of listeners) listener()
  })
  const text = (pieces: readonly Buffer[]): string => Buffer.concat(pieces).toString('utf8')
  const ended = once(child, 'close').then(([code]: unknown[]) => {
    for (const listener of listeners) listener()
    return { code: typeof code === 'number' ? code : null, stdout: text(stdout), stderr: text(stderr) }
  })
  let over = false
  void ended.then(() => (over = true))
  return {
    process: child,
    signal: (name) => void child.kill(name),
    ended,
    said: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(text(stderr))
          if (match !== null) resolve(match)
          else if (over) reject(new Error(`mesh ended without saying ${String(pattern)}: ${text(stderr)}`))
          else return
          listeners.delete(look)
        }
        listeners.add(look)
        void ended.then(look)
        look()
      }),
  }
}

/** Runs the built binary to its end. */
export function runMesh(...words: string[]): Promise<MeshResult> {
  return startMesh(words).ended
}

/** A folder for one test file's outputs; `remove` it after. */
export function temporaryFolder(): { readonly path: (name: string) => string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'mesh-test-'))
  // A server that still shuts down may write there meanwhile.
  const options = { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }
  return { path: (name) => join(folder, name), remove: () => rmSync(folder, options) }
}
