import type { AddressInfo } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { createShop } from './shop.ts'

/** What the thread posts once all its shops listen: their ports on 127.0.0.1, in the order of the names it was given. */
export interface ShopsReady {
  readonly ports: readonly number[]
}

/** Runs the shops of the demo, so that their work does not disturb whoever measures them. */
async function serve(names: readonly string[]): Promise<void> {
  const ports: number[] = []
  for (const name of names) {
    const { server } = createShop(name)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, '127.0.0.1', resolve)
    })
    ports.push(portOf(server.address()))
  }
  const ready: ShopsReady = { ports }
  parentPort?.postMessage(ready)
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === 'object' && address !== null ? address.port : 0
}

const names: unknown = workerData
if (Array.isArray(names)) await serve(names.map(String))
