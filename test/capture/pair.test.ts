import { describe, expect, it } from 'vitest'
import { WINDOW_NS } from '../../src/archive/window.ts'
import { MAX_HOLD_NS } from '../../src/capture/held-exchanges.ts'
import { ledgerImbalance } from '../../src/core/ledger.ts'
import {
  answered,
  asked,
  captureBench,
  closed,
  hungUp,
  lost,
  ms,
  opened,
  shown,
  shownMessage,
  CLIENT,
  SERVER,
} from '../support/capture-bench.ts'

describe('pairing', () => {
  it('records an exchange with its times, addresses and place once its response is complete', () => {
    const { pipeline, writer } = captureBench({ secure: true })
    pipeline.feed([
      opened(0, 5),
      asked('0 g', 10, 5),
      asked('et:a', 11, 5),
      asked('b\n', 12, 5),
      answered('0 ok:h', 20, 5),
    ])
    expect(writer.exchanges).toEqual([])
    pipeline.feed([answered('ello\n', 23, 5)])
    expect(writer.exchanges.map(shown)).toEqual(['0 get:|ab -> 0 ok:|hello'])
    expect(writer.exchanges[0]).toMatchObject({
      id: 0,
      connection: 5,
      position: 0,
      session: '',
      protocol: 'redis',
      secure: true,
      client: CLIENT,
      server: SERVER,
      requestFirstNs: ms(10),
      requestLastNs: ms(12),
      response: { firstNs: ms(20), lastNs: ms(23), bodySize: 5 },
    })
  })

  it('pairs pipelined messages by their numbers', () => {
    const { pipeline, writer } = captureBench()
    pipeline.feed([opened(), asked('0 a:\n1 b:\n2 c:\n'), answered('0 x:\n1 y:\n2 z:\n', 1)])
    expect(writer.exchanges.map(shown)).toEqual(['0 a:| -> 0 x:|', '1 b:| -> 1 y:|', '2 c:| -> 2 z:|'])
    expect(writer.exchanges.map(({ id, position }) => [id, position])).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
    ])
  })

  it('tells a request that its response was lost when a later one is answered', () => {
    const { pipeline, writer, ledger } = captureBench()
    pipeline.feed([
      opened(),
      asked('0 a:\n1 b:\n'),
      lost('response', 6, 1),
      answered('rest\n1 y:\n', 2),
      asked('2 c:\n', 3),
    ])
    expect(writer.exchanges.map(shown)).toEqual(['0 a:| -> (gap)', '1 b:| -> 1 y:|'])
    expect(ledger.total().responses.seen).toBe(1)
  })

  it('waits for the rest of a request that was answered early', () => {
    const { pipeline, writer } = captureBench()
    pipeline.feed([opened(), asked('0 upload:abc', 1), answered('0 no:\n', 2)])
    expect(writer.exchanges).toEqual([])
    pipeline.feed([asked('def\n', 3)])
    expect(writer.exchanges.map(shown)).toEqual(['0 upload:|abcdef -> 0 no:|'])
  })

  it('passes over interim responses, counted as framing', () => {
    const { pipeline, writer, ledger } = captureBench()
    pipeline.feed([opened(), asked('0 a:\n'), answered('0 wait!:0 ok:\n', 1), ...hungUp(2)])
    expect(writer.exchanges.map(shown)).toEqual(['0 a:| -> 0 ok:|'])
    const { bytes, responses, reasons } = ledger.total()
    expect(responses).toMatchObject({ seen: 1, whole: 1 })
    expect(bytes).toMatchObject({ seen: 19, whole: 9, framing: 10 })
    expect(reasons.get('responses.interim')).toBe(1)
    expect(reasons.get('bytes.framing.interim')).toBe(8)
  })

  it('cuts what the connection ends in, and what the capture ends in', () => {
    const { pipeline, writer } = captureBench()
    pipeline.feed([opened(0, 0), asked('0 a:\n'), answered('0 ok:hel', 1), ...hungUp(2)])
    pipeline.feed([opened(3, 1), asked('0 b:bo', 3, 1), ...hungUp(4, 1)])
    pipeline.feed([opened(5, 2), asked('0 c:\n', 5, 2), answered('0 ok:hel', 6, 2)])
    pipeline.feed([opened(7, 3), asked('0 d:\n', 7, 3)])
    pipeline.end(ms(9))
    expect(writer.exchanges.map(shown)).toEqual([
      '0 a:| -> 0 ok:|hel!close',
      '0 b:|bo!close -> (close)',
      '0 c:| -> 0 ok:|hel!end',
      '0 d:| -> (end)',
    ])
  })

  it('answers a half-closed client', () => {
    const { pipeline, writer } = captureBench()
    pipeline.feed([opened(), asked('0 a:\n'), closed('request', 1), answered('0 ok:\n', 2), closed('response', 3)])
    expect(writer.exchanges.map(shown)).toEqual(['0 a:| -> 0 ok:|'])
    expect(pipeline.openConnections).toBe(0)
  })

  it('keeps the first bytes of a long body, and its true size', () => {
    const { pipeline, writer, ledger } = captureBench({ maxBodyBytes: 5 })
    pipeline.feed([opened(), asked('0 a:1234'), asked('5678\n'), answered('0 ok:12345\n', 1)])
    expect(writer.exchanges.map(shown)).toEqual(['0 a:|12345!limit -> 0 ok:|12345'])
    expect(writer.exchanges[0]?.request.bodySize).toBe(8)
    expect(ledger.total().requests).toMatchObject({ seen: 1, cut: 1 })
    expect(ledger.total().reasons.get('requests.cut.limit')).toBe(1)
  })

  it('records what was whole of messages whose framing breaks, and leaves out what never had a head', () => {
    const { pipeline, writer, ledger } = captureBench()
    pipeline.feed([opened(0, 0), asked('0 a:\n1 b:\n'), answered('0 ok:\n?\nrubbish', 1), ...hungUp(2)])
    pipeline.feed([opened(0, 1), asked('0 a:\n1 bad\n', 3, 1), answered('0 ok:\n1 no:\n', 4, 1), ...hungUp(5, 1)])
    expect(writer.exchanges.map(shown)).toEqual(['0 a:| -> 0 ok:|', '1 b:| -> (undecodable)', '0 a:| -> 0 ok:|'])
    const { connections, requests, responses, reasons } = ledger.total()
    expect(connections).toMatchObject({ seen: 2, undecodable: 2 })
    expect(requests).toMatchObject({ seen: 4, whole: 3, undecodable: 1 })
    expect(responses).toMatchObject({ seen: 3, whole: 2, undecodable: 1 })
    expect(reasons.get('requests.undecodable.bad-line')).toBe(1)
    expect(reasons.get('responses.undecodable.request-undecodable')).toBe(1)
  })

  it('leaves out responses whose requests were lost or came before the capture', () => {
    const { pipeline, writer, ledger } = captureBench()
    pipeline.feed([opened(0, 0), lost('request', 5), answered('0 ok:\n', 1), ...hungUp(2)])
    pipeline.feed([opened(0, 1, true), answered('le\n0 ok:\n', 3, 1), ...hungUp(4, 1)])
    expect(writer.exchanges).toEqual([])
    const { responses, connections, bytes } = ledger.total()
    expect(responses).toMatchObject({ seen: 2, gap: 1, midStream: 1 })
    expect(connections).toMatchObject({ seen: 2, cut: 1, midStream: 1 })
    expect(bytes).toMatchObject({ seen: 20, gap: 10, midStream: 8, framing: 2 })
  })
})

