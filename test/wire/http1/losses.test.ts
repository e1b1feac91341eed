import { describe, expect, it } from 'vitest'
import { Conversation, decode, request, response, split, story } from './conversation.ts'
import type { Step } from './conversation.ts'

const page = (index: number): string => response(200, `page ${index}`)
const get = (index: number): string => request(`GET /${index}`)
const upload = request('POST /upload', 'x'.repeat(100))
const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

/** Each response's body by the number of the request it was paired with. */
function pages(steps: readonly Step[]): string[] {
  return decode(steps)
    .response.filter((event) => event.kind === 'body')
    .map((event) => `${event.message}: ${event.text}`)
}

/** `count` requests of one client that waits for each response; those in `lost` were missed by the capture. */
function keepAlive(count: number, lost: ReadonlySet<number>): Conversation {
  const talk = new Conversation()
  for (let index = 0; index < count; index++) {
    talk.client(get(index))
    if (lost.has(index)) talk.serverLost(page(index))
    else talk.server(page(index))
  }
  return talk.close()
}

describe('lost responses', () => {
  it('leave every other of 1000 responses with its own request', () => {
    const { steps } = keepAlive(1000, new Set([437]))
    const expected = Array.from({ length: 1000 }, (_, index) => `${index}: page ${index}`).filter((_, at) => at !== 437)
    expect(pages(steps)).toEqual(expected)
    expect(pages(split(steps, (offset) => offset % 40 === 0))).toEqual(expected)
  })

  it('are passed over also where the gap is told long after the requests behind it', () => {
    const { steps } = keepAlive(6, new Set([2]))
    const gap = steps.findIndex((step) => step.kind === 'gap')
    const late = steps
      .slice(gap)
      .sort((a, b) => Number(a.direction === 'response') - Number(b.direction === 'response'))
    expect(pages([...steps.slice(0, gap), ...late])).toEqual([
      '0: page 0',
      '1: page 1',
      '3: page 3',
      '4: page 4',
      '5: page 5',
    ])
  })

  it('may be many in one gap, and the first or the last', () => {
    expect(pages(keepAlive(8, new Set([0, 3, 4, 5, 7])).steps)).toEqual(['1: page 1', '2: page 2', '6: page 6'])
  })

  it('take the framing of the request that is proved: HEAD after GET', () => {
    const talk = new Conversation()
      .client(get(0))
      .serverLost(page(0))
      .client(request('HEAD /1'))
      .server('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n')
      .client(get(2))
      .server(page(2))
    expect(story(talk).response).toEqual([
      'head 1 HTTP/1.1 200 OK',
      'end 1 whole',
      'head 2 HTTP/1.1 200 Reason',
      'body 2 page 2',
      'end 2 whole',
    ])
  })

  it('leave the tail of a response whose beginning is gone as lost', () => {
    const talk = new Conversation()
      .client(get(0))
      .serverLost('HTTP/1.1 200 OK\r\nConte')
      .server('nt-Length: 4\r\n\r\nbody')
    talk.client(get(1)).server(page(1)).close()
    expect(story(talk).response).toEqual(['lost gap 20', 'head 1 HTTP/1.1 200 Reason', 'body 1 page 1', 'end 1 whole'])
  })

  it('are counted over inside a body of stated length, and the next response begins right after it', () => {
    const talk = new Conversation()
      .client(get(0) + get(1))
      .server('HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n0123456789')
    talk.serverLost('0123456789').server(`0123456789${page(1)}`)
    const within = ['head 0 HTTP/1.1 200 OK', 'body 0 0123456789', 'body 0 0123456789', 'end 0 gap']
    const next = ['head 1 HTTP/1.1 200 Reason', 'body 1 page 1', 'end 1 whole']
    expect(story(talk).response).toEqual([...within, ...next])
    const toTheEnd = new Conversation().client(get(0) + get(1)).server('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n')
    toTheEnd.serverLost('0123456789').server(page(1))
    expect(story(toTheEnd).response).toEqual(['head 0 HTTP/1.1 200 OK', 'end 0 gap', ...next])
  })

  it('are counted over inside a chunk, and cut the body across chunks', () => {
    const within = new Conversation()
      .client(get(0))
      .server(`${chunked}a\r\n01234`)
      .serverLost('567')
      .server('89\r\n0\r\n\r\n')
    expect(story(within).response.slice(1)).toEqual(['body 0 01234', 'body 0 89', 'end 0 gap'])
    const across = new Conversation()
      .client(get(0))
      .server(`${chunked}5\r\n01`)
      .serverLost('234\r\n5\r\n5')
      .server('6789\r\n0\r\n\r\n')
    across.client(get(1)).server(page(1))
    expect(story(across).response.slice(1)).toEqual([
      'body 0 01',
      'end 0 gap',
      'lost gap 11',
      'head 1 HTTP/1.1 200 Reason',
      'body 1 page 1',
      'end 1 whole',
    ])
  })

  it('cut a body that only the close ends, and it goes on', () => {
    const talk = new Conversation()
      .client(get(0))
      .server('HTTP/1.0 200 OK\r\n\r\nab')
      .serverLost('cd')
      .server('ef')
      .close()
    expect(story(talk).response).toEqual(['head 0 HTTP/1.0 200 OK', 'body 0 ab', 'body 0 ef', 'end 0 gap'])
  })

  it('prove nothing among pipelined requests: no response is paired by guess', () => {
    const talk = new Conversation()
      .client(get(0) + get(1) + get(2))
      .server(page(0))
      .serverLost(page(1))
      .server(page(2))
      .close()
    expect(story(talk).response).toEqual([
      'head 0 HTTP/1.1 200 Reason',
      'body 0 page 0',
      'end 0 whole',
      `lost gap ${page(2).length}`,
    ])
  })

  it('are paired among pipelined requests where only one is left', () => {
    const talk = new Conversation()
      .client(get(0) + get(1))
      .server(page(0))
      .client(get(2))
      .server(page(1))
    talk.client(get(3)).serverLost('HTTP/1.1 100 Continue\r\n\r\n').server(page(2))
    expect(pages(talk.steps)).toEqual(['0: page 0', '1: page 1'])
    const single = new Conversation()
      .client(get(0) + get(1))
      .server(page(0) + page(1))
      .client(get(2))
    single.serverLost('HTTP/1.1 100 Continue\r\n\r\n').server(page(2))
    expect(pages(single.steps)).toEqual(['0: page 0', '1: page 1', '2: page 2'])
  })

  it('keep an interim response of a later request from giving the final one to an earlier', () => {
    const talk = new Conversation().client(get(0)).serverLost(page(0)).client(get(1))
    talk.server(`HTTP/1.1 103 Early Hints\r\n\r\n${page(1)}`)
    expect(pages(talk.steps)).toEqual(['1: page 1'])
  })

  it('take no text in a body for the next response', () => {
    const across = new Conversation().client(get(0)).server(`${chunked}9\r\nbefore`).serverLost('..........')
    across.server(`x`, page(99), `0\r\n\r\n`).client(get(1)).server(page(1))
    expect(pages(across.steps)).toEqual(['0: before', '1: page 1'])
  })
})

