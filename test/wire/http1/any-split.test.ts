import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CloseReason, Direction } from '../../../src/core/segment.ts'
import { Conversation, decode, joinSteps, split } from './conversation.ts'
import type { Step } from './conversation.ts'

/** One message as it goes over the wire, and what is to be found in it. */
interface Wire {
  head: string
  rest: string
  body: string
  trailers: string
}

interface Talk {
  request: Wire
  interim: string[]
  response: Wire
  expects: boolean
}

const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code))
const wildText = fc.oneof(
  fc.array(byte, { maxLength: 60 }).map((bytes) => bytes.join('')),
  // Bodies that look like the protocol around them.
  fc.constantFrom(
    'GET / HTTP/1.1\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    '0\r\n\r\n',
    '\r\n\r\n',
    '5\r\n',
  ),
)
const name = fc.constantFrom('Host', 'X-Trace', 'x', 'Cookie', 'Contents-Length', 'Content-Lengths', 'Accept-Encoding')
const value = fc.constantFrom('', 'a', 'chunked', 'close', 'a, b; c="d"', 'caf\xe9', 'first\r\n folded', '\tpadded ')
const field = fc.tuple(name, fc.constantFrom(':', ': '), value).map((parts) => parts.join(''))
const fields = fc.array(field, { maxLength: 4 })
const newline = fc.constantFrom('\r\n', '\n')

const chunk = fc.tuple(
  fc.array(byte, { minLength: 1, maxLength: 20 }).map((bytes) => bytes.join('')),
  fc.constantFrom('', ';a', ';a="b;c"', ' ;x=y'),
  fc.constantFrom('', '0', '000'),
)

const body: fc.Arbitrary<{ field: string; rest: string; body: string; trailers: string }> = fc.oneof(
  wildText.map((text) => ({ field: `Content-Length: ${text.length}`, rest: text, body: text, trailers: '' })),
  fc
    .tuple(fc.array(chunk, { maxLength: 4 }), fc.array(fc.constantFrom('Digest: 1', 'T: x'), { maxLength: 2 }))
    .map(([chunks, lines]) => {
      const trailers = lines.map((line) => `${line}\r\n`).join('')
      const sized = chunks.map(([text, ext, zeros]) => `${zeros}${text.length.toString(16)}${ext}\r\n${text}\r\n`)
      return {
        field: 'transfer-encoding: chunked',
        rest: `${sized.join('')}0\r\n${trailers}\r\n`,
        body: chunks.map(([text]) => text).join(''),
        trailers,
      }
    }),
)

function headOf(start: string, lines: readonly string[], end: string): string {
  return [start, ...lines].map((line) => `${line}${end}`).join('') + end
}

const talk: fc.Arbitrary<Talk> = fc
  .record({
    method: fc.constantFrom('GET', 'HEAD', 'POST', 'M-SEARCH', 'delete'),
    withBody: fc.boolean(),
    upgrade: fc.boolean(),
    expects: fc.boolean(),
    request: body,
    response: body,
    requestFields: fields,
    responseFields: fields,
    newlines: fc.tuple(newline, newline),
    status: fc.constantFrom(200, 204, 304, 404, 500),
    version: fc.constantFrom('1.1', '1.1', '1.0'),
  })
  .map((parts) => {
    const chunked = parts.request.field.startsWith('t')
    const withBody = parts.withBody && !(chunked && parts.version === '1.0')
    const asks = parts.upgrade ? ['Upgrade: h2c'] : []
    const expects = parts.expects && withBody && parts.request.rest !== ''
    const lines = [...parts.requestFields, ...asks, ...(expects ? ['Expect: 100-continue'] : [])]
    const target = `${parts.method} /a?b HTTP/${parts.version}`
    const none = { rest: '', body: '', trailers: '' }
    const bodiless = parts.method === 'HEAD' || parts.status === 204 || parts.status === 304
    const reply = [...parts.responseFields, parts.response.field]
    return {
      expects,
      interim: expects
        ? ['HTTP/1.1 100 Continue\r\n\r\n']
        : parts.status === 404
          ? ['HTTP/1.1 103 Hints\r\nA: b\r\n\r\n']
          : [],
      request: {
        head: headOf(target, withBody ? [...lines, parts.request.field] : lines, parts.newlines[0]),
        ...(withBody ? parts.request : none),
      },
      response: {
        head: headOf(`HTTP/1.1 ${parts.status} Reason`, reply, parts.newlines[1]),
        ...(bodiless ? none : parts.response),
      },
    }
  })

