import { describe, expect, it } from 'vitest'
import { capture } from '../../src/capture/capture.ts'
import { captureFile, PcapSource } from '../../src/capture/pcap/source.ts'
import { latin1 } from '../../src/core/bytes.ts'
import { hasResponse } from '../../src/core/exchange.ts'
import { ledgerImbalance } from '../../src/core/ledger.ts'
import { http1 } from '../../src/wire/http1/protocol.ts'
import { captureBench, type CaptureBench } from '../support/capture-bench.ts'
import { CAPTURES_ABSENT, capturePath } from '../support/captures.ts'

async function recorded(name: string): Promise<CaptureBench> {
  const bench = captureBench({ protocol: http1 })
  const source = await PcapSource.open(captureFile(capturePath(name)))
  await capture(source, bench.pipeline, bench.writer, new AbortController().signal)
  return bench
}

/** Each row: the exchanges that are really in the capture, its messages, and what became of its connections. */
const TABLE = [
  ['akita/simple_http_two_with_noise.pcap', { exchanges: 2, responses: 2, connections: { seen: 2, whole: 2 } }],
  ['arkime/http-wrapped-header.pcap', { exchanges: 1, responses: 1, connections: { seen: 1, whole: 1 } }],
  ['arkime/http2-nghttp2.pcap', { exchanges: 0, responses: 0, connections: { seen: 1, opaque: 1 } }],
  ['gopacket/test_loopback.pcap', { exchanges: 3, responses: 3, connections: { seen: 2, whole: 1, midStream: 1 } }],
  ['suricata/http2-range.pcap', { exchanges: 5, responses: 5, connections: { seen: 5, whole: 2, opaque: 3 } }],
  ['zeek/100-continue.pcap', { exchanges: 1, responses: 1, connections: { seen: 1, whole: 1 } }],
  ['zeek/docker-http-upgrade.pcap', { exchanges: 6, responses: 6, connections: { seen: 3, whole: 2, opaque: 1 } }],
  ['zeek/get_nosyn.pcap', { exchanges: 1, responses: 1, connections: { seen: 1, midStream: 1 } }],
  [
    'zeek/methods.pcap',
    { exchanges: 9, responses: 9, connections: { seen: 49, whole: 9, opaque: 6, undecodable: 34 } },
  ],
  ['zeek/pipelined-requests.pcap', { exchanges: 5, responses: 5, connections: { seen: 1, whole: 1 } }],
  ['zeek/variant-04-te_cl_desync.pcap', { exchanges: 0, responses: 0, connections: { seen: 1, undecodable: 1 } }],
] as const

describe.skipIf(CAPTURES_ABSENT)('real captures', () => {
  it.each(TABLE)('give the exchanges that are in %s, and a ledger that balances', async (name, expected) => {
    const { writer, ledger } = await recorded(name)
    const total = ledger.total()
    expect(writer.exchanges).toHaveLength(expected.exchanges)
    expect(writer.exchanges.filter(hasResponse).length + writer.late.length).toBe(expected.responses)
    expect(total.connections).toMatchObject(expected.connections)
    expect(ledgerImbalance(total)).toEqual(new Map())
    expect([total.connections, total.requests, total.responses, total.bytes].map(({ pending }) => pending)).toEqual([
      0, 0, 0, 0,
    ])
  })

  it('give each of 1000 requests its own response where the first response was dropped', async () => {
    const { writer, ledger } = await recorded('zeek/1000-requests-one-dropped-response.pcap.gz')
    const [first, ...others] = writer.exchanges
    expect(writer.exchanges.map(({ position }) => position)).toEqual(Array.from({ length: 1000 }, (_, index) => index))
    expect(first?.response).toBe('gap')
    expect(others.filter(hasResponse)).toHaveLength(999)
    const misplaced = others.filter(hasResponse).filter(({ position, requestLastNs, response }) => {
      const next = writer.exchanges[position + 1]
      return response.firstNs <= requestLastNs || (next !== undefined && response.lastNs >= next.requestFirstNs)
    })
    expect(misplaced).toEqual([])
    const saysClose = others.filter(hasResponse).filter(({ response }) => latin1(response.head).includes('n: close'))
    expect(saysClose.map(({ position }) => position)).toEqual([999])
    const { requests, responses, bytes, connections } = ledger.total()
    expect(requests).toMatchObject({ seen: 1000, whole: 1000 })
    expect(responses).toMatchObject({ seen: 999, whole: 999 })
    expect(bytes).toMatchObject({ seen: 996_995, whole: 996_142, gap: 853 })
    expect(connections).toMatchObject({ seen: 1, cut: 1 })
  })
})
