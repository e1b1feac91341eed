import { setTimeout as pause } from 'node:timers/promises'
import { openRecordings } from '../../src/archive/open.ts'
import { latin1 } from '../../src/core/bytes.ts'
import type { Exchange } from '../../src/core/exchange.ts'
import { hasResponse } from '../../src/core/exchange.ts'
import type { Ledger, LedgerUnit } from '../../src/core/ledger.ts'
import { ledgerImbalance } from '../../src/core/ledger.ts'
import type { RecordingInfo } from '../../src/core/recording.ts'

/** A recording on a disk, read to its end. */
export interface Recorded {
  readonly info: RecordingInfo
  readonly ending: 'closed' | 'cut'
  readonly exchanges: readonly Exchange[]
  readonly ledger: Ledger
  /** Units that do not balance. */
  readonly imbalance: ReadonlyMap<LedgerUnit, number>
}

/** Reads what the paths hold (files, folders, patterns), which has to be one recording, in one part or several. */
export async function readRecording(...paths: readonly string[]): Promise<Recorded> {
  const readers = await openRecordings(paths, process.stdin)
  const [reader] = readers
  if (reader === undefined || readers.length > 1) throw new Error(`expected one recording, found ${readers.length}`)
  const exchanges: Exchange[] = []
  for await (const batch of reader.exchangeBatches()) exchanges.push(...batch)
  const ledger = await reader.ledger()
  await reader.close()
  return { info: reader.info, ending: reader.ending, exchanges, ledger, imbalance: ledgerImbalance(ledger) }
}

/** Resolves when a recording that is still being written holds so many exchanges with their replies, or after so long. */
export async function recordedSoFar(file: string, count: number, mostMs = 60_000): Promise<void> {
  const end = performance.now() + mostMs
  while (performance.now() < end) {
    // Before its first chunk there is no recording to read.
    const found = await readRecording(file).catch(() => undefined)
    if ((found?.exchanges.filter(hasResponse).length ?? 0) >= count) return
    await pause(50)
  }
}

/** `GET /cart?id=3` */
export function requestWords(exchange: Exchange): string {
  return latin1(exchange.request.head).split(' HTTP/', 1)[0] ?? ''
}

export function pathOf(exchange: Exchange): string {
  return requestWords(exchange).split(' ')[1] ?? ''
}

/** The status code, or why there is none. */
export function statusOf(exchange: Exchange): string {
  const { response } = exchange
  return typeof response === 'string' ? response : (latin1(response.head).split(' ', 2)[1] ?? '')
}
