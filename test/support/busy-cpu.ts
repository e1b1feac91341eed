import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'

/** Why tests that starve a process are skipped, or false. */
export const PINNING_ABSENT: string | false = whyNot()

/** Loops that leave others little of one CPU. */
export interface BusyCpu {
  readonly stop: () => Promise<void>
}

/** Puts a process, with all its threads, onto CPU 0 alone. */
export function pinToFirstCpu(pid: number): void {
  execFileSync('taskset', ['-a', '-c', '-p', '0', String(pid)], { stdio: 'ignore' })
}

/** Starts loops on CPU 0, and resolves when they are at it. They end when told to, and by themselves after `mostSeconds`. */
export async function keepFirstCpuBusy(loops: number, mostSeconds: number): Promise<BusyCpu> {
  const spin = `process.stdout.write('.', () => { const end = Date.now() + ${mostSeconds * 1000}; while (Date.now() < end); })`
  const children = Array.from({ length: loops }, () =>
    spawn('taskset', ['-c', '0', process.execPath, '-e', spin], { stdio: ['ignore', 'pipe', 'ignore'] }),
  )
  const exits = children.map((child) => once(child, 'exit'))
  await Promise.all(children.map((child) => once(child.stdout, 'data')))
  return {
    async stop() {
      for (const child of children) child.kill('SIGKILL')
      await Promise.all(exits)
    },
  }
}

function whyNot(): string | false {
  if (process.platform !== 'linux') return 'processes are pinned to a CPU on Linux only'
  try {
    execFileSync('taskset', ['-c', '0', 'true'], { stdio: 'ignore' })
    return false
  } catch {
    return 'taskset is not installed, or CPU 0 is not ours'
  }
}