/** How the connection goes on after its exchanges. */
const ending = fc.constantFrom('close', 'untilClose', 'upgrade', 'connect', 'empty lines')

interface Plan {
  batches: Talk[][]
  ending: string
}

const plan: fc.Arbitrary<Plan> = fc.record({
  batches: fc.array(fc.array(talk, { minLength: 1, maxLength: 3 }), { maxLength: 4 }),
  ending,
})

/** The conversation of a plan: pipelined within a batch, the batches one after the other. */
function converse({ batches, ending }: Plan): Conversation {
  const wire = new Conversation()
  for (const batch of batches) {
    for (const { request, expects, interim } of batch) {
      wire.client(request.head)
      if (expects && batch.length === 1) wire.server(...interim)
      wire.client(request.rest)
    }
    for (const { response, expects, interim } of batch) {
      if (!expects || batch.length > 1) wire.server(...interim)
      wire.server(response.head, response.rest)
    }
  }
  if (ending === 'untilClose') wire.client('GET / HTTP/1.0\r\n\r\n').server('HTTP/1.0 200 OK\r\n\r\nto the', ' end')
  if (ending === 'upgrade') {
    wire.client('GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n').server('HTTP/1.1 101 S\r\n\r\n\0\0').client('\0GET')
  }
  if (ending === 'connect')
    wire.client('CONNECT a:1 HTTP/1.1\r\n\r\n').server('HTTP/1.1 200 OK\r\n\r\n').client('\x16\x03')
  if (ending === 'empty lines') wire.client('\r\n\n\r\n')
  wire.steps.splice(0, wire.steps.length, ...wire.steps.filter((step) => step.kind !== 'data' || step.bytes.length > 0))
  return wire.close()
}

/** What must be found of the messages in one direction. */
function found(events: ReturnType<typeof decode>['request'], count: number): Wire[] {
  return Array.from({ length: count }, (_, message) => {
    const text = (kind: string): string =>
      events
        .filter((event) => event.message === message && event.kind === kind && event.why !== 'interim')
        .map((event) => event.text ?? '')
        .join('')
    return { head: text('head'), rest: '', body: text('body'), trailers: text('trailers') }
  })
}

/** The steps in another order of arrival: each direction keeps its own, and comes no sooner than it was sent if `causal`. */
function interleave(steps: readonly Step[], coins: readonly boolean[], causal: boolean): Step[] {
  const queues = {
    request: steps.filter((s) => s.direction === 'request'),
    response: steps.filter((s) => s.direction === 'response'),
  }
  const pushed = { request: 0, response: 0 }
  const order: Step[] = []
  const ready = (direction: Direction): boolean => {
    const next = queues[direction][0]
    if (next === undefined) return false
    const other = direction === 'request' ? 'response' : 'request'
    return !causal || next.kind !== 'data' || next.acknowledged <= pushed[other]
  }
  for (let turn = 0; queues.request.length + queues.response.length > 0; turn++) {
    const wanted: Direction = tossed(coins, turn) ? 'request' : 'response'
    const direction = ready(wanted) ? wanted : wanted === 'request' ? 'response' : 'request'
    const step = queues[direction].shift() ?? queues[wanted].shift()
    if (step === undefined) continue
    order.push(step)
    if (step.kind === 'data') pushed[step.direction] += step.bytes.length
  }
  return order
}

function tossed(coins: readonly boolean[], turn: number): boolean {
  return coins[turn % coins.length] ?? false
}

const coins = fc.array(fc.boolean(), { minLength: 1, maxLength: 64 })

