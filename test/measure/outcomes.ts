import type { Outcome } from '../../src/core/outcome.ts'

export const MS = 1e6

/** An outcome that left when it was due: a reply 200 after 5 ms on route 0, changed by `facts`. */
export function outcome(facts: Partial<Outcome> & { readonly serviceNs?: number } = {}): Outcome {
  const dueNs = facts.dueNs ?? 0
  const readyNs = facts.readyNs ?? dueNs
  const sentNs = facts.sentNs ?? Math.max(dueNs, readyNs)
  return {
    route: facts.route ?? 0,
    dueNs,
    readyNs,
    sentNs,
    doneNs: facts.doneNs ?? sentNs + (facts.serviceNs ?? 5 * MS),
    status: facts.status ?? 200,
    recordedStatus: facts.recordedStatus ?? 200,
    error: facts.error ?? 'none',
    bytesSent: facts.bytesSent ?? 100,
    bytesReceived: facts.bytesReceived ?? 1000,
  }
}
