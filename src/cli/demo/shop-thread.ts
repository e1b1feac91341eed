import type { AddressInfo } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import type { ServerOptions } from '../../cow/postgres/server-options.ts'
import { postgresData } from './postgres-data.ts'
import { createShop } from './shop.ts'
import { memoryData } from './shop-data.ts'

/** A shop that the thread is to run. */
export interface ShopPlan {
  /** Where it keeps its goods; undefined: in its memory. */
  readonly database?: ServerOptions
}

/** What the thread posts once all its shops listen: their ports on 127.0.0.1, in the order of its plans. */
export interface ShopsReady {
  readonly ports: readonly number[]
}

/** Runs the shops of the demo, so that their work does not disturb whoever measures them. */
async function serve(plans: readonly ShopPlan[]): Promise<void> {
  const ports: number[] = []
  for (const { database } of plans) {
    const server = createShop(database === undefined ? memoryData() : postgresData(database))
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

function arePlans(value: unknown): value is readonly ShopPlan[] {
  return Array.isArray(value)
}

const plans: unknown = workerData
if (arePlans(plans)) await serve(plans)
