import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { MESH } from './mesh.ts'

/** `script` (util-linux) gives a program a terminal of its own. */
export const HAS_TERMINAL: boolean = spawnSync('script', ['--version']).status === 0

/** A `mesh` on a terminal. */
export interface MeshOnTerminal {
  /** Types. */
  type(keys: string): void
  /** Resolves when the terminal was sent what matches, from the beginning on. */
  shown(pattern: RegExp): Promise<void>
  /** Resolves with everything that the terminal was sent, and the exit code. */
  readonly ended: Promise<{ readonly code: number | null; readonly text: string }>
}

/** Starts the built binary on a terminal of 100 by 30. */
export function startMeshOnTerminal(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): MeshOnTerminal {
  const quoted = [process.execPath, MESH, ...words].map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`)
  const command = `stty cols 100 rows 30; exec ${quoted.join(' ')}`
  const inherited = Object.entries(process.env).filter(([name]) => !/^(MESH_|CI$|NO_COLOR$|FORCE_COLOR$)/.test(name))
  const child = spawn('script', ['-qefc', command, '/dev/null'], {
    env: { ...Object.fromEntries(inherited), TERM: 'xterm', ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let text = ''
  const listeners = new Set<() => void>()
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', (piece: string) => {
    text += piece
    for (const listener of listeners) listener()
  })
  const ended = once(child, 'close').then(([code]: unknown[]) => ({
    code: typeof code === 'number' ? code : null,
    text,
  }))
  return {
    type: (keys) => void child.stdin.write(keys),
    ended,
    shown: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!pattern.test(text)) return
          listeners.delete(look)
          resolve()
        }
        listeners.add(look)
        void ended.then(() => reject(new Error(`mesh ended without showing ${String(pattern)}: ${text}`)))
        look()
      }),
  }
}
