import { describe, expect, it } from 'vitest'
import { ledgerTable } from '../../src/cli/ledger-text.ts'
import { notePassiveCounters } from '../../src/cli/capture/passive-notes.ts'
import { reasonText } from '../../src/cli/reason-text.ts'
import { emptyPacketCounters } from '../../src/capture/pcap/counters.ts'
import { emptyStreamCounters } from '../../src/capture/reassemble/counters.ts'
import { LedgerKeeper } from '../../src/core/ledger.ts'

/** Every counter of a passive source at 1. */
function passiveLedger(): LedgerKeeper {
  const ones = <Counters extends object>(counters: Counters): Counters =>
    Object.fromEntries(Object.keys(counters).map((name) => [name, 1])) as Counters
  const keeper = new LedgerKeeper()
  notePassiveCounters(() => ({ packets: ones(emptyPacketCounters()), streams: ones(emptyStreamCounters()) }))(keeper)
  return keeper
}

describe('reasons of a ledger on a screen', () => {
  it.each([
    ['requests.undecodable.two-lengths', 'requests undecodable, two-lengths'],
    ['bytes.midStream.cut', 'bytes mid stream, cut'],
    ['responses.missing.close', 'responses missing, close'],
    ['packets.packetBytes', 'packet bytes'],
    ['constructor', 'constructor'],
    ['', ''],
  ])('are words: %s is "%s"', (reason, words) => {
    expect(reasonText(reason)).toBe(words)
  })

  it('are words for every counter of packets and streams', () => {
    const { reasons } = passiveLedger().total()
    for (const reason of reasons.keys()) expect(reasonText(reason)).not.toMatch(/\.|[a-z][A-Z]/)
    expect(new Set([...reasons.keys()].map(reasonText)).size).toBe(reasons.size)
  })

  it('cannot move a cursor', () => {
    const keeper = new LedgerKeeper()
    keeper.note('requests.filtered.\u001b[2J')
    expect(ledgerTable(keeper.total())).toContain(String.raw`requests filtered, \x1b[2J: 1`)
  })
})
