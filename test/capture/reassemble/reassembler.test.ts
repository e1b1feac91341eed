import { describe, expect, it } from 'vitest'
import type { ScriptPacket } from '../../support/tcp-script.ts'
import { TcpScript } from '../../support/tcp-script.ts'
import { transcript } from '../../support/segments.ts'

interface Case {
  readonly title: string
  /** Why a careless reader gets it wrong. */
  readonly why: string
  readonly packets: readonly ScriptPacket[]
  readonly expected: readonly string[]
}

/** Each begins after a handshake and ends with the capture. */
const CASES: readonly Case[] = [
  {
    title: 'hands on data in order',
    why: 'the plain case',
    packets: [
      { from: 'client', seq: 0, data: 'GET' },
      { from: 'server', seq: 0, ack: 3, data: '200' },
      { from: 'client', seq: 3, ack: 3, flags: 'F' },
      { from: 'server', seq: 3, ack: 4, flags: 'F' },
    ],
    expected: ['open', '> GET', '< 200', '> fin', '< fin'],
  },
  {
    title: 'puts packets that come out of order in order',
    why: 'networks and captures with several queues reorder',
    packets: [
      { from: 'client', seq: 3, data: 'def' },
      { from: 'client', seq: 6, data: 'ghi' },
      { from: 'client', seq: 0, data: 'abc' },
    ],
    expected: ['open', '> abc', '> def', '> ghi', '> cut', '< cut'],
  },
  {
    title: 'wraps sequence numbers',
    why: "the client's first sequence number is 16 below 2^32",
    packets: [
      { from: 'client', seq: 0, data: '0123456789' },
      { from: 'client', seq: 20, data: 'klm' },
      { from: 'client', seq: 10, data: 'abcdefghij' },
    ],
    expected: ['open', '> 0123456789', '> abcdefghij', '> klm', '> cut', '< cut'],
  },
  {
    title: 'leaves out bytes that come again',
    why: 'retransmissions, and captures on `any` that see each packet twice',
    packets: [
      { from: 'client', seq: 0, data: 'abc' },
      { from: 'client', seq: 0, data: 'abc' },
      { from: 'client', seq: 0, data: 'abcdef' },
      { from: 'client', seq: 3, data: 'def' },
    ],
    expected: ['open', '> abc', '> def', '> cut', '< cut'],
  },
  {
    title: 'keeps the bytes that came first where packets overlap',
    why: 'a second version of the same bytes may be hostile',
    packets: [
      { from: 'client', seq: 2, data: 'CD' },
      { from: 'client', seq: 0, data: 'abxxef' },
    ],
    expected: ['open', '> ab', '> CD', '> ef', '> cut', '< cut'],
  },
  {
    title: 'reports a hole that was acknowledged as a gap once it was waited for',
    why: 'what its receiver has cannot be retransmitted: the capture lost it',
    packets: [
      { from: 'client', seq: 0, data: 'GET' },
      { from: 'server', seq: 5, ack: 3, data: 'second' },
      { from: 'client', seq: 3, ack: 11, data: 'GET again' },
      { from: 'client', seq: 12, ack: 11, atMs: 2_000, data: '!' },
      { from: 'server', seq: 11, ack: 13, data: '.' },
    ],
    expected: ['open', '> GET', '< gap 5', '< second', '> GET again', '> !', '< .', '> cut', '< cut'],
  },
  {
    title: 'holds back a request that acknowledges a lost response until the gap is reported',
    why: 'a decoder must hear of the loss before the next request, or it pairs the wrong ones',
    packets: [
      { from: 'client', seq: 0, data: 'one' },
      { from: 'client', seq: 3, ack: 8, data: 'two' },
      { from: 'server', seq: 8, ack: 6, data: '200' },
    ],
    expected: ['open', '> one', '< gap 8', '> two', '< 200', '> cut', '< cut'],
  },
  {
    title: 'hands on a response after the request that it acknowledges, though it was captured before',
    why: 'two queues of one capture are not in order with each other',
    packets: [
      { from: 'server', seq: 0, ack: 3, data: '200' },
      { from: 'client', seq: 0, data: 'GET' },
    ],
    expected: ['open', '> GET', '< 200', '> cut', '< cut'],
  },
  {
    title: 'reports a hole that nobody acknowledged at the end',
    why: 'later bytes prove that it was sent',
    packets: [{ from: 'client', seq: 4, data: 'tail' }],
    expected: ['open', '> gap 4', '> tail', '> cut', '< cut'],
  },
  {
    title: 'reports the bytes between the last that were seen and the FIN',
    why: "a FIN's sequence number tells where its direction ends",
    packets: [
      { from: 'server', seq: 0, data: 'head' },
      { from: 'server', seq: 10, flags: 'F' },
      { from: 'client', seq: 0, ack: 11, flags: 'F' },
    ],
    expected: ['open', '< head', '< gap 6', '> fin', '< fin'],
  },
  {
    title: 'reports acknowledged bytes of a direction that is not captured at all',
    why: 'one-sided captures: a mirror port that sees only one way',
    packets: [
      { from: 'client', seq: 0, data: 'one' },
      { from: 'client', seq: 3, ack: 100, data: 'two' },
      { from: 'client', seq: 6, ack: 250, data: 'three' },
    ],
    expected: ['open', '> one', '< gap 250', '> two', '> three', '> cut', '< cut'],
  },
  {
    title: 'takes one acknowledged byte with nothing after it for a FIN that was not captured',
    why: 'a FIN takes a sequence number of its own',
    packets: [
      { from: 'server', seq: 0, data: 'bye' },
      { from: 'client', seq: 0, ack: 4, flags: 'F' },
    ],
    expected: ['open', '< bye', '> fin', '< cut'],
  },
  {
    title: 'makes a gap of what the capture cut off a packet',
    why: 'a snap length keeps only the beginning of packets',
    packets: [
      { from: 'client', seq: 0, data: 'GET /long', captured: 3 },
      { from: 'client', seq: 9, data: 'next' },
    ],
    expected: ['open', '> GET', '> gap 6', '> next', '> cut', '< cut'],
  },
  {
    title: 'takes keep-alive and zero-window probes for what they are',
    why: 'both repeat a byte or send the next one alone',
    packets: [
      { from: 'client', seq: 0, data: 'ab' },
      { from: 'client', seq: 1, data: '\0' }, // keep-alive: the byte before the next, with any content
      { from: 'client', seq: 1 }, // the same without a byte
      { from: 'client', seq: 2, data: 'c' }, // zero-window probe: one byte that the receiver may not take
      { from: 'client', seq: 2, data: 'cde' },
    ],
    expected: ['open', '> ab', '> c', '> de', '> cut', '< cut'],
  },
  {
    title: 'ends both directions at a RST',
    why: 'nothing that comes after it belongs to the connection',
    packets: [
      { from: 'client', seq: 0, data: 'GET' },
      { from: 'client', seq: 5, data: 'x' },
      { from: 'server', seq: 0, ack: 3, flags: 'R' },
      { from: 'client', seq: 6, data: 'late' },
    ],
    expected: ['open', '> GET', '> gap 2', '> x', '> rst', '< rst'],
  },
  {
    title: 'does not believe a RST far from where its sender is',
    why: 'a forged one does not end the connection for those who speak on it',
    packets: [
      { from: 'client', seq: 0, data: 'GET' },
      { from: 'server', seq: 40_000_000, flags: 'R' },
      { from: 'server', seq: 0, ack: 3, data: '200' },
    ],
    expected: ['open', '> GET', '< 200', '> cut', '< cut'],
  },
  {
    title: 'ends only what is still open at a RST after a FIN',
    why: 'a direction ends once',
    packets: [
      { from: 'client', seq: 0, flags: 'F' },
      { from: 'server', seq: 0, ack: 1, flags: 'R' },
    ],
    expected: ['open', '> fin', '< rst'],
  },
  {
    title: 'begins a new connection where a SYN reuses the ports',
    why: 'the old connection ended unseen',
    packets: [
      { from: 'client', seq: 0, data: 'old' },
      { from: 'client', flags: 'S', incarnation: 1 },
      { from: 'server', flags: 'S', ack: 0, incarnation: 1 },
      { from: 'client', seq: 0, data: 'new', incarnation: 1 },
    ],
    expected: ['open', '> old', '> cut', '< cut', 'open', '> new', '> cut', '< cut'],
  },
  {
    title: 'begins a new connection where only the answer to its SYN was captured',
    why: 'the SYN itself was lost',
    packets: [
      { from: 'client', seq: 0, data: 'old' },
      { from: 'server', flags: 'S', ack: 0, incarnation: 1 },
      { from: 'client', seq: 0, data: 'new', incarnation: 1 },
    ],
    expected: ['open', '> old', '> cut', '< cut', 'open', '> new', '> cut', '< cut'],
  },
  {
    title: 'keeps the connection where its SYN comes again',
    why: 'a SYN is retransmitted like anything else',
    packets: [
      { from: 'client', flags: 'S' },
      { from: 'client', seq: 0, data: 'GET' },
      { from: 'server', flags: 'S', ack: 0 },
    ],
    expected: ['open', '> GET', '> cut', '< cut'],
  },
  {
    title: 'leaves out bytes beyond a FIN',
    why: 'a direction has one end; what lies beyond is not part of it',
    packets: [
      { from: 'client', seq: 0, data: 'GET', flags: 'F' },
      { from: 'client', seq: 3, data: 'more' },
    ],
    expected: ['open', '> GET', '> fin', '< cut'],
  },
  {
    title: 'does not believe a FIN that lies before bytes that were seen',
    why: 'a forged FIN would hide them',
    packets: [
      { from: 'client', seq: 5, data: 'seen' },
      { from: 'client', seq: 2, flags: 'F' },
      { from: 'client', seq: 0, data: 'abcde' },
    ],
    expected: ['open', '> abcde', '> seen', '> cut', '< cut'],
  },
  {
    title: 'does not believe an acknowledgement of more than a window',
    why: 'it would make everything that comes look old',
    packets: [
      { from: 'server', seq: 0, ack: 2 ** 30 + 1_000, data: '200' },
      { from: 'client', seq: 0, data: 'GET' },
    ],
    expected: ['open', '< 200', '> GET', '> cut', '< cut'],
  },
]

