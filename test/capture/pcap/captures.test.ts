import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { emptyPacket } from '../../../src/capture/pcap/packet.ts'
import { CaptureParser } from '../../../src/capture/pcap/parser.ts'
import { captureFile, PcapSource } from '../../../src/capture/pcap/source.ts'
import { capturePath, CAPTURES_ABSENT } from '../../support/captures.ts'
import { collect, streams, transcript } from '../../support/segments.ts'

const never = new AbortController().signal

/**
 * Connections, and bytes of requests and responses, of each capture: what `tshark -z follow,tcp,raw` gives too, which was compared byte
 * by byte. The one gap is the dropped response.
 */
const CAPTURES: readonly (readonly [file: string, connections: number, request: number, response: number])[] = [
  ['akita/simple_http.pcap', 1, 341, 850],
  ['akita/simple_http_two.pcap', 1, 603, 1158],
  ['akita/simple_http_two_with_noise.pcap', 2, 603, 1158],
  ['arkime/http-content-gzip.pcap', 1, 417, 478],
  ['arkime/http-tcp-seq-issue.pcap', 1, 785, 1444],
  ['arkime/http-wrapped-header.pcap', 1, 3413, 706],
  ['arkime/http2-nghttp2.pcap', 1, 18_761, 46_136],
  ['arkime/v6-http.pcap', 1, 240, 2259],
  ['gopacket/be/test001.pcapng', 0, 0, 0],
  ['gopacket/le/test001.pcapng', 0, 0, 0],
  ['gopacket/le/test018.pcapng', 0, 0, 0],
  ['gopacket/le/test201.pcapng', 0, 0, 0],
  ['gopacket/test_loopback.pcap', 2, 1465, 54_866],
  ['suricata/http2-range.pcap', 5, 1012, 1267],
  ['zeek/100-continue.pcap', 1, 2222, 61_102],
  ['zeek/1000-requests-one-dropped-response.pcap.gz', 1, 144_000, 852_757],
  ['zeek/206_example_c.pcap', 2, 19_409, 520_511],
  ['zeek/docker-http-upgrade.pcap', 3, 3014, 1735],
  ['zeek/get_nosyn.pcap', 1, 136, 5007],
  ['zeek/http-post-large.pcap', 2, 123_824, 120_956],
  ['zeek/http-vlan-0.pcap', 1, 136, 5007],
  ['zeek/methods.pcap', 49, 1861, 182_450],
  ['zeek/pipelined-requests.pcap', 1, 2718, 39_644],
  ['zeek/smuggle-http-request.pcap', 1, 316, 348],
  ['zeek/variant-04-te_cl_desync.pcap', 1, 132, 0],
]

/** A packet as both readers give it. */
interface Seen {
  readonly seconds: number
  readonly microseconds: number
  readonly originalLength: number
  readonly data: string
}

function seen(seconds: number, microseconds: number, originalLength: number, data: Uint8Array): Seen {
  return { seconds, microseconds, originalLength, data: createHash('sha256').update(data).digest('hex') }
}

/** Packets of a classic pcap, as the package `pcap-parser` reads them. */
async function readElsewhere(path: string): Promise<Seen[]> {
  const load: NodeJS.Require = createRequire(import.meta.url)
  const parser = load('pcap-parser').parse(path)
  const packets: Seen[] = []
  await new Promise<void>((resolve, reject) => {
    parser.on('packet', ({ header, data }: { header: Record<string, number>; data: Uint8Array }) => {
      const { timestampSeconds = 0, timestampMicroseconds = 0, originalLength = 0 } = header
      packets.push(seen(timestampSeconds, timestampMicroseconds, originalLength, data))
    })
    parser.on('end', resolve)
    parser.on('error', reject)
  })
  return packets
}

async function readHere(path: string): Promise<Seen[]> {
  const parser = new CaptureParser(path)
  const packet = emptyPacket()
  const packets: Seen[] = []
  parser.append(await readFile(path))
  while (parser.next(packet)) {
    const { seconds, nanoseconds, originalLength, bytes, start, end } = packet
    packets.push(seen(seconds, nanoseconds / 1000, originalLength, bytes.subarray(start, end)))
  }
  expect(parser.finish()).toBeUndefined()
  return packets
}

describe.skipIf(CAPTURES_ABSENT)('real captures', () => {
  it.each(CAPTURES)('%s has %i connections with %i and %i bytes', async (file, connections, request, response) => {
    const source = await PcapSource.open(captureFile(capturePath(file)))
    const segments = await collect(source.segments(never))
    const bytes = { request: 0, response: 0 }
    for (const segment of segments) if (segment.kind === 'data') bytes[segment.direction] += segment.bytes.length
    expect(source.ending).toBeUndefined()
    expect(segments.filter(({ kind }) => kind === 'open')).toHaveLength(connections)
    expect(segments.filter(({ kind }) => kind === 'close')).toHaveLength(2 * connections)
    expect(bytes).toEqual({ request, response })
    const dropped = file.includes('one-dropped-response')
    expect(source.counters.streams).toMatchObject({ gaps: dropped ? 1 : 0, missingBytes: dropped ? 238 : 0 })
    expect(source.counters.packets).toMatchObject({ malformed: 0, fragmentsLost: 0 })
  })

  it.each(CAPTURES.map(([file]) => file).filter((file) => file.endsWith('.pcap')))(
    '%s has the packets that pcap-parser finds',
    async (file) => {
      const path = capturePath(file)
      expect(await readHere(path)).toEqual(await readElsewhere(path))
    },
  )

  it('has the dropped response as a gap before the next request', async () => {
    const file = capturePath('zeek/1000-requests-one-dropped-response.pcap.gz')
    const segments = await collect((await PcapSource.open(captureFile(file))).segments(never))
    const lines = transcript(segments).map((line) => line.slice(0, 7))
    expect(lines.slice(0, 5)).toEqual(['open', '> GET /', '< gap 2', expect.stringMatching(/^< /), '> GET /'])
    expect(streams(segments)[0]?.request.split('GET /')).toHaveLength(1001)
    expect(streams(segments)[0]?.response.split('HTTP/1.1 200')).toHaveLength(1000)
  })

  it('puts the data of a connection in order whose packets are not', async () => {
    const file = capturePath('arkime/http-tcp-seq-issue.pcap')
    const [stream] = streams(await collect((await PcapSource.open(captureFile(file))).segments(never)))
    expect(stream?.request).toMatch(/^[A-Z]+ \S+ HTTP\/1\.1\r\n/)
    expect(stream?.response).toMatch(/^HTTP\/1\.1 /)
  })
})
