import type { Gate } from '../gate/gate.ts'
import { repointSql } from '../overlay/foreign-table.ts'
import { openProxyGate, type ProxyGateOptions } from '../proxy-gate.ts'
import { gateAddress } from './branch-database.ts'
import type { BranchStore } from './branch-store.ts'

/**
 * Lets a branch's foreign tables reach production: through the gate of the proxy that runs, or through one of our own, which the caller
 * closes. Errors as those of `openGate`.
 */
export async function openCheckGate(
  store: BranchStore,
  database: string,
  options: ProxyGateOptions,
  signal: AbortSignal,
): Promise<Gate | undefined> {
  if (store.holder !== undefined || store.isExternal) return undefined
  const gate = await openProxyGate(options, signal)
  try {
    await store.use(database, (admin) => admin.query(repointSql(gateAddress({ gate, upstream: options.upstream }))))
    return gate
  } catch (thrown) {
    await gate.close()
    throw thrown
  }
}