describe('TcpReassembler', () => {
  for (const { title, why, packets, expected } of CASES) {
    it(`${title} (${why})`, () => {
      const script = new TcpScript().handshake().play(...packets)
      expect(transcript(script.finish())).toEqual(expected)
      expect(script.reassembler.heldBytes).toBe(0)
    })
  }

  it('reads data in a SYN', () => {
    const script = new TcpScript().play(
      { from: 'client', flags: 'S', data: 'GET' },
      { from: 'server', flags: 'S', ack: 3 },
      { from: 'client', seq: 3, data: ' /' },
    )
    expect(transcript(script.finish())).toEqual(['open', '> GET', '>  /', '> cut', '< cut'])
  })

  it('follows a connection from its answered SYN where the SYN itself was not captured', () => {
    const script = new TcpScript().play({ from: 'server', flags: 'S', ack: 0 }, { from: 'client', seq: 0, data: 'GET' })
    expect(transcript(script.finish())).toEqual(['open', '> GET', '> cut', '< cut'])
  })

  it('follows the server from the first acknowledgement where its SYN was not captured', () => {
    const script = new TcpScript().play(
      { from: 'client', flags: 'S' },
      { from: 'client', ack: 0, data: 'GET' },
      { from: 'server', seq: 4, ack: 3, data: 'body' },
    )
    expect(transcript(script.finish())).toEqual(['open', '> GET', '< gap 4', '< body', '> cut', '< cut'])
  })

  it('follows a connection that began before the capture, and says so', () => {
    const script = new TcpScript().play(
      { from: 'server', seq: 700, ack: 300, data: 'rest' },
      { from: 'client', seq: 300, ack: 704, data: 'GET' },
    )
    const segments = script.finish()
    expect(transcript(segments)).toEqual(['open in mid-stream', '< rest', '> GET', '> cut', '< cut'])
    expect(segments[0]).toMatchObject({ client: { port: 40_000 }, server: { address: '10.0.0.2', port: 80 } })
    expect(segments[2]).toMatchObject({ acknowledged: 4 })
  })

  it('takes the named port for the server where no SYN tells', () => {
    const script = new TcpScript({ ports: [40_000] }).play({ from: 'client', seq: 300, data: '200' })
    expect(script.finish()[0]).toMatchObject({ server: { address: '10.0.0.1', port: 40_000 } })
  })

  it('does not open a connection that was refused or never answered', () => {
    const script = new TcpScript().play(
      { from: 'client', flags: 'S' },
      { from: 'server', flags: 'R', ack: 0 },
      { from: 'client', flags: 'S', clientPort: 40_001 },
    )
    expect(script.finish()).toEqual([])
    expect(script.reassembler.counters).toMatchObject({ connections: 0, silent: 2 })
  })

  it('says how much of the other direction each segment acknowledges', () => {
    const script = new TcpScript()
      .handshake()
      .play(
        { from: 'client', seq: 0, data: 'GET' },
        { from: 'server', seq: 0, ack: 3, data: '200' },
        { from: 'client', seq: 3, ack: 3, data: 'GET' },
      )
    const acknowledged = script.take().map((segment) => (segment.kind === 'data' ? segment.acknowledged : undefined))
    expect(acknowledged).toEqual([undefined, 0, 3, 3])
  })

  it('gives bytes that waited for a retransmission its time, and bytes behind a gap their own', () => {
    const times = (script: TcpScript): unknown =>
      script.finish().flatMap((segment) => (segment.kind === 'data' ? [segment.atNs / 1e6] : []))
    const late = new TcpScript()
      .handshake()
      .play({ from: 'client', seq: 3, data: 'def', atMs: 10 }, { from: 'client', seq: 0, data: 'abc', atMs: 50 })
    expect(times(late)).toEqual([50, 50])
    const lost = new TcpScript()
      .handshake()
      .play({ from: 'client', seq: 3, data: 'def', atMs: 10 }, { from: 'server', ack: 6, atMs: 5_000 })
    expect(times(lost)).toEqual([10])
  })

  it('gives up a hole only when it was waited for long enough since it was proven', () => {
    const script = new TcpScript()
      .handshake()
      .play({ from: 'server', seq: 5, data: 'tail', atMs: 100 }, { from: 'client', ack: 9, atMs: 5_000 })
    script.take()
    script.reassembler.advance(5_900e6)
    expect(transcript(script.take())).toEqual([])
    script.reassembler.advance(6_000e6)
    expect(transcript(script.take())).toEqual(['< gap 5', '< tail'])
  })

  it('does not close connections because of one packet with a time far ahead', () => {
    const script = new TcpScript()
      .handshake()
      .play(
        { from: 'client', seq: 0, data: 'GET', atMs: 10 },
        { from: 'client', seq: 0, data: 'odd', clientPort: 50_000, atMs: 9_000_000 },
        { from: 'server', seq: 0, ack: 3, data: '200', atMs: 11 },
      )
    expect(transcript(script.take())).toEqual(['open', '> GET', 'open in mid-stream', '> odd', '< 200'])
  })

  it('does not mistake packets after the end of a connection for a new one', () => {
    const script = new TcpScript()
      .handshake()
      .play(
        { from: 'client', seq: 0, flags: 'F' },
        { from: 'server', seq: 0, ack: 1, flags: 'F' },
        { from: 'client', seq: 1, ack: 1 },
        { from: 'client', seq: 0, data: 'stray' },
      )
    expect(transcript(script.finish())).toEqual(['open', '> fin', '< fin'])
    expect(script.reassembler.counters.outsideBytes).toBe(5)
  })

  it('counts bytes that come after their gap was reported', () => {
    const script = new TcpScript()
      .handshake()
      .play(
        { from: 'client', seq: 3, data: 'def' },
        { from: 'server', ack: 6, atMs: 100 },
        { from: 'server', ack: 6, atMs: 2_000 },
        { from: 'client', seq: 0, data: 'abcdef' },
      )
    expect(transcript(script.finish())).toEqual(['open', '> gap 3', '> def', '> cut', '< cut'])
    expect(script.reassembler.counters).toMatchObject({ missingBytes: 3, lateBytes: 3, repeatedBytes: 3 })
  })
})
