import { fileURLToPath } from 'node:url'
import { spawn } from 'node:child_process'
import { once } from 'node:events'

const SCRIPT = fileURLToPath(new URL('worker-pool-server.js', import.meta.url))

/** A server of a known capacity that runs. */
export interface WorkerPool {
  readonly url: string
  readonly stop: () => Promise<void>
}

/** Starts `worker-pool-server.js`: it does `1000 * workers / serviceMs` requests a second, and no more. */
export async function startWorkerPool(workers: number, serviceMs: number): Promise<WorkerPool> {
  const child = spawn(process.execPath, [SCRIPT, String(workers), String(serviceMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [text] = (await once(child.stdout, 'data')) as [Buffer]
  return {
    url: `http://127.0.0.1:${text.toString().trim()}`,
    async stop() {
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await exit
    },
  }
}
