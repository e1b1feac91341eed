import { describe, expect, it } from 'vitest'
import { compileIgnore } from '../../../src/compare/ignore.ts'
import { concatBytes, utf8Bytes } from '../../../src/core/bytes.ts'
import type { Exchange } from '../../../src/core/exchange.ts'
import { createMasker } from '../../../src/mask/masker.ts'
import type { BodyCheck } from '../../../src/measure/reply-check.ts'
import { BodyComparison } from '../../../src/replay/check/body-check.ts'
import { IssuingFields } from '../../../src/replay/check/issuing-fields.ts'
import type { PostedReplies } from '../../../src/replay/check/kept-replies.ts'
import { KeptReplies, MAX_REPLY_BYTES } from '../../../src/replay/check/kept-replies.ts'
import type { RecordedReply } from '../../../src/replay/check/recorded-reply.ts'
import { replyMessage } from '../../../src/replay/check/reply-message.ts'
import { FIRST_OF_ROUTE, MAX_REPLIES_PER_SECOND } from '../../../src/replay/check/sample-budget.ts'
import { parseRule } from '../../../src/replay/correlate/rules.ts'
import { exchange, response } from '../../support/exchanges.ts'

const ROUTE = 'GET /cart'
const PSEUDONYM = 'mesh-0123456789abcdef'
const JSON_HEAD = ['HTTP/1.1 200 OK', 'Content-Type: application/json']
const HTML_HEAD = ['HTTP/1.1 200 OK', 'Content-Type: text/html']

function recorded(body: unknown, changes: Partial<Exchange> = {}): Exchange {
  return exchange({ response: response(JSON_HEAD, JSON.stringify(body)), ...changes })
}

function reply(body: string, lines: readonly string[] = JSON_HEAD): Uint8Array {
  return utf8Bytes(`${lines.join('\r\n')}\r\n\r\n${body}`)
}

/** One reply as a sending thread hands it over. */
function posted(id: number, bytes: Uint8Array): PostedReplies {
  const all = { ids: Uint32Array.of(id), fates: Uint8Array.of(0), offset: Uint32Array.of(0, bytes.length) }
  return { ...all, bytes: Uint8Array.from(bytes) }
}

class Check {
  readonly comparison: BodyComparison
  nowNs = 0

  constructor(rules: readonly string[] = [], hasClones = false) {
    this.comparison = new BodyComparison({
      masker: createMasker(new Uint8Array(32)),
      ignored: compileIgnore([], ''),
      issuing: new IssuingFields(rules.map((rule) => parseRule(rule, ''))),
      authority: 'canary:8080',
      hasClones,
      nowNs: () => this.nowNs,
    })
  }

  keep(one: Exchange, issued: readonly string[] = [], method = 'POST'): RecordedReply | undefined {
    return this.comparison.keep(one, method, ROUTE, () => new Set(issued))
  }

  /** Compares a reply with the recorded one. */
  judge(kept: RecordedReply | undefined, bytes: Uint8Array): void {
    this.comparison.judge(posted(kept?.take() ?? 0, bytes))
  }

  get found(): BodyCheck {
    return this.comparison.report()
  }

  get fields(): readonly string[] {
    return this.found.fields.map(({ field }) => field)
  }
}

