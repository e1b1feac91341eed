import { formatCount } from '../core/units.ts'
import type { DataProxyProof, DataProxyStarter } from '../mirror/data-proxy.ts'

/** What a data proxy said at its end. */
export interface NamedProof extends DataProxyProof {
  readonly name: string
}

/** Runs with the environment's data proxies, which are there before the first copy and end after the last. */
export async function withDataProxies<Result>(
  starter: DataProxyStarter,
  run: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly proofs: readonly NamedProof[] }> {
  const proxies = await starter.start(new AbortController().signal)
  const close = (): Promise<NamedProof[]> =>
    Promise.all(proxies.map(async (proxy) => ({ name: proxy.name, ...(await proxy.close()) })))
  let result: Result
  try {
    result = await run()
  } catch (error) {
    await close()
    throw error
  }
  return { result, proofs: await close() }
}

/** The lines of the proof that speak of data; '' without a data proxy. */
export function dataProofText(proofs: readonly NamedProof[]): string {
  return proofs.map((proof) => `\n${proofLines(proof).join('\n')}\n`).join('')
}

function proofLines({ name, counts, productionWrites, notes }: NamedProof): string[] {
  const statements = Object.entries(counts).map(([what, count]) => `${formatCount(count)} ${what}`)
  return [`${name}: ${statements.join(', ')}`, `  production writes: ${formatCount(productionWrites)}`, ...notes]
}