describe('any split', () => {
  it('gives every message of a conversation, however its bytes are cut and its directions interleaved', () => {
    fc.assert(
      fc.property(plan, coins, coins, fc.boolean(), (made, cuts, order, causal) => {
        const { steps } = converse(made)
        const talks = made.batches.flat()
        const whole = decode(joinSteps(steps))
        const wires = (side: 'request' | 'response'): Wire[] =>
          talks.map((one) => ({ ...one[side], field: undefined, rest: '' }))
        expect(found(whole.request, talks.length)).toEqual(wires('request'))
        expect(found(whole.response, talks.length)).toEqual(wires('response'))
        const pieces = split(steps, (offset) => tossed(cuts, offset))
        const again = decode(interleave(pieces, order, causal))
        expect(again.request).toEqual(whole.request)
        expect(again.response).toEqual(whole.response)
      }),
      { numRuns: 100 },
    )
  })

  it('gives the same events around gaps', () => {
    fc.assert(
      fc.property(
        plan,
        coins,
        fc.array(fc.nat(40), { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        (made, cuts, gaps, midStream) => {
          const holed = withGaps(converse(made).steps, gaps)
          const whole = decode(holed, { midStream })
          const again = decode(
            split(holed, (offset) => tossed(cuts, offset)),
            { midStream },
          )
          expect(again.request).toEqual(whole.request)
          expect(again.response).toEqual(whole.response)
        },
      ),
      { numRuns: 100 },
    )
  })
})

describe('losses', () => {
  /** Requests and responses that bear the same number, so that a wrong pair shows. */
  const kinds = fc.constantFrom('plain', 'head', 'chunked', 'interim', 'empty', 'post')
  const lost = fc.array(fc.tuple(fc.nat(60), fc.nat(100), fc.nat(100)), { minLength: 1, maxLength: 4 })

  it('never pair a response with a request that is not its own', () => {
    fc.assert(
      fc.property(
        fc.array(kinds, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 3 }),
        lost,
        coins,
        fc.boolean(),
        (exchanges, depth, losses, order, midStream) => {
          const { steps } = numbered(exchanges, depth)
          // Where the client pipelines, a lost request cannot be told from one that was never sent: only responses are lost.
          let holed = [...steps]
          for (const loss of losses) holed = withLoss(holed, loss, depth > 1)
          const { request, response } = decode(interleave(holed, order, true), { midStream })
          for (const head of response) {
            const number = /^Number: (\d+)\r\n/m.exec(head.text ?? '')?.[1]
            if (head.kind !== 'head' || number === undefined) continue
            const asked = request.find((event) => event.kind === 'head' && event.message === head.message)
            // A head that was cut says as much of its line as came.
            const line = asked?.text?.split('\r\n')[0]?.slice(0, 12) ?? 'none'
            expect(` /${number} HTTP/1.1`.includes(line.slice(line.indexOf(' '))) || !line.includes(' ')).toBe(true)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})

function numbered(kinds: readonly string[], depth: number): Conversation {
  const wire = new Conversation()
  for (let first = 0; first < kinds.length; first += depth) {
    const batch = kinds.slice(first, first + depth).map((kind, index) => ({ kind, number: first + index }))
    for (const { kind, number } of batch) {
      const method = kind === 'head' ? 'HEAD' : kind === 'post' ? 'POST' : 'GET'
      const body = kind === 'post' ? 'GET / HTT' : ''
      wire.client(`${method} /${number} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    }
    for (const { kind, number } of batch) {
      if (kind === 'interim') wire.server('HTTP/1.1 103 Hints\r\n\r\n')
      const framing = kind === 'chunked' ? 'Transfer-Encoding: chunked' : `Content-Length: ${kind === 'empty' ? 0 : 29}`
      wire.server(`HTTP/1.1 200 OK\r\nNumber: ${number}\r\n${framing}\r\n\r\n`)
      if (kind === 'chunked') wire.server('a\r\n0123456789\r\n5\r\n01234\r\n0\r\n\r\n')
      if (kind === 'plain' || kind === 'interim' || kind === 'post')
        wire.server('HTTP/1.1 200 OK\r\n', '\r\n\r\nHTTP/1.1')
    }
  }
  return wire
}

/** The steps with bytes of one of them lost. */
function withLoss(steps: readonly Step[], [at, from, length]: readonly number[], responsesOnly: boolean): Step[] {
  const index = (at ?? 0) % steps.length
  const step = steps[index]
  if (step?.kind !== 'data' || (responsesOnly && step.direction === 'request')) return [...steps]
  const { bytes, offset, direction } = step
  const start = (from ?? 0) % bytes.length
  const end = Math.min(bytes.length, start + 1 + (length ?? 0))
  const before: Step = { ...step, bytes: bytes.subarray(0, start) }
  const after: Step = { ...step, bytes: bytes.subarray(end), offset: offset + end }
  return [
    ...steps.slice(0, index),
    ...(start > 0 ? [before] : []),
    { kind: 'gap', direction, length: end - start },
    ...(end < bytes.length ? [after] : []),
    ...steps.slice(index + 1),
  ]
}

/** Every n-th step is lost, or a part of it. */
function withGaps(steps: readonly Step[], every: readonly number[]): Step[] {
  return steps.flatMap((step, index): Step[] => {
    if (step.kind !== 'data' || !every.some((n) => index % (n + 2) === n)) return [step]
    const { direction, bytes, offset } = step
    const from = Math.floor(bytes.length / (1 + (index % 3)))
    const length = bytes.length - from
    if (from === 0 || length === 0) return [{ kind: 'gap', direction, length: bytes.length }]
    return [
      { ...step, bytes: bytes.subarray(0, from), offset },
      { kind: 'gap', direction, length },
    ]
  })
}

describe('noise', () => {
  it('never throws and leaves no byte unaccounted for, in conversations with bytes changed', () => {
    const change = fc.tuple(fc.nat(), fc.constantFrom(...'\r\n\0 :,;0G', '\xff'))
    fc.assert(
      fc.property(
        plan,
        fc.array(change, { minLength: 1, maxLength: 4 }),
        coins,
        fc.boolean(),
        (made, changes, cuts, midStream) => {
          const { steps } = converse(made)
          for (const [place, char] of changes) {
            const step = steps[place % steps.length]
            if (step?.kind === 'data') step.bytes[place % step.bytes.length] = char.charCodeAt(0)
          }
          const whole = decode(steps, { midStream })
          const again = decode(
            split(steps, (offset) => tossed(cuts, offset)),
            { midStream },
          )
          expect(again.request).toEqual(whole.request)
          expect(again.response).toEqual(whole.response)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('never throws and leaves no byte unaccounted for, in random bytes, gaps and ends', () => {
    const direction = fc.constantFrom<Direction>('request', 'response')
    const text = fc.oneof(
      fc.constantFrom(
        'GET / HTTP/1.1\r\n',
        'HTTP/1.1 200 OK\r\n',
        '\r\n',
        'Content-Length: 5\r\n',
        'Transfer-Encoding: chunked\r\n',
      ),
      fc.constantFrom(
        'HEAD / HTTP/1.1\r\n',
        'CONNECT a:1 HTTP/1.1\r\n',
        'Upgrade: x\r\n',
        'Expect: 100-continue\r\n',
        '5\r\n',
        'hello',
      ),
      fc.constantFrom(
        'HTTP/1.1 101 S\r\n\r\n',
        'HTTP/1.1 100 C\r\n\r\n',
        'HTTP/1.1 204 N\r\n\r\n',
        'GET / HTTP/1.1\r\n\r\n',
      ),
      fc.array(byte, { maxLength: 8 }).map((bytes) => bytes.join('')),
    )
    const action = fc.tuple(fc.integer({ min: 0, max: 9 }), direction, text, fc.integer({ min: 1, max: 20 }))
    const ends = fc.constantFrom<CloseReason>('fin', 'rst', 'cut')
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), fc.boolean(), ends, (actions, midStream, how) => {
        const wire = new Conversation()
        for (const [kind, direction, text, length] of actions) {
          if (kind === 0) wire.lose(direction, length)
          else if (kind === 1 && length === 1) wire.end(direction, 'fin')
          else if (text !== '') wire.send(direction, [text])
        }
        decode(wire.end('request', how).end('response', how).steps, {
          midStream,
          limits: { maxHeadBytes: 60 },
        })
      }),
      { numRuns: 500 },
    )
  })
})