describe('a reply against the recorded one', () => {
  it('differs by field, with an example in which secrets are masked', () => {
    const check = new Check()
    const now = { total: 11, password: 'hunter3', extra: null }
    check.judge(check.keep(recorded({ total: 10, password: 'hunter2' })), reply(JSON.stringify(now)))
    expect(check.found.fields).toMatchObject([
      { field: 'body.extra', kind: 'added' },
      { field: 'body.password', kind: 'changed' },
      { field: 'body.total', kind: 'changed', example: { recorded: '10', now: '11' } },
    ])
    expect(JSON.stringify(check.found)).not.toContain('hunter')
  })

  it('is compared by kind only where the recorded value is masked', () => {
    const check = new Check()
    const kept = recorded({ token: PSEUDONYM, mail: `${PSEUDONYM}@x`, key: PSEUDONYM })
    check.judge(check.keep(kept), reply('{"token":"real","mail":"a@x","key":7}'))
    expect(check.found.fields).toMatchObject([{ field: 'body.key', kind: 'type' }])
  })

  it('does not differ in what the target issues, nor in what the request was sent another value for', () => {
    const rules = ['GET /cart json .items[].id -> * path 2', 'GET /cart location path 2 -> * path 2']
    const check = new Check(rules)
    const lines = (id: string): string[] => [...JSON_HEAD, `Location: /orders/${id}`]
    const one = exchange({ response: response(lines('1'), '{"items":[{"id":1,"n":2}],"order":"o-1","list":["o-1"]}') })
    check.judge(check.keep(one, ['o-1']), reply('{"items":[{"id":9,"n":3}],"order":"o-9","list":["o-9"]}', lines('9')))
    expect(check.fields).toEqual(['body.items[].n'])
  })

  it('differs in a short number that the request has in it by chance, and not in one that is an id', () => {
    const check = new Check()
    const kept = check.keep(recorded({ id: 17, order_id: '17', quantity: 17, lines: [17], total: 4711 }), [
      '17',
      '4711',
    ])
    check.judge(kept, reply('{"id":18,"order_id":"18","quantity":16,"lines":[18],"total":4712}'))
    expect(check.fields.toSorted()).toEqual(['body.lines[]', 'body.quantity'])
  })

  it('is compared as a text where a short number is a part of others only', () => {
    const check = new Check()
    const page = exchange({ response: response(HTML_HEAD, '<p>2017</p>') })
    check.judge(check.keep(page, ['17']), reply('<p>2018</p>', HTML_HEAD))
    expect(check.fields).toEqual(['body'])
  })

  it.each([
    ['masked', `<p>${PSEUDONYM}</p>`, [], []],
    ['issued', '<p>o-1</p>', ['o-1'], []],
    ['issued', '<p>any</p>', [], ['GET /cart html csrf -> * form csrf']],
  ])('is not compared as a text in which some differs by nature (%s)', (reason, body, issued, rules) => {
    const check = new Check(rules)
    check.judge(check.keep(exchange({ response: response(HTML_HEAD, body) }), issued), reply('<p>now</p>', HTML_HEAD))
    expect(check.found).toMatchObject({ compared: 0, notCompared: { [reason]: 1 }, routes: [] })
  })

  it('counts why others cannot be compared', () => {
    const check = new Check()
    const cut = response(JSON_HEAD, '{"a":', { cut: 'limit' })
    check.judge(check.keep(exchange({ response: cut })), reply('{"a":1}'))
    check.judge(check.keep(recorded({})), reply('', ['HTTP/1.1 304 Not Modified']))
    expect(check.found).toMatchObject({ compared: 0, notCompared: { cut: 1, 'not-modified': 1 } })
    expect(check.keep(exchange({ response: 'absent' }))).toBeUndefined()
  })
})

describe('noise', () => {
  it('is what differs between recorded replies to equal requests, but never the status', () => {
    const check = new Check()
    for (let at = 0; at < 4; at++) check.keep(recorded({ at, total: 10 }), [], 'GET')
    check.judge(check.keep(recorded({ at: 5, total: 10 }), [], 'GET'), reply('{"at":"now","total":10}'))
    expect(check.found).toMatchObject({ compared: 1, noisy: 1, noise: [{ route: ROUTE, field: 'body.at' }] })
    check.judge(check.keep(recorded({ at: 5, total: 10 }), [], 'GET'), reply('{"at":6,"total":11}'))
    expect(check.found.fields).toMatchObject([{ field: 'body.total', count: 1 }])
  })

  it('is what differs between replies to clones of one request', () => {
    const check = new Check([], true)
    const kept = check.keep(recorded({ at: 1, total: 10 }))
    check.judge(kept, reply('{"at":2,"total":11}'))
    expect(check.fields).toEqual(['body.at', 'body.total'])
    check.judge(kept, reply('{"at":3,"total":11}'))
    expect(check.found).toMatchObject({ differing: 2, noise: [{ route: ROUTE, field: 'body.at' }] })
    expect(check.fields).toEqual(['body.total'])
    const other = check.keep(recorded({ at: 1, total: 10 }))
    for (const status of [500, 503]) check.judge(other, reply('{}', [`HTTP/1.1 ${status} No`]))
    expect(check.fields).toEqual(['body.total', 'status'])
  })
})

