import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { CaptureInput } from '../../../src/capture/pcap/source.ts'
import { captureFile, PcapSource } from '../../../src/capture/pcap/source.ts'
import { rejectionOf } from '../../support/errors.ts'
import { ethernet, ipv4, join, ngBlocks, pcap, tcp } from '../../support/packets.ts'
import { collect, streams, transcript } from '../../support/segments.ts'

const never = new AbortController().signal

function fixture(name: string): string {
  return fileURLToPath(new URL(`../../../fixtures/pcap/${name}`, import.meta.url))
}

/** A stream of bytes in chunks of this size, as a pipe gives them. */
function pipe(bytes: Uint8Array, chunkBytes = bytes.length): CaptureInput {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
  }
  return { name: 'stdin', bytes: chunks() }
}

/** Packets of one direction, `size` bytes each. */
function frames(count: number, size: number): { bytes: Uint8Array; seconds: number }[] {
  return Array.from({ length: count }, (_, index) => ({
    bytes: ethernet(ipv4(tcp('x'.repeat(size), { sequence: 1000 + index * size }))),
    seconds: 1_700_000_000,
  }))
}

describe('PcapSource', () => {
  it.each(['shop.pcap', 'shop-be-ns.pcap', 'shop.pcapng', 'shop.pcap.gz'])('reads %s', async (name) => {
    const source = await PcapSource.open(captureFile(fixture(name)))
    expect(source.originUnixNs).toBe(1_735_689_600_000_000_000n)
    const segments = await collect(source.segments(never))
    expect(source.ending).toBeUndefined()
    expect(source.counters.packets).toMatchObject({ packets: 13, tcp: 13 })
    expect(segments[0]).toEqual({
      kind: 'open',
      connection: 0,
      atNs: 0,
      client: { address: '192.0.2.10', port: 45_678 },
      server: { address: '192.0.2.20', port: 8080 },
      midStream: false,
    })
    expect(transcript(segments).map((line) => line.split('\r\n')[0])).toEqual([
      'open',
      '> GET /items?page=1 HTTP/1.1',
      '< HTTP/1.1 200 OK',
      '> GET /items/3 HTTP/1.1',
      '< HTTP/1.1 404 Not Found',
      '< 0',
      '> HEAD /items HTTP/1.1',
      '< HTTP/1.1 200 OK',
      '> fin',
      '< fin',
    ])
    expect(segments[2]).toMatchObject({ atNs: 6e6, acknowledged: 67 })
  })

  it('reports a lost response before the next request', async () => {
    const source = await PcapSource.open(captureFile(fixture('shop-lost.pcap')))
    const lines = transcript(await collect(source.segments(never))).map((line) => line.split(' HTTP')[0])
    expect(lines.slice(1, 4)).toEqual(['> GET /items?page=1', '< gap 54', '> GET /items/3'])
  })

  it('gives the same segments for any size of chunks', async () => {
    const bytes = await readFile(fixture('shop.pcap'))
    for (const packed of [bytes, gzipSync(bytes)]) {
      const whole = transcript(await collect((await PcapSource.open(pipe(bytes))).segments(never)))
      for (const size of [1, 3, 100]) {
        const source = await PcapSource.open(pipe(packed, size))
        expect(transcript(await collect(source.segments(never)))).toEqual(whole)
      }
    }
  })

  it('gives all that lies before the cut of a file, then says where it is cut', async () => {
    const path = fixture('shop-cut.pcap')
    const source = await PcapSource.open(captureFile(path))
    expect(await collect(source.segments(never))).toHaveLength(10)
    expect(source.ending).toMatchObject({ code: 'MESH_ERR_FILE_CUT', where: `${path}, offset 1215` })
    expect(source.counters.packets.packets).toBe(12)
  })

  it('gives all that can be unpacked of a gzip file that is cut', async () => {
    const file = pcap(frames(400, 1_000))
    const packed = gzipSync(file)
    const source = await PcapSource.open(pipe(packed.subarray(0, packed.length - 9), 1_000))
    const segments = await collect(source.segments(never))
    expect(source.ending?.message).toMatch(/expected more gzip data, found its end \(stdin, offset \d+\)/)
    expect(segments.filter(({ kind }) => kind === 'data')).toHaveLength(400)
  })

  it('gives what lies before the damage of a gzip file', async () => {
    const file = pcap(frames(2_000, 1_000).map((frame, at) => ({ ...frame, seconds: at * 7_919 })))
    const packed = gzipSync(file)
    packed.fill(0xff, packed.length / 2, packed.length / 2 + 100)
    const source = await PcapSource.open(pipe(packed, 500))
    const segments = await collect(source.segments(never))
    expect(source.ending).toMatchObject({ code: 'MESH_ERR_FILE_CORRUPT' })
    expect(segments.length).toBeGreaterThan(500)
  })

  it('gives what lies before the damage of a file', async () => {
    const ng = ngBlocks(true)
    const good = ng.enhanced(ethernet(ipv4(tcp('GET'))), 0n)
    const file = join(ng.section(), ng.interface(1), good, ng.enhanced(ethernet(ipv4(tcp('lost'))), 0n, 5), good)
    const source = await PcapSource.open(pipe(file))
    expect(transcript(await collect(source.segments(never)))).toEqual(['open in mid-stream', '> GET', '> cut', '< cut'])
    expect(source.ending).toMatchObject({ code: 'MESH_ERR_FILE_CORRUPT' })
  })

  it('reads a capture without packets', async () => {
    const source = await PcapSource.open(pipe(pcap([])))
    expect(source).toMatchObject({ originUnixNs: 0n, ending: undefined })
    expect(await collect(source.segments(never))).toEqual([])
  })

  it.each([
    ['a link type that is not supported', captureFile(fixture('shop-link-127.pcap')), 'MESH_ERR_LINK_TYPE'],
    ['a file that does not exist', captureFile(fixture('no-such.pcap')), 'MESH_ERR_FILE_NOT_FOUND'],
    ['a directory', captureFile(fixture('.')), 'MESH_ERR_FILE_KIND'],
    ['a file of another kind', captureFile(fixture('make.js')), 'MESH_ERR_FILE_KIND'],
    ['an empty file', pipe(new Uint8Array(0)), 'MESH_ERR_FILE_KIND'],
    ['gzip that is not', pipe(join('\x1f\x8b no gzip at all')), 'MESH_ERR_FILE_CORRUPT'],
    ['a gzipped file of another kind', pipe(gzipSync('GIF89a')), 'MESH_ERR_FILE_KIND'],
  ])('refuses %s when it is opened', async (_, input, code) => {
    const error = await rejectionOf(PcapSource.open(input))
    expect(error.code).toBe(code)
    expect(error.message).toContain(input.name)
  })

  it('follows only the named ports, and takes them for the servers', async () => {
    const packets = [tcp('80', { destinationPort: 80 }), tcp('81', { sourcePort: 81, destinationPort: 22 })]
    const file = pcap(packets.map((packet) => ({ bytes: ethernet(ipv4(packet)) })))
    const source = await PcapSource.open(pipe(file), { ports: [81] })
    const segments = await collect(source.segments(never))
    expect(segments[0]).toMatchObject({ kind: 'open', server: { port: 81 } })
    expect(streams(segments)).toEqual([{ request: '', response: '81' }])
    expect(source.counters.packets).toMatchObject({ tcp: 1, otherPorts: 1 })
  })

  it('closes what is open when it is aborted', async () => {
    const source = await PcapSource.open(pipe(pcap(frames(1_000, 100)), 5_000))
    const stop = new AbortController()
    const lines: string[] = []
    for await (const batch of source.segments(stop.signal)) {
      lines.push(...transcript(batch))
      stop.abort()
    }
    expect(lines.length).toBeLessThan(100)
    expect(lines.slice(-2)).toEqual(['> cut', '< cut'])
  })

  it('reads no further than it is asked for', async () => {
    let asked = 0
    async function* chunks(): AsyncGenerator<Uint8Array> {
      const file = pcap(frames(1_000, 100))
      for (let at = 0; at < file.length; at += 1_000) {
        asked++
        yield file.subarray(at, at + 1_000)
      }
    }
    const source = await PcapSource.open({ name: 'stdin', bytes: chunks() })
    for await (const batch of source.segments(never)) {
      expect(batch.length).toBeGreaterThan(0)
      break
    }
    expect(asked).toBe(1)
  })
})
