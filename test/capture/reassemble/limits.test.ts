import { describe, expect, it } from 'vitest'
import type { ScriptPacket } from '../../support/tcp-script.ts'
import { TcpScript } from '../../support/tcp-script.ts'
import { transcript } from '../../support/segments.ts'

const KIB = 'x'.repeat(1024)

/** A KiB behind a hole of one byte. */
function behindHole(index: number, clientPort = 40_000): ScriptPacket {
  return { from: 'client', seq: 1 + index * 1024, data: KIB, clientPort }
}

describe('the limits of reassembly', () => {
  it('gives up a hole when too much waits behind it', () => {
    const script = new TcpScript({ limits: { maxHeldBytes: 16 * 1024 } }).handshake()
    for (let index = 0; index < 64; index++) {
      script.play(behindHole(index))
      expect(script.reassembler.heldBytes).toBeLessThanOrEqual(16 * 1024)
    }
    expect(transcript(script.take()).slice(0, 2)).toEqual(['open', '> gap 1'])
    expect(script.reassembler.counters).toMatchObject({ forced: 1, missingBytes: 1, deliveredBytes: 64 * 1024 })
  })

  it('gives up holes only until half of the limit is free', () => {
    const script = new TcpScript({ limits: { maxHeldBytes: 16 * 1024 } }).handshake()
    for (let index = 0; index < 16; index++) {
      script.play({ from: 'client', seq: 10 + index * 2_000, data: KIB })
    }
    const text = transcript(script.take())
    expect(text.filter((line) => line.includes('gap')).length).toBeLessThan(10)
    expect(script.reassembler.heldBytes).toBeGreaterThan(6 * 1024)
  })

  it('relieves the connection that has waited longest when all of them together hold too much', () => {
    const limits = { maxHeldBytes: 16 * 1024, maxTotalHeldBytes: 32 * 1024 }
    const script = new TcpScript({ limits })
    for (let port = 41_000; port < 41_010; port++) {
      script.play(
        { from: 'client', flags: 'S', clientPort: port },
        { from: 'server', flags: 'S', ack: 0, clientPort: port },
      )
      for (let index = 0; index < 8; index++) script.play(behindHole(index, port))
      expect(script.reassembler.heldBytes).toBeLessThanOrEqual(32 * 1024)
    }
    const relieved = script.take().flatMap((segment) => (segment.kind === 'gap' ? [segment.connection] : []))
    expect(relieved).toEqual([0, 1, 2, 3, 4, 5, 6])
  })

  it('counts the memory of tiny pieces in full', () => {
    const script = new TcpScript({ limits: { maxHeldBytes: 16 * 1024 } }).handshake()
    for (let index = 0; index < 1_000; index++) script.play({ from: 'client', seq: 2 + index * 2, data: 'x' })
    expect(script.reassembler.counters.forced).toBeGreaterThan(5)
  })

  it('closes connections that are silent for long', () => {
    const script = new TcpScript({ limits: { idleNs: 60e9 } })
      .handshake()
      .play({ from: 'client', seq: 0, data: 'GET', atMs: 1_000 })
    script.take()
    script.reassembler.advance(60.9e9)
    expect(script.take()).toEqual([])
    script.reassembler.advance(61e9)
    expect(script.take()).toMatchObject([
      { kind: 'close', direction: 'request', how: 'cut', atNs: 1e9 },
      { kind: 'close', direction: 'response', how: 'cut', atNs: 1e9 },
    ])
    expect(script.reassembler).toMatchObject({ openConnections: 0, counters: { idle: 1 } })
  })

  it('closes the connection that was silent longest when there are too many', () => {
    const script = new TcpScript({ limits: { maxConnections: 2 } })
    for (const port of [41_000, 41_001]) script.play({ from: 'client', seq: 0, data: `${port}`, clientPort: port })
    script.play({ from: 'client', seq: 5, data: 'again', clientPort: 41_000 })
    script.play({ from: 'client', seq: 0, data: 'third', clientPort: 41_002 })
    expect(script.take().flatMap((segment) => (segment.kind === 'close' ? [segment.connection] : []))).toEqual([1, 1])
    expect(script.reassembler).toMatchObject({ openConnections: 2, counters: { evicted: 1 } })
  })

  it('forgets ended connections after a while, so that their ports can be seen anew in mid-stream', () => {
    const script = new TcpScript({ limits: { lingerNs: 10e9 } })
      .handshake()
      .play({ from: 'server', flags: 'R', seq: 0 }, { from: 'client', seq: 0, data: 'stray' })
    script.play({ from: 'client', seq: 9_000, data: 'new', atMs: 20_000 })
    expect(transcript(script.finish())).toEqual([
      'open',
      '> rst',
      '< rst',
      'open in mid-stream',
      '> new',
      '> cut',
      '< cut',
    ])
  })

  it('keeps a thousand connections apart', () => {
    const script = new TcpScript()
    for (let round = 0; round < 3; round++) {
      for (let port = 0; port < 1_000; port++) {
        script.play({ from: 'client', seq: round * 4, data: String(port).padStart(4, '0'), clientPort: 10_000 + port })
      }
    }
    const texts = new Map<number, string>()
    for (const segment of script.take()) {
      if (segment.kind !== 'data') continue
      const text = Buffer.from(segment.bytes).toString()
      texts.set(segment.connection, (texts.get(segment.connection) ?? '') + text)
    }
    for (const [connection, text] of texts) expect(text).toBe(String(connection).padStart(4, '0').repeat(3))
    expect(texts.size).toBe(1_000)
  })
})
