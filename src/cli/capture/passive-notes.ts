import type { CaptureCounters } from '../../capture/pcap/pipeline.ts'
import type { LedgerKeeper } from '../../core/ledger.ts'

/**
 * Puts what a passive source counted below HTTP into the ledger's reasons when it ends: packets by what became of them, streams by
 * what had to be done to them. Packets that the kernel dropped are `dropped.kernel-packets`: their bytes are gaps.
 */
export function notePassiveCounters(counters: () => CaptureCounters): (ledger: LedgerKeeper) => void {
  return (ledger) => {
    const { packets, streams } = counters()
    const { captureDropped, ...fates } = packets
    for (const [name, count] of Object.entries(fates)) if (count > 0) ledger.note(`packets.${name}`, count)
    for (const [name, count] of Object.entries(streams)) if (count > 0) ledger.note(`streams.${name}`, count)
    if (captureDropped > 0) ledger.note('dropped.kernel-packets', captureDropped)
  }
}