describe('lost requests', () => {
  it('leave the responses to them lost, and the others with their own requests', () => {
    const talk = new Conversation()
    for (let index = 0; index < 6; index++) {
      if (index % 3 === 1) talk.clientLost(get(index))
      else talk.client(get(index))
      talk.server(page(index))
    }
    const { response: events } = decode(talk.close().steps)
    expect(events.filter((event) => event.kind === 'body').map((event) => `${event.message}: ${event.text}`)).toEqual([
      '0: page 0',
      '1: page 2',
      '2: page 3',
      '3: page 5',
    ])
    expect(events.filter((event) => event.kind === 'lost')).toHaveLength(2)
  })

  it('are counted over inside a body of stated length', () => {
    const talk = new Conversation()
      .client(upload.slice(0, -50))
      .clientLost('x'.repeat(40))
      .client(`${'x'.repeat(10)}${get(1)}`)
    talk.server(page(0) + page(1))
    expect(story(talk)).toEqual({
      request: [
        'head 0 POST /upload HTTP/1.1',
        'body 0 50',
        'body 0 xxxxxxxxxx',
        'end 0 gap',
        'head 1 GET /1 HTTP/1.1',
        'end 1 whole',
      ],
      response: [
        'head 0 HTTP/1.1 200 Reason',
        'body 0 page 0',
        'end 0 whole',
        'head 1 HTTP/1.1 200 Reason',
        'body 1 page 1',
        'end 1 whole',
      ],
    })
  })

  it('are cut in a head, which is given as far as it came, and answered', () => {
    const talk = new Conversation().client('HEAD /0 HTTP/1.1\r\nHo').clientLost('st: a').client('\r\n\r\n')
    talk.server('HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n').client(get(1)).server(page(1))
    expect(story(talk)).toEqual({
      request: ['head 0 HEAD /0 HTTP/1.1', 'end 0 gap', 'lost gap 4', 'head 1 GET /1 HTTP/1.1', 'end 1 whole'],
      response: ['head 0 HTTP/1.1 200 OK', 'end 0 whole', 'head 1 HTTP/1.1 200 Reason', 'body 1 page 1', 'end 1 whole'],
    })
  })

  it('prove nothing where the client pipelines', () => {
    const talk = new Conversation().client(get(0)).clientLost(get(1)).client(get(2)).server(page(0), page(1), page(2))
    expect(pages(talk.steps)).toEqual(['0: page 0'])
  })

  it('that may have been an Upgrade leave only provable requests after them', () => {
    const upgrade = request('GET /feed', '', 'Upgrade: websocket')
    const talk = new Conversation().client(upgrade).serverLost(page(0)).client(get(1)).server(page(1)).close()
    expect(story(talk).request.slice(2)).toEqual(['head 1 GET /1 HTTP/1.1', 'end 1 whole'])
    expect(pages(talk.steps)).toEqual(['1: page 1'])
    const tunnel = new Conversation()
      .client('CONNECT a:1 HTTP/1.1\r\n\r\n')
      .serverLost(page(0))
      .client(get(1))
      .server(page(1))
    expect(story(tunnel).request.slice(2)).toEqual([`lost gap ${get(1).length}`])
    expect(pages(tunnel.steps)).toEqual([])
  })
})