describe('what is chosen', () => {
  it('is bounded by the second, the first of each route and the second clone of a request aside', () => {
    const check = new Check()
    const kept = Array.from({ length: 3 * MAX_REPLIES_PER_SECOND }, () => check.keep(recorded({})))
    expect(kept.filter((one) => one !== undefined)).toHaveLength(MAX_REPLIES_PER_SECOND)
    const rare = check.comparison.keep(recorded({}), 'GET', 'GET /rare', () => new Set())
    expect(rare).toBeDefined()
    expect([rare?.take(), rare?.take(), rare?.take()]).toEqual([1, 2, 0])
    check.nowNs = 1e9
    expect(check.keep(recorded({}))).toBeDefined()
  })

  it('is never a reply that is too long', () => {
    expect(new Check().keep(recorded('x'.repeat(MAX_REPLY_BYTES)))).toBeUndefined()
    expect(FIRST_OF_ROUTE).toBeLessThan(MAX_REPLIES_PER_SECOND)
  })
})

describe('replies on the sending thread', () => {
  it('are handed over whole, or with what became of them', () => {
    const batches: PostedReplies[] = []
    const replies = new KeptReplies(1000, (batch) => batches.push(batch))
    const end = (id: number, size: number, isWhole = true, dueNs = 1000): void => {
      const kept = replies.begin(id)
      const bytes = new Uint8Array(size).fill(id)
      kept.push(bytes, size - 1)
      kept.push(bytes, 1)
      replies.end(kept, isWhole, dueNs)
    }
    end(1, 3)
    end(2, MAX_REPLY_BYTES + 1)
    end(3, 3, false)
    end(4, 3, true, 999)
    replies.unsent(5)
    replies.unsent(0)
    end(6, 2)
    replies.flush()
    replies.flush()
    expect(batches).toEqual([
      {
        ids: Uint32Array.of(1, 2, 3, 4, 5, 6),
        fates: Uint8Array.of(0, 2, 1, 1, 1, 0),
        offset: Uint32Array.of(0, 3, 3, 3, 3, 3, 5),
        bytes: Uint8Array.of(1, 1, 1, 6, 6),
      },
    ])
  })

  it('hold no more than a bound, and give it back', () => {
    const fates: number[] = []
    const replies = new KeptReplies(0, (batch) => fates.push(...batch.fates))
    const kept = Array.from({ length: 200 }, (_, id) => replies.begin(id + 1))
    const bytes = new Uint8Array(MAX_REPLY_BYTES)
    for (const one of kept) one.push(bytes, bytes.length)
    for (const one of kept) replies.end(one, true, 0)
    const again = replies.begin(1000)
    again.push(bytes, bytes.length)
    replies.end(again, true, 0)
    replies.flush()
    expect(fates.filter((fate) => fate === 0)).toHaveLength(129)
    expect(fates.at(-1)).toBe(0)
  })
})

describe('replyMessage', () => {
  it('takes interim replies and chunks off', () => {
    const interim = utf8Bytes('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n')
    const bytes = reply('3\r\n{"a\r\n3;x\r\n":1\r\n1\r\n}\r\n0\r\n\r\n', [...JSON_HEAD, 'Transfer-Encoding: chunked'])
    const { head, body } = replyMessage(concatBytes([interim, bytes]))
    expect(Buffer.from(head).toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(Buffer.from(body).toString()).toBe('{"a":1}')
  })
})
