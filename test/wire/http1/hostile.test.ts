import { describe, expect, it } from 'vitest'
import { Conversation, decode, request, response, split, story } from './conversation.ts'
import type { DecodeOptions } from './conversation.ts'

const post = (...fields: string[]): string => `POST / HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`
const CHUNKED = post('Transfer-Encoding: chunked')

describe('hostile requests', () => {
  it.each([
    ['two-lengths', post('Content-Length: 5', 'Content-Length: 6')],
    ['two-lengths', post('Content-Length: 5, 6')],
    ['length-and-chunked', post('Content-Length: 5', 'Transfer-Encoding: chunked')],
    ['length-and-chunked', post('Transfer-Encoding: chunked', 'Content-Length: 0')],
    ['length-and-chunked', post('Transfer-Encoding: identity', 'Content-Length: x')],
    ['bad-transfer-encoding', post('Transfer-Encoding: chunked, identity')],
    ['bad-transfer-encoding', post('Transfer-Encoding: identity')],
    ['bad-transfer-encoding', post('Transfer-Encoding: xchunked')],
    ['bad-transfer-encoding', post('Transfer-Encoding: gzip, chunked')],
    ['bad-transfer-encoding', post('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')],
    ['bad-transfer-encoding', post('Transfer-Encoding: "chunked"')],
    ['bad-transfer-encoding', post('Transfer-Encoding:')],
    ['bad-transfer-encoding', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['control-byte', post('Transfer-Encoding: \x0bchunked')],
    ['folded-framing', post('Transfer-Encoding:\r\n chunked')],
    ['folded-framing', post('Content-Length: 1\r\n 2')],
    ['bad-content-length', post('Content-Length: +5')],
    ['bad-content-length', post('Content-Length: -1')],
    ['bad-content-length', post('Content-Length: 0x5')],
    ['bad-content-length', post('Content-Length: 5a')],
    ['bad-content-length', post('Content-Length: 5 5')],
    ['bad-content-length', post('Content-Length: 5,')],
    ['bad-content-length', post('Content-Length:')],
    ['bad-content-length', post('Content-Length: 9007199254740992')],
    ['bad-content-length', post(`Content-Length: ${'9'.repeat(400)}`)],
    ['white-space-before-colon', post('Content-Length : 5')],
    ['white-space-before-colon', post('Transfer-Encoding\t: chunked')],
    ['leading-white-space', post(' Content-Length: 5')],
    ['bad-header-line', post('no colon')],
    ['bad-header-line', post(': no name')],
    ['bad-header-line', post('X: 1', ' \t')],
    ['bad-header-line', post('n\xe4me: 1')],
    ['control-byte', post('X: a\0b')],
    ['control-byte', post('X\0: a')],
    ['control-byte', post('X: a\rContent-Length: 5')],
    ['control-byte', 'GET /a\0b HTTP/1.1\r\n\r\n'],
    ['http-0.9', 'GET /\r\n'],
    ['bad-version', 'GET / HTTP/2.0\r\n\r\n'],
    ['bad-version', 'GET / HTTP/1.10\r\n\r\n'],
    ['bad-start-line', 'GET  / HTTP/1.1\r\n\r\n'],
    ['bad-start-line', 'GET/ HTTP/1.1\r\n\r\n'],
    ['bad-start-line', 'GETHTTP/1.1\r\n\r\n'],
    ['bad-start-line', 'GET / HTTP/1.1 \r\n\r\n'],
    ['bad-start-line', 'GET /a b HTTP/1.1\r\n\r\n'],
  ])('are undecodable, %s: %j', (reason, head) => {
    const talk = new Conversation().client(head, request('GET /smuggled')).server(response(400)).close()
    expect(story(talk).request[0]).toMatch(`undecodable 0 first ${reason} `)
    expect(story(talk).response).toEqual([expect.stringMatching('^undecodable first peer-undecodable')])
    expect(decode(split(talk.steps, () => true)).request).toEqual(decode(talk.steps).request)
  })

  it.each([
    ['bad-chunk-size', '\r\n'],
    ['bad-chunk-size', ' 5\r\nhello'],
    ['bad-chunk-size', '-5\r\nhello'],
    ['bad-chunk-size', '0x5\r\nhello'],
    ['bad-chunk-size', '5 5\r\nhello'],
    ['bad-chunk-size', '5\rhello'],
    ['bad-chunk-size', 'g\r\n'],
    ['bad-chunk-size', '20000000000000\r\n'],
    ['bad-chunk-size', 'ffffffffffffffffff\r\n'],
    ['bad-chunk-extension', '5;a\nhello'],
    ['bad-chunk-extension', '5;a\rhello'],
    ['bad-chunk-extension', '5;\0\r\nhello'],
    ['bad-chunk-end', '5\r\nhello!\r\n'],
    ['bad-chunk-end', '5\r\nhello\rX'],
    ['white-space-before-colon', '0\r\nX : 1\r\n\r\n'],
    ['leading-white-space', '0\r\n X: 1\r\n\r\n'],
  ])('are undecodable inside a chunked body, %s: %j', (reason, body) => {
    const talk = new Conversation()
      .client(CHUNKED, body, '0\r\n\r\n', request('GET /smuggled'))
      .server(response(400))
      .close()
    const { request: client, response: server } = story(talk)
    expect(client[0]).toBe('head 0 POST / HTTP/1.1')
    expect(client.at(-1)).toMatch(`undecodable 0 first ${reason} `)
    expect(client).not.toContain('end 0 whole')
    // Its head was sound, so its answer is known to be its own.
    expect(server).toEqual(['head 0 HTTP/1.1 400 Reason', 'end 0 whole'])
    expect(decode(split(talk.steps, () => true)).request).toEqual(decode(talk.steps).request)
  })

  it.each<[string, DecodeOptions['limits'], string]>([
    ['head-too-large', { maxHeadBytes: 100 }, post(`X: ${'a'.repeat(100)}`)],
    ['head-too-large', { maxHeadBytes: 100 }, `${CHUNKED}0\r\nX: ${'a'.repeat(100)}\r\n\r\n`],
    ['head-too-large', { maxHeadBytes: 100 }, `GET /${'a'.repeat(200)}`],
    ['too-many-header-lines', { maxHeaderLines: 3 }, post('A: 1', 'B: 1', 'C: 1', 'D: 1')],
    ['too-many-unanswered', { maxUnanswered: 3 }, request('GET /').repeat(4)],
    ['upgrade-unanswered', { maxHeadBytes: 100 }, `CONNECT a:1 HTTP/1.1\r\n\r\n${'x'.repeat(200)}`],
  ])('are bounded: %s', (reason, limits, bytes) => {
    const talk = new Conversation().client(bytes)
    for (const steps of [talk.steps, split(talk.steps, () => true)]) {
      const { request: client, heldBytes } = decode(steps, limits === undefined ? {} : { limits })
      expect(client.at(-1)).toMatchObject({ kind: 'undecodable', why: `first ${reason}` })
      expect(heldBytes).toBeLessThan(1000)
    }
  })

  it('leave the answers to requests before them readable', () => {
    const talk = new Conversation()
      .client(request('GET /a') + request('GET /b') + post('Content-Length: 1', 'Content-Length: 2'))
      .server(response(200, 'A'), response(200, 'B'), response(400))
    expect(story(talk).response).toEqual([
      'head 0 HTTP/1.1 200 Reason',
      'body 0 A',
      'end 0 whole',
      'head 1 HTTP/1.1 200 Reason',
      'body 1 B',
      'end 1 whole',
      `undecodable first peer-undecodable ${response(400).length}`,
    ])
  })
})

describe('hostile responses', () => {
  it.each([
    ['two-lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    ['length-and-chunked', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['bad-transfer-encoding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, x\r\n\r\n'],
    ['bad-transfer-encoding', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['bad-start-line', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['bad-start-line', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['bad-start-line', 'ICY 200 OK\r\n\r\n'],
    ['control-byte', 'HTTP/1.1 200 O\0K\r\n\r\n'],
  ])('are undecodable, %s, and requests go on: %j', (reason, head) => {
    const talk = new Conversation()
      .client(request('GET /a'))
      .server(head)
      .client(request('GET /b'))
      .server(response(200))
    expect(story(talk).response).toEqual([expect.stringMatching(`^undecodable 0 first ${reason} `)])
    expect(story(talk).request.filter((line) => line === 'end 1 whole')).toHaveLength(1)
  })

  it('are undecodable where nobody asked', () => {
    const talk = new Conversation().client(request('GET /')).server(response(200), response(408)).close()
    expect(story(talk).response.at(-1)).toBe(`undecodable first response-without-request ${response(408).length}`)
    const pushed = new Conversation()
      .client(request('GET /'))
      .server(response(200), response(408))
      .client(request('GET /'))
    expect(story(pushed).response.at(-1)).toMatch('response-without-request')
  })

  it('are held for their requests within a bound', () => {
    const talk = new Conversation().client(request('GET /')).server(response(200))
    for (let index = 0; index < 10; index++) talk.server(response(200, 'x'.repeat(40)))
    const { response: server, heldBytes } = decode(talk.steps, { limits: { maxHeadBytes: 128 } })
    expect(server.at(-1)).toMatchObject({ kind: 'undecodable', why: 'first response-without-request' })
    expect(heldBytes).toBeLessThan(1000)
  })
})
