import { describe, expect, it } from 'vitest'
import { Conversation, decode, request, response, split, story } from './conversation.ts'

const GET = request('GET /')

describe('messages', () => {
  it('reads a request and its response with their bodies', () => {
    const talk = new Conversation().client(request('POST /cart', 'two apples')).server(response(201, 'ok')).close()
    expect(story(talk)).toEqual({
      request: ['head 0 POST /cart HTTP/1.1', 'body 0 two apples', 'end 0 whole'],
      response: ['head 0 HTTP/1.1 201 Reason', 'body 0 ok', 'end 0 whole'],
    })
  })

  it('gives heads exactly as received, with folded lines, duplicates and odd case', () => {
    const head = 'GET /?q=\xe9 HTTP/1.1\r\nhOST: a\r\nX-Long: one\r\n\ttwo\r\n three\r\nX: 1\r\nX: 1\r\nEmpty:\r\n\r\n'
    const { request: events } = decode(new Conversation().client(head).steps)
    expect(events[0]).toMatchObject({ kind: 'head', text: head, start: 0, end: head.length })
  })

  it('reads pipelined requests and numbers responses after them', () => {
    const talk = new Conversation()
      .client(request('GET /a') + request('HEAD /b') + request('GET /c'))
      .server(response(200, 'A') + 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n' + response(404, 'C'))
      .close()
    expect(story(talk).response).toEqual([
      'head 0 HTTP/1.1 200 Reason',
      'body 0 A',
      'end 0 whole',
      'head 1 HTTP/1.1 200 OK',
      'end 1 whole',
      'head 2 HTTP/1.1 404 Reason',
      'body 2 C',
      'end 2 whole',
    ])
  })

  it('reads chunked bodies with extensions and trailers', () => {
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked \r\n\r\n'
    const body = '5\r\nhello\r\n00a;name="a;b"\r\n, chunked!\r\n0\r\nDigest: x\r\nMore: y\r\n\r\n'
    const talk = new Conversation()
      .client(GET)
      .server(chunked + body)
      .client(GET)
      .server(response(200))
    expect(story(talk).response).toEqual([
      'head 0 HTTP/1.1 200 OK',
      'body 0 hello',
      'body 0 , chunked!',
      'trailers 0 "Digest: x\\r\\nMore: y\\r\\n"',
      'end 0 whole',
      'head 1 HTTP/1.1 200 Reason',
      'end 1 whole',
    ])
  })

  it('takes a bare LF as the end of a line, as nginx does', () => {
    const talk = new Conversation()
      .client('POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n3\nabc\n0\n\n')
      .server('HTTP/1.1 200 OK\nContent-Length: 1\n\nx')
    expect(story(talk)).toEqual({
      request: ['head 0 POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n', 'body 0 abc', 'end 0 whole'],
      response: ['head 0 HTTP/1.1 200 OK\nContent-Length: 1\n\n', 'body 0 x', 'end 0 whole'],
    })
  })

  it('passes over empty lines before a request', () => {
    const { request: events } = decode(new Conversation().client(`\r\n\n\r\n${GET}\r\n${GET}\r`).close().steps)
    expect(events.map((event) => event.kind)).toEqual(['framing', 'head', 'end', 'framing', 'head', 'end', 'framing'])
  })

  it.each([
    ['a reply to HEAD', 'HEAD /', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['204', 'GET /', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['304 that states the length it would have', 'GET /', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\n\r\n'],
    ['a status line without a reason', 'GET /', 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n'],
  ])('knows that %s has no body', (_case, line, reply) => {
    const talk = new Conversation().client(request(line)).server(reply).client(GET).server(response(200, 'next'))
    expect(story(talk).response.slice(1, 4)).toEqual(['end 0 whole', 'head 1 HTTP/1.1 200 Reason', 'body 1 next'])
  })

  it('reads a response without a length up to the close', () => {
    const talk = new Conversation().client(GET).server('HTTP/1.0 200 OK\r\n\r\nto the ', 'end').close()
    expect(story(talk).response.slice(1)).toEqual(['body 0 to the end', 'end 0 whole'])
  })

  it('takes a reset for no end of a body that only a close ends', () => {
    const talk = new Conversation().client(GET).server('HTTP/1.0 200 OK\r\n\r\nto the ').close('rst')
    expect(story(talk).response.at(-1)).toBe('end 0 close')
  })

  it('keeps an HTTP/1.0 connection alive where lengths are stated', () => {
    const talk = new Conversation()
    for (let index = 0; index < 2; index++) {
      talk
        .client('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
        .server('HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx')
    }
    expect(story(talk).response.filter((line) => line.startsWith('end'))).toEqual(['end 0 whole', 'end 1 whole'])
  })

  it('takes the same length twice for one', () => {
    const talk = new Conversation().client('POST / HTTP/1.1\r\nContent-Length: 2\r\ncontent-length: 2, 02\r\n\r\nab')
    expect(story(talk).request.slice(1)).toEqual(['body 0 ab', 'end 0 whole'])
  })

  it('cuts what the close interrupts, as far as it came', () => {
    const talk = new Conversation().client('POST / HTTP/1.1\r\nContent-Le').close()
    expect(story(talk).request).toEqual(['head 0 POST / HTTP/1.1', 'end 0 close'])
    const body = new Conversation().client(request('POST /', 'abc').slice(0, -1)).server('HTTP/1.1 4').close('rst')
    expect(story(body)).toEqual({
      request: ['head 0 POST / HTTP/1.1', 'body 0 ab', 'end 0 close'],
      response: ['head 0 HTTP/1.1 4', 'end 0 close'],
    })
  })

  it('streams a body and holds none of it', () => {
    const piece = 'x'.repeat(100_000)
    const talk = new Conversation().client(GET).server('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n')
    for (let index = 0; index < 10; index++) talk.server(piece)
    const decoded = decode(talk.close().steps)
    expect(decoded.response.map((event) => event.kind)).toEqual(['head', 'body', 'end'])
    expect(decoded.heldBytes).toBe(0)
  })

  it('answers a cut request where its method is known', () => {
    const talk = new Conversation().client('GET /slow HTTP/1.1\r\nHost').server(response(408)).close()
    expect(story(talk).response).toEqual(['head 0 HTTP/1.1 408 Reason', 'end 0 whole'])
  })

  it('waits for a request that comes later than its response', () => {
    const { steps } = new Conversation()
      .client(request('HEAD /'))
      .server('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n')
    const turned = steps.toReversed()
    expect(decode(turned).response).toEqual(decode(steps).response)
    expect(decode(split(turned, () => true)).response).toEqual(decode(steps).response)
  })
})

describe('expectations', () => {
  const EXPECTING = request('POST /big', '', 'Expect: 100-continue', 'Content-Length: 5')

  it('reads interim responses and then the final one', () => {
    const talk = new Conversation()
      .client(EXPECTING)
      .server('HTTP/1.1 100 Continue\r\n\r\n')
      .client('hello')
      .server('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' + response(200, 'ok'))
    expect(story(talk)).toEqual({
      request: ['head 0 POST /big HTTP/1.1', 'body 0 hello', 'end 0 whole'],
      response: [
        'head 0 interim HTTP/1.1 100 Continue',
        'head 0 interim HTTP/1.1 103 Early Hints',
        'head 0 HTTP/1.1 200 Reason',
        'body 0 ok',
        'end 0 whole',
      ],
    })
  })

  it('reads a body that is sent although it was refused', () => {
    const talk = new Conversation().client(EXPECTING).server(response(417)).client(`{"a"}${GET}`).server(response(200))
    expect(story(talk).request).toEqual([
      'head 0 POST /big HTTP/1.1',
      'body 0 {"a"}',
      'end 0 whole',
      'head 1 GET / HTTP/1.1',
      'end 1 whole',
    ])
  })

  it.each([
    ['a stated length that ends inside the next head', EXPECTING],
    ['a stated length that the server did not wait for', EXPECTING.replace('Length: 5', 'Length: 5000')],
    ['chunks', request('POST /big', '', 'Expect: 100-continue', 'Transfer-Encoding: chunked')],
  ])('sees that a refused body never came and the next request did: %s', (_case, head) => {
    const talk = new Conversation().client(head).server(response(417)).client(GET).server(response(200, 'ok')).close()
    expect(story(talk)).toEqual({
      request: ['head 0 POST /big HTTP/1.1', 'end 0 close', 'head 1 GET / HTTP/1.1', 'end 1 whole'],
      response: ['head 0 HTTP/1.1 417 Reason', 'end 0 whole', 'head 1 HTTP/1.1 200 Reason', 'body 1 ok', 'end 1 whole'],
    })
  })

  it('takes neither reading of a refused body that looks like a request and has a request after it', () => {
    const head = request('POST /big', '', 'Expect: 100-continue', `Content-Length: ${GET.length}`)
    const talk = new Conversation()
      .client(head)
      .server(response(417))
      .client(GET + GET)
      .server(response(200))
    expect(story(talk).request).toEqual([
      'head 0 POST /big HTTP/1.1',
      `undecodable 0 first expect-ambiguous ${GET.length * 2}`,
    ])
  })

  it('cuts a request whose body was refused and never sent', () => {
    const talk = new Conversation().client(EXPECTING).server(response(403)).close()
    expect(story(talk).request).toEqual(['head 0 POST /big HTTP/1.1', 'end 0 close'])
  })
})
