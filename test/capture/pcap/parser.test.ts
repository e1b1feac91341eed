import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { latin1 } from '../../../src/core/bytes.ts'
import { MeshError } from '../../../src/core/errors.ts'
import { emptyPacket } from '../../../src/capture/pcap/packet.ts'
import { CaptureParser } from '../../../src/capture/pcap/parser.ts'
import { thrownBy } from '../../support/errors.ts'
import { be, join, ngBlocks, pcap, word } from '../../support/packets.ts'

const PACKETS = ['first', 'second packet', '', 'last'].map((text) => ({ bytes: join(text) }))

/** Packets as `seconds.nanoseconds link text/original`. */
function read(file: Uint8Array, sizes: readonly number[] = [file.length]): string[] {
  const parser = new CaptureParser('a.pcap')
  const packet = emptyPacket()
  const found: string[] = []
  let at = 0
  for (let index = 0; at < file.length; index++) {
    const size = sizes[index % sizes.length] ?? 1
    parser.append(file.subarray(at, at + size))
    at += size
    while (parser.next(packet)) {
      const text = latin1(packet.bytes, packet.start, packet.end)
      const time = packet.timed ? `${packet.seconds}.${String(packet.nanoseconds).padStart(9, '0')}` : 'untimed'
      found.push(`${time} ${packet.linkType} ${text}/${packet.originalLength}`)
    }
  }
  const error = parser.finish()
  return error === undefined ? found : [...found, error.message]
}

describe('CaptureParser, classic pcap', () => {
  for (const little of [true, false]) {
    for (const nanoseconds of [true, false]) {
      it(`reads ${little ? 'little' : 'big'}-endian files with ${nanoseconds ? 'nano' : 'micro'}seconds`, () => {
        const packets = [{ bytes: join('one'), seconds: 4_000_000_000, fraction: 123_456, originalLength: 9 }]
        const fraction = nanoseconds ? '000123456' : '123456000'
        expect(read(pcap(packets, { little, nanoseconds }))).toEqual([`4000000000.${fraction} 1 one/9`])
      })
    }
  }

  it('cuts the frame check sequence off where the file says that there is one', () => {
    const linkType = 1 | 0x0400_0000 | (2 << 28) // two words of 16 bits
    expect(read(pcap([{ bytes: join('dataFCS!') }], { linkType }))).toEqual(['1700000000.000000000 1 data/4'])
  })

  it('reads a file without packets', () => {
    expect(read(pcap([]))).toEqual([])
  })

  it('gives the same packets for any split of the bytes', () => {
    const file = pcap(PACKETS)
    const whole = read(file)
    expect(whole).toHaveLength(4)
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (sizes) => {
        expect(read(file, sizes)).toEqual(whole)
      }),
    )
  })

  it('gives the same packets for any split into large chunks', () => {
    const sizes = [10, 40_000, 3, 17_000, 100_000, 16_384, 60_000, 0, 33_000]
    const file = pcap(sizes.map((size, index) => ({ bytes: new Uint8Array(size).fill(65 + index) })))
    const whole = read(file)
    expect(whole.map((line) => line.length)).toEqual(
      sizes.map((size) => `1700000000.000000000 1 /${size}`.length + size),
    )
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 5_000, max: 90_000 }), { minLength: 1, maxLength: 9 }), (chunks) => {
        expect(read(file, chunks)).toEqual(whole)
      }),
      { numRuns: 50 },
    )
  })

  it('gives every whole packet of a file that is cut anywhere, and says where', () => {
    const file = pcap(PACKETS)
    const whole = read(file)
    const ends = [24, 45, 74, 90, 110] // the offset after the header, and after each packet
    for (let length = 24; length < file.length; length++) {
      const complete = ends.filter((end) => end <= length).length - 1
      const cutAt = ends[complete] ?? 0
      const found = read(file.subarray(0, length))
      expect(found.slice(0, complete)).toEqual(whole.slice(0, complete))
      const complaint = `(a.pcap, offset ${cutAt}): the file is cut; everything before was read`
      expect(found.slice(complete)).toEqual(cutAt === length ? [] : [expect.stringContaining(complaint)])
    }
  })

  it('names the link type that it cannot read and those that it can', () => {
    const error = thrownBy(() => read(pcap(PACKETS, { linkType: 127 })))
    expect(error.code).toBe('MESH_ERR_LINK_TYPE')
    expect(error.message).toMatch(/113 Linux cooked.*found 127 \(a\.pcap, offset 20\)/)
  })

  it('stops at a packet of absurd length', () => {
    const file = join(pcap(PACKETS), be(0, 4), be(0, 4), word(0x7fff_ffff, 4, true), be(0, 4))
    const error = thrownBy(() => read(file))
    expect(error.code).toBe('MESH_ERR_FILE_CORRUPT')
    expect(error.message).toContain('found a length of 2147483647 (a.pcap, offset 118)')
  })

  it.each([
    [join('{"log":{}}'), /found JSON \(a\.pcap, offset 0\): is it a HAR\?/],
    [join('1 93a7f2 1700000000 0\nGET / HTTP/1.1'), /\.gor file\? use `mesh capture import`/],
    [join('\x28\xb5\x2f\xfd....'), /a zstd file .*unpack it and pipe it in/],
    [join('\x89MCAP0\r\n'), /it is recorded already/],
    [join('GIF89a'), /begins with 47494638/],
    [new Uint8Array(0), /it is empty/],
    [join('\xd4'), /begins with d4/],
  ])('says what a file of another kind is (%#)', (file, message) => {
    const error = thrownBy(() => {
      const lines = read(file)
      expect(lines).toEqual([])
    })
    expect(error.code).toBe('MESH_ERR_FILE_KIND')
    expect(error.message).toMatch(message)
  })

  it('says that a file is cut inside its header', () => {
    expect(read(pcap([]).subarray(0, 20))).toEqual([expect.stringContaining('inside its header, of which 20 bytes')])
  })
})

