import { toMeshError } from '../../core/errors.ts'
import type { DataProxy, DataProxyProof, DataProxyStarter } from '../../mirror/data-proxy.ts'
import { countTable } from './mirror-text.ts'
import { listenForStop } from '../signals.ts'

/** What a data proxy said at its end; `unproven`: why it could say nothing. */
export type NamedProof =
  | (DataProxyProof & { readonly name: string; readonly unproven?: undefined })
  | { readonly name: string; readonly unproven: string }

/** A run with what its data proxies said; undefined where INT or TERM came before these were ready: nothing was run then. */
export type RunWithData<Result> = { readonly result: Result; readonly proofs: readonly NamedProof[] } | undefined

/** Runs with the environment's data proxies, which are there before the first copy and end after the last, also where a signal comes. */
export async function withDataProxies<Result>(
  starter: DataProxyStarter,
  run: () => Promise<Result>,
): Promise<RunWithData<Result>> {
  // What runs listens for itself. This is for the time before and after: a signal then must not leave a server of ours behind.
  const stop = listenForStop()
  try {
    const proxies = await startUnlessStopped(starter, stop.drain)
    if (proxies === undefined) return undefined
    const result = await run().catch(async (error: unknown) => {
      await closeAll(proxies)
      throw error
    })
    return { result, proofs: await closeAll(proxies) }
  } finally {
    stop.release()
  }
}

/** One that fails to end takes nothing from the others. */
function closeAll(proxies: readonly DataProxy[]): Promise<NamedProof[]> {
  return Promise.all(
    proxies.map(async (proxy) => {
      const { name } = proxy
      try {
        return { name, ...(await proxy.close()) }
      } catch (thrown) {
        const { message, code } = toMeshError(thrown)
        return { name, unproven: `${message} [${code}]` }
      }
    }),
  )
}

/** What the proofs make of a run: did production see a write, and did all data serve, and say so, to the end? */
export function judgeProofs(proofs: readonly NamedProof[]): 'written' | 'lost' | 'whole' {
  if (proofs.some((proof) => proof.unproven === undefined && proof.productionWrites > 0)) return 'written'
  return proofs.some((proof) => proof.unproven !== undefined || proof.lost !== undefined) ? 'lost' : 'whole'
}

async function startUnlessStopped(
  starter: DataProxyStarter,
  signal: AbortSignal,
): Promise<readonly DataProxy[] | undefined> {
  try {
    const proxies = await starter.start(signal)
    if (!signal.aborted) return proxies
    await closeAll(proxies)
    return undefined
  } catch (error) {
    if (signal.aborted) return undefined
    throw error
  }
}

/** The lines of the proof that speak of data; '' without a data proxy. */
export function dataProofText(proofs: readonly NamedProof[]): string {
  return proofs.map((proof) => `\n${proofLines(proof).join('\n')}\n`).join('')
}

function proofLines(proof: NamedProof): string[] {
  if (proof.unproven !== undefined) return [proof.name, `  no proof: ${proof.unproven}`]
  const { name, counts, productionWrites, notes } = proof
  const rows = Object.entries({ 'production writes': productionWrites, ...counts })
  return [
    name,
    ...countTable(rows.map(([what, count]) => [`  ${what}`, count, ''])),
    ...notes.map((note) => `  ${note}`),
  ]
}
