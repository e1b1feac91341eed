import { describe, expect, it } from 'vitest'
import { bearsReplayMark } from '../../../src/wire/http1/replay-mark.ts'
import { latin1Bytes } from '../../../src/core/bytes.ts'

function head(...lines: string[]): Uint8Array {
  return latin1Bytes(`GET /x-mesh-replay:1 HTTP/1.1\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`)
}

describe('bearsReplayMark', () => {
  it.each([
    ['the header of a replay', ['Host: a', 'x-mesh-replay: run-1']],
    ['the header as a proxy rewrote its case', ['X-Mesh-Replay: run-1']],
    ['the only member of the baggage', ['baggage: mesh-replay=run-1']],
    ['one member among others, with properties and white space', ['Baggage: user=7;p=1 , mesh-replay = run-1;q , z=1']],
    ['a second baggage line', ['baggage: a=b', 'baggage: mesh-replay=run-1']],
  ])('finds %s', (_, lines) => {
    expect(bearsReplayMark(head(...lines))).toBe(true)
  })

  it.each([
    ['no header at all', []],
    ['the name in the target and in a value', ['Referer: x-mesh-replay: 1']],
    ['a longer name', ['x-mesh-replayed: 1']],
    ['a member whose key only begins like it', ['baggage: mesh-replay2=1,a=mesh-replay']],
    ['a member without a value', ['baggage: mesh-replay']],
  ])('is not misled by %s', (_, lines) => {
    expect(bearsReplayMark(head(...lines))).toBe(false)
  })

  it('takes a head that ends in the middle of a line', () => {
    expect(bearsReplayMark(latin1Bytes('GET / HTTP/1.1\r\nbaggage: mesh-replay=1'))).toBe(true)
    expect(bearsReplayMark(latin1Bytes('GET / HTTP/1.1'))).toBe(false)
    expect(bearsReplayMark(new Uint8Array(0))).toBe(false)
  })
})