describe('CaptureParser, pcapng', () => {
  for (const little of [true, false]) {
    const ng = ngBlocks(little)
    const order = little ? 'little' : 'big'

    it(`reads every kind of packet block, ${order}-endian`, () => {
      const file = join(
        ng.section(),
        ng.interface(1),
        ng.enhanced(join('enhanced'), 1_700_000_000_123_456n, 0, 20),
        ng.block(0x0bad, join('a block of another kind')),
        ng.simple(join('simple')),
        ng.obsolete(join('obsolete'), 1_700_000_001_000_000n),
      )
      expect(read(file)).toEqual([
        '1700000000.123456000 1 enhanced/20',
        'untimed 1 simple/6',
        '1700000001.000000000 1 obsolete/8',
      ])
      for (const size of [1, 7, 33]) expect(read(file, [size])).toEqual(read(file))
    })

    it(`reads times of any resolution and offset exactly, ${order}-endian`, () => {
      const offset = little ? join(word(100, 4, true), be(0, 4)) : join(be(0, 4), be(100, 4))
      const file = join(
        ng.section(),
        ng.interface(1, ng.option(9, be(9, 1))), // 10^-9 s
        ng.interface(1, ng.option(9, be(0x80 | 10, 1))), // 2^-10 s
        ng.interface(1, join(ng.option(9, be(3, 1)), ng.option(14, offset))), // 10^-3 s, 100 s later
        ng.interface(1, ng.option(9, be(12, 1))), // 10^-12 s
        ng.enhanced(join('a'), 1_700_000_000_123_456_789n, 0),
        ng.enhanced(join('b'), 1_700_000_000n * 1024n + 512n, 1),
        ng.enhanced(join('c'), 1_700_000_000_250n, 2),
        ng.enhanced(join('d'), 10_000_000_123_456_789_999n, 3),
        ng.enhanced(join('e'), 1_700_000_004_999_999_999n, 0),
      )
      expect(read(file)).toEqual([
        '1700000000.123456789 1 a/1',
        '1700000000.500000000 1 b/1',
        '1700000100.250000000 1 c/1',
        '10000000.123456789 1 d/1',
        '1700000004.999999999 1 e/1',
      ])
    })
  }

  const ng = ngBlocks(true)

  it('reads sections of different byte orders, each with its own interfaces', () => {
    const big = ngBlocks(false)
    const file = join(
      ng.section(),
      ng.interface(1),
      ng.enhanced(join('little'), 1_000_000n),
      big.section(),
      big.interface(113),
      big.enhanced(join('big'), 2_000_000n),
    )
    expect(read(file)).toEqual(['1.000000000 1 little/6', '2.000000000 113 big/3'])
  })

  it('cuts simple packets at the snap length of their interface', () => {
    const file = join(ng.section(), ng.interface(1, new Uint8Array(0), 4), ng.simple(join('simp'), 600))
    expect(read(file)).toEqual(['untimed 1 simp/600'])
  })

  it('counts packets of interfaces that it cannot read, and the drops that the capture reports', () => {
    const parser = new CaptureParser('a.pcapng')
    parser.append(
      join(
        ng.section(),
        ng.interface(1),
        ng.interface(220), // USB
        ng.enhanced(join('usb'), 0n, 1),
        ng.enhanced(join('eth'), 0n, 0),
        ng.statistics(7),
        ng.statistics(11), // the latest counts
      ),
    )
    const packet = emptyPacket()
    expect(parser.next(packet)).toBe(true)
    expect(parser.next(packet)).toBe(false)
    expect(parser).toMatchObject({ unsupportedLinkPackets: 1, reportedDrops: 11 })
  })

  it('names the link type where there is no interface that it can read', () => {
    const error = thrownBy(() => read(join(ng.section(), ng.interface(220), ng.enhanced(join('usb'), 0n))))
    expect(error.code).toBe('MESH_ERR_LINK_TYPE')
  })

  it('skips blocks of other kinds unread, however long they are', () => {
    const long = ng.block(0x0bad, new Uint8Array(5_000_000))
    const file = join(ng.section(), ng.interface(1), long, ng.enhanced(join('after'), 0n))
    expect(read(file, [65_536])).toEqual(['0.000000000 1 after/5'])
    const cut = file.subarray(0, 4_000_000)
    expect(read(cut, [65_536])).toEqual([expect.stringContaining('inside a block (a.pcap, offset 4000000)')])
  })

  it.each([
    ['a block length that is not a multiple of four', join(word(6, 4, true), word(33, 4, true), be(0, 4))],
    ['a block length below the least', join(word(6, 4, true), word(8, 4, true), be(0, 4))],
    ['a packet block that is absurdly long', join(word(6, 4, true), word(0x7fff_fff0, 4, true), be(0, 4))],
    ['a length that is not repeated', join(word(6, 4, true), word(12, 4, true), word(16, 4, true))],
    ['a packet of an interface that was not described', ng.enhanced(join('x'), 0n, 5)],
    ['a packet longer than its block', ng.block(6, join(new Uint8Array(12), word(999, 4, true), be(0, 4)))],
    ['a packet block without room for its fields', ng.block(6, new Uint8Array(8))],
    ['an interface description without room for its fields', ng.block(1, new Uint8Array(4))],
    ['a section without byte order', ng.block(0x0a0d_0d0a, new Uint8Array(16))],
  ])('stops at %s', (_, block) => {
    const error = thrownBy(() => read(join(ng.section(), ng.interface(1), block)))
    expect(error.code).toBe('MESH_ERR_FILE_CORRUPT')
    expect(error.message).toMatch(/\(a\.pcap, offset \d+\)/)
  })

  it('throws nothing but MeshErrors on damaged files', () => {
    const file = join(
      ng.section(),
      ng.interface(1, ng.option(9, be(9, 1))),
      ng.enhanced(join('some packet'), 12n),
      ng.statistics(3),
      ng.simple(join('more')),
    )
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: file.length - 1 }), fc.nat({ max: 255 })), { minLength: 1 }),
        (hits) => {
          const damaged = Uint8Array.from(file)
          for (const [at, value] of hits) damaged[at] = value
          try {
            read(damaged, [17])
          } catch (error) {
            if (!(error instanceof MeshError)) throw error
          }
        },
      ),
    )
  })
})
