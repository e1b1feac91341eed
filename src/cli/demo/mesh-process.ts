import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { MeshError } from '../../core/errors.ts'

const MESH = fileURLToPath(new URL('../../../bin/mesh.js', import.meta.url))

/** A `mesh` of its own, as a person would start it. */
export interface MeshProcess {
  /** Resolves with the first line of talk that matches; rejects where the process ends first. */
  line(pattern: RegExp): Promise<RegExpExecArray>
  /** Asks it to end in order. */
  stop(): void
  /** Its exit code. */
  readonly ended: Promise<number>
  /** Everything it said on stderr, for when it fails. */
  said(): string
}

/** Talk of a process that is kept, in lines: enough to say why it failed. */
const MAX_KEPT_LINES = 200

/** Starts `mesh` with these words and listens to what it says. Its results go to our own stdout where `show` says so. */
export function startMesh(words: readonly string[], show: 'results' | 'all' | 'nothing' = 'nothing'): MeshProcess {
  const child = spawn(process.execPath, [MESH, ...words], {
    stdio: ['ignore', show === 'nothing' ? 'ignore' : 'inherit', show === 'all' ? 'inherit' : 'pipe'],
  })
  const lines: string[] = []
  const waiting = new Set<{ pattern: RegExp; found: (match: RegExpExecArray) => void }>()
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line)
      if (lines.length > MAX_KEPT_LINES) lines.shift()
      for (const waiter of waiting) {
        const match = waiter.pattern.exec(line)
        if (match !== null) waiter.found(match)
      }
    })
  }
  const ended = exitOf(child)
  return {
    ended,
    stop: () => void child.kill('SIGTERM'),
    said: () => lines.join('\n'),
    line: (pattern) =>
      new Promise((resolve, reject) => {
        for (const line of lines) {
          const match = pattern.exec(line)
          if (match !== null) return resolve(match)
        }
        const waiter = { pattern, found: resolve }
        waiting.add(waiter)
        void ended.then((code) => reject(failed(words, code, lines)))
        return undefined
      }),
  }
}

/** Runs `mesh` to its end. @throws MeshError MESH_ERR_INTERNAL where its exit code is not among `expected`. */
export async function runMesh(
  words: readonly string[],
  show: 'results' | 'all' | 'nothing',
  expected: readonly number[] = [0],
): Promise<number> {
  const mesh = startMesh(words, show)
  const code = await mesh.ended
  if (!expected.includes(code)) throw failed(words, code, mesh.said().split('\n'))
  return code
}

async function exitOf(child: ChildProcess): Promise<number> {
  const [code]: unknown[] = await once(child, 'close')
  return typeof code === 'number' ? code : 1
}

function failed(words: readonly string[], code: number, lines: readonly string[]): MeshError {
  const last = lines.findLast((line) => line.trim() !== '') ?? 'it said nothing'
  return new MeshError('MESH_ERR_INTERNAL', {
    what: `mesh ${words.slice(0, 2).join(' ')} ended with exit code ${code}: ${last}`,
  })
}
