import type { DataProxy, DataProxyProof, DataProxyStarter } from '../mirror/data-proxy.ts'
import { countTable } from './mirror-text.ts'
import { listenForStop } from './signals.ts'

/** What a data proxy said at its end. */
export interface NamedProof extends DataProxyProof {
  readonly name: string
}

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
    const close = (): Promise<NamedProof[]> =>
      Promise.all(proxies.map(async (proxy) => ({ name: proxy.name, ...(await proxy.close()) })))
    const result = await run().catch(async (error: unknown) => {
      await close()
      throw error
    })
    return { result, proofs: await close() }
  } finally {
    stop.release()
  }
}

async function startUnlessStopped(
  starter: DataProxyStarter,
  signal: AbortSignal,
): Promise<readonly DataProxy[] | undefined> {
  try {
    const proxies = await starter.start(signal)
    if (!signal.aborted) return proxies
    for (const proxy of proxies) await proxy.close()
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

function proofLines({ name, counts, productionWrites, notes }: NamedProof): string[] {
  const rows = Object.entries({ 'production writes': productionWrites, ...counts })
  return [
    name,
    ...countTable(rows.map(([what, count]) => [`  ${what}`, count, ''])),
    ...notes.map((note) => `  ${note}`),
  ]
}
