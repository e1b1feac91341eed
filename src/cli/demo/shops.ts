import { Worker } from 'node:worker_threads'
import type { ShopPlan, ShopsReady } from './shop-thread.ts'

/** Shops that run in a thread of their own. */
export interface Shops {
  /** Their ports on 127.0.0.1, in the order of the plans. */
  readonly ports: readonly number[]
  close(): Promise<void>
}

/** Starts shops; resolves when all listen. */
export async function startShops(plans: readonly ShopPlan[]): Promise<Shops> {
  const thread = new Worker(new URL('shop-thread.js', import.meta.url), { workerData: plans })
  const close = async (): Promise<void> => void (await thread.terminate())
  try {
    const ports = await new Promise<readonly number[]>((resolve, reject) => {
      thread.once('message', (ready: ShopsReady) => resolve(ready.ports))
      thread.once('error', reject)
    })
    return { ports, close }
  } catch (error) {
    await close()
    throw error
  }
}
