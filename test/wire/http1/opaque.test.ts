import { describe, expect, it } from 'vitest'
import { Conversation, request, response, split, story } from './conversation.ts'

const WEBSOCKET = request('GET /feed', '', 'Connection: Upgrade', 'Upgrade: websocket')
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'
const CONNECT = 'CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example\r\n\r\n'

/** A TLS 1.2 record header, then the type of a ClientHello. */
const CLIENT_HELLO = '\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03'
const HTTP2_PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

describe('opaque connections', () => {
  it.each([
    ['tls', CLIENT_HELLO],
    ['http2', `${HTTP2_PREFACE}\x00\x00\x00\x04\x00`],
    ['not-http', '*1\r\n$4\r\nPING\r\n'],
    ['not-http', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['not-http', 'EHLO mail.example\r\n'],
    ['not-http', '\x00\x00\x00\x08\x04\xd2\x16/'],
  ])('are %s in both directions: %j', (reason, first) => {
    for (const talk of [
      new Conversation().client(first, 'more').server('reply').close(),
      new Conversation().server('SERVER SPEAKS FIRST\r\n\r\n').client(first).server('reply').close(),
    ]) {
      for (const steps of [talk.steps, split(talk.steps, () => true)]) {
        const { request: client, response: server } = story(Object.assign(new Conversation(), { steps }))
        expect(client).toEqual([expect.stringMatching(`^opaque ${reason} `)])
        expect(server).toEqual([expect.stringMatching(`^opaque ${reason} `)])
      }
    }
  })

  it('are tls where they begin in the middle of one', () => {
    const talk = new Conversation().server('\x17\x03\x03\x00\x05hello').client('\x17\x03\x03\x00\x05hello')
    expect(story(talk, { midStream: true })).toEqual({ request: ['opaque tls 10'], response: ['opaque tls 10'] })
  })

  it('begin after a 101', () => {
    const talk = new Conversation().client(WEBSOCKET).server(`${SWITCHING}\x81\x02hi`).client('\x81\x80GET').close()
    expect(story(talk)).toEqual({
      request: ['head 0 GET /feed HTTP/1.1', 'end 0 whole', 'opaque upgrade 5'],
      response: ['head 0 HTTP/1.1 101 Switching Protocols', 'end 0 whole', 'opaque upgrade 4'],
    })
  })

  it('begin after a 2xx to CONNECT, whatever framing its head states', () => {
    const talk = new Conversation()
      .client(CONNECT)
      .server('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbanner')
      .client(request('GET /inside'))
    expect(story(talk)).toEqual({
      request: ['head 0 CONNECT db.example:5432 HTTP/1.1', 'end 0 whole', expect.stringMatching('^opaque connect')],
      response: ['head 0 HTTP/1.1 200 OK', 'end 0 whole', 'opaque connect 6'],
    })
  })

  it('hold what the client sends before its answer, and read it as the answer says', () => {
    const early = new Conversation().client(WEBSOCKET, request('GET /next')).server(response(200, 'no'), response(200))
    expect(story(early).request).toEqual([
      'head 0 GET /feed HTTP/1.1',
      'end 0 whole',
      'head 1 GET /next HTTP/1.1',
      'end 1 whole',
    ])
    const tunnel = new Conversation().client(CONNECT, 'binary').server('HTTP/1.1 200 OK\r\n\r\n')
    expect(story(tunnel).request.at(-1)).toBe('opaque connect 6')
  })

  it('are not made by a request that asked and was refused', () => {
    const talk = new Conversation()
    for (const ask of [WEBSOCKET, CONNECT])
      talk.client(ask).server(response(403)).client(request('GET /')).server(response(200))
    expect(story(talk).request.filter((line) => line.startsWith('end'))).toHaveLength(4)
    expect(story(talk).response.filter((line) => line.startsWith('end'))).toHaveLength(4)
  })

  it('are not made by a 101 that nobody asked for', () => {
    const talk = new Conversation().client(request('GET /')).server(SWITCHING)
    expect(story(talk).response).toEqual([`undecodable 0 first unasked-upgrade ${SWITCHING.length}`])
  })
})