describe('the longest hold', () => {
  it('is as long as the window within which readers restore the order of time', () => {
    expect(MAX_HOLD_NS).toBe(WINDOW_NS)
  })

  it('writes a request without its response after ten seconds, and the response when it comes', () => {
    const { pipeline, writer, ledger } = captureBench()
    pipeline.feed([opened(), asked('0 poll:\n', 100), answered('0 ok:pa', 500)])
    pipeline.tick(ms(10_099))
    expect(writer.exchanges).toEqual([])
    pipeline.tick(ms(10_100))
    expect(writer.exchanges.map(shown)).toEqual(['0 poll:| -> (late)'])
    expect(ledger.total().responses).toMatchObject({ seen: 1, pending: 1 })
    pipeline.feed([answered('rt\n', 30_000)])
    expect(writer.late).toHaveLength(1)
    expect(writer.late[0]).toMatchObject({ exchangeId: 0, response: { firstNs: ms(500), lastNs: ms(30_000) } })
    expect(writer.late.map((late) => shownMessage(late.response))).toEqual(['0 ok:|part'])
    expect(ledger.total().responses).toMatchObject({ seen: 1, whole: 1, pending: 0 })
  })

  it('lets the segments of a file tell the time', () => {
    const { pipeline, writer } = captureBench()
    pipeline.feed([opened(0, 0), asked('0 poll:\n', 0, 0), opened(10_000, 1)])
    expect(writer.exchanges.map(shown)).toEqual(['0 poll:| -> (late)'])
  })

  it('writes a request that itself takes longer as soon as it is whole', () => {
    const { pipeline, writer } = captureBench()
    pipeline.feed([opened(), asked('0 upload:ab', 0)])
    pipeline.tick(ms(25_000))
    expect(writer.exchanges).toEqual([])
    pipeline.feed([asked('cd\n', 30_000)])
    expect(writer.exchanges.map(shown)).toEqual(['0 upload:|abcd -> (late)'])
    pipeline.feed([answered('0 ok:\n', 31_000)])
    expect(writer.late.map((late) => shownMessage(late.response))).toEqual(['0 ok:|'])
  })

  it('ends holds in the order of first bytes, whatever the order of heads', () => {
    const { pipeline, writer } = captureBench()
    pipeline.feed([
      opened(0, 0),
      opened(0, 1),
      asked('0 sl', 0, 0),
      asked('0 quick:\n', 500, 1),
      asked('ow:\n', 900, 0),
    ])
    pipeline.tick(ms(10_000))
    expect(writer.exchanges.map(shown)).toEqual(['0 slow:| -> (late)'])
    pipeline.tick(ms(10_500))
    expect(writer.exchanges.map(shown)).toEqual(['0 slow:| -> (late)', '0 quick:| -> (late)'])
  })

  it('forgets an exchange whose late response never comes', () => {
    const { pipeline, writer, ledger } = captureBench()
    pipeline.feed([opened(), asked('0 poll:\n')])
    pipeline.tick(ms(11_000))
    pipeline.feed(hungUp(12_000))
    expect(writer.late).toEqual([])
    expect(pipeline.heldBytes).toBe(0)
    expect(ledger.total().responses.seen).toBe(0)
    expect(ledgerImbalance(ledger.total()).size).toBe(0)
  })
})