describe('connections whose beginning was not seen', () => {
  it('begin with the first whole message of each direction', () => {
    const talk = new Conversation().server('rest of a body').client(get(0)).server(page(0)).close()
    expect(story(talk, { midStream: true })).toEqual({
      request: ['head 0 GET /0 HTTP/1.1', 'end 0 whole'],
      response: ['lost midStream 14', 'head 0 HTTP/1.1 200 Reason', 'body 0 page 0', 'end 0 whole'],
    })
  })

  it('lose a response whose request came before', () => {
    const talk = new Conversation().server(page(9)).client(get(0)).server(page(0))
    expect(story(talk, { midStream: true }).response[0]).toBe(`lost midStream ${page(9).length}`)
    expect(story(new Conversation().server(page(9)).close(), { midStream: true }).response).toEqual([
      `lost midStream ${page(9).length}`,
    ])
  })

  it('lose the rest of a request, and begin with the next that is sent with more knowledge', () => {
    const talk = new Conversation()
      .client('rest of an upload', get(7))
      .server(page(9))
      .client(get(0))
      .server(page(0))
      .close()
    expect(story(talk, { midStream: true })).toEqual({
      request: [`lost midStream ${17 + get(7).length}`, 'head 0 GET /0 HTTP/1.1', 'end 0 whole'],
      response: [`lost midStream ${page(9).length}`, 'head 0 HTTP/1.1 200 Reason', 'body 0 page 0', 'end 0 whole'],
    })
  })
})
