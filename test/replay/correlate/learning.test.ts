import { describe, expect, it } from 'vitest'
import { readPlan } from '../../../src/replay/correlate/plan-words.ts'
import { parseRule } from '../../../src/replay/correlate/rules.ts'
import { ValueMap } from '../../../src/replay/correlate/value-map.ts'
import { thrownBy } from '../../support/errors.ts'
import type { Step } from './learnt.ts'
import { learn } from './learnt.ts'

/** As many sessions, each on its connection, a second apart. */
function sessions(
  count: number,
  stepsOf: (session: number) => readonly Omit<Step, 'session' | 'connection'>[],
): Step[] {
  return Array.from({ length: count }, (_, index) =>
    stepsOf(index).map((one) => ({
      ...one,
      atMs: one.atMs + index * 1_000,
      session: `sid=s${index}`,
      connection: index,
    })),
  ).flat()
}

const order = (id: number, asked: number | string) => [
  { atMs: 0, ask: 'POST /orders', reply: { id, total: 3 } },
  { atMs: 20, ask: `GET /orders/${asked}` },
]

const ORDER_RULE = 'POST /orders json .id -> GET /orders/:id path 2'

describe('a short number', () => {
  it('that comes back in one or two sessions proves nothing', async () => {
    expect((await learn(sessions(2, (index) => order(40 + index, 40 + index)))).rules).toEqual([])
  })

  it('that comes back in three sessions, each time another, does', async () => {
    const { correlation, rules } = await learn(sessions(3, (index) => order(40 + index, 40 + index)))
    expect(rules).toEqual([ORDER_RULE])
    expect(correlation.rules[0]).toMatchObject({ confidence: 'repeated', hits: 3, misses: 0, sessions: 3, values: 3 })
  })

  it('that is the same in all sessions does not', async () => {
    expect((await learn(sessions(6, () => order(40, 40)))).rules).toEqual([])
  })

  it('that is equal by chance in some sessions and another in the others does not', async () => {
    const half = sessions(12, (index) => order(40 + index, index % 2 === 0 ? 40 + index : 700))
    expect((await learn(half)).rules).toEqual([])
  })

  it('in a list does not, as nearly every number is in one', async () => {
    const lists = sessions(6, (index) => [
      { atMs: 0, ask: 'GET /products', reply: [10, 11, 12, 13, 14, 15].map((id) => ({ id })) },
      { atMs: 20, ask: `GET /products/${10 + index}` },
    ])
    expect((await learn(lists)).rules).toEqual([])
  })

  it.each(['true', '0', 'en', '2026-01-05'])('is no more than a word or a date: %s', async (value) => {
    const words = sessions(6, () => [
      { atMs: 0, ask: 'GET /settings', reply: { value } },
      { atMs: 20, ask: `GET /list?value=${value}` },
    ])
    expect((await learn(words)).rules).toEqual([])
  })
})

describe('a value that is too long for chance', () => {
  const token = (index: number): string => `tok_8f3a9c0d${index}e7`

  it('is learnt of one session, with less confidence than of two', async () => {
    const used = (index: number) => [
      { atMs: 0, ask: 'POST /token', reply: { access: { token: token(index) } } },
      { atMs: 20, ask: 'GET /me', lines: [`Authorization: Bearer ${token(index)}`] },
    ]
    const one = await learn(sessions(1, used))
    expect(one.rules).toEqual(['POST /token json .access.token -> * header authorization'])
    expect(one.correlation.rules[0]?.confidence).toBe('likely')
    expect((await learn(sessions(2, used))).correlation.rules[0]?.confidence).toBe('certain')
  })

  it('is not, where the client sent it first', async () => {
    const echoed = sessions(3, (index) => [
      { atMs: 0, ask: `GET /carts/${token(index)}`, reply: { cart: token(index) } },
      { atMs: 20, ask: `GET /carts/${token(index)}` },
    ])
    expect((await learn(echoed)).rules).toEqual([])
  })

  it('is not, where the reply had not begun when the request was made', async () => {
    const early = sessions(3, (index) => [
      { atMs: 0, ask: 'GET /slow', reply: { id: token(index) }, tookMs: 500 },
      { atMs: 20, ask: `GET /carts?id=${token(index)}` },
    ])
    expect((await learn(early)).rules).toEqual([])
  })

  it('is not, where it was issued to another session', async () => {
    const [first, second] = sessions(2, (index) => [
      index === 0 ? { atMs: 0, ask: 'GET /a', reply: { id: token(0) } } : { atMs: 0, ask: `GET /b?id=${token(0)}` },
    ])
    if (first === undefined || second === undefined) throw new Error('two steps were made')
    expect((await learn([first, second])).rules).toEqual([])
  })
})

describe('rules by the user', () => {
  it('pin a place: nothing else is learnt for it', async () => {
    const pinned = 'POST /orders location path 2 -> GET /orders/:id path 2'
    const { correlation, rules } = await learn(
      sessions(3, (index) => order(40 + index, 40 + index)),
      { rules: [pinned] },
    )
    expect(rules).toEqual([pinned])
    expect(correlation.rules[0]?.confidence).toBe('configured')
  })

  it.each([ORDER_RULE, '* -> * path 2', 'POST /orders json * -> *', '*'])('forbid: %s', async (pattern) => {
    const learnt = await learn(
      sessions(3, (index) => order(40 + index, 40 + index)),
      { forbidden: [pattern] },
    )
    expect(learnt.rules).toEqual([])
    expect(learnt.batches.every(({ plans }) => plans === undefined)).toBe(true)
  })

  it.each(['', 'POST /a json .b', 'POST /a json .b -> GET /c', 'POST /a body .b -> * cookie c', 'a -> b'])(
    'are refused where they are none: %j',
    (text) => {
      expect(thrownBy(() => parseRule(text, 'mesh.yaml'))).toMatchObject({ code: 'MESH_ERR_USAGE', where: 'mesh.yaml' })
    },
  )
})

describe('a session', () => {
  const login = (name: string, cookie: string) => ({
    ask: 'POST /login',
    body: `user=${name}`,
    replyLines: [`Set-Cookie: sid=${cookie}; Path=/`],
  })

  it('goes on under the cookie that its login gave it', async () => {
    const { survey, shots } = await learn([
      { atMs: 0, ...login('a', 'second8f3a9c0d'), session: 'sid=first01a2b3c4', lines: ['Cookie: sid=first01a2b3c4'] },
      { atMs: 50, ask: 'GET /me', session: 'sid=second8f3a9c0d', lines: ['Cookie: sid=second8f3a9c0d'] },
    ])
    expect(survey.sessions.size).toBe(1)
    expect(survey.pooled).toBe(0)
    expect(new Set(shots.map(({ session, connection }) => `${session} ${connection}`)).size).toBe(1)
  })

  it('has the login that began it, also where that came on a connection of its own', async () => {
    const { shots } = await learn([
      { atMs: 0, ...login('a', 'sid8f3a9c0d'), connection: 1 },
      { atMs: 50, ask: 'GET /me', session: 'sid=sid8f3a9c0d', lines: ['Cookie: sid=sid8f3a9c0d'], connection: 2 },
    ])
    expect(new Set(shots.map(({ session }) => session)).size).toBe(1)
  })

  it('is not that of a gateway, which logs in for many', async () => {
    const gateway = {
      session: 'authorization=Bearer service-8f3a9c0d',
      lines: ['Authorization: Bearer service-8f3a9c0d'],
    }
    const users = Array.from({ length: 6 }, (_, user): Step[] => {
      const token = `user-token-8f3a9c0d-${user}`
      return [
        { atMs: user * 10, ask: 'POST /tokens', ...gateway, reply: { token } },
        {
          atMs: 500 + user,
          ask: 'GET /me',
          session: `authorization=Bearer ${token}`,
          lines: [`Authorization: Bearer ${token}`],
          connection: 1 + user,
        },
      ]
    })
    expect((await learn(users.flat())).survey.sessions.size).toBe(5)
  })
})

describe('what a replay is told', () => {
  it('is nothing of shots that neither issue nor need a value', async () => {
    const { batches } = await learn([
      ...sessions(1, () => [{ atMs: 0, ask: 'GET /a', reply: { id: 'x-8f3a9c0d-1' } }]),
      { atMs: 50, ask: 'GET /b?id=x-8f3a9c0d-2', session: 'sid=s0' },
    ])
    expect(batches.every(({ plans }) => plans === undefined)).toBe(true)
  })

  it('is to wait for earlier shots alone, where the values of two routes depend on each other', async () => {
    const value = (name: string, round: number): string => `${name}-8f3a9c0d-${round}`
    const { rules, batches } = await learn(
      Array.from({ length: 6 }, (_, round): Step[] => {
        const [own, other] = round % 2 === 0 ? ['a', 'b'] : ['b', 'a']
        // The two routes are asked on two connections, and each reply is there when the next but one is sent.
        return [
          {
            atMs: round * 10,
            tookMs: 9,
            ask: `GET /${own}?from=${value(other, round - 1)}`,
            reply: { next: value(own, round) },
            session: 'sid=s',
            connection: round % 2,
          },
        ]
      }).flat(),
    )
    expect(rules).toEqual(['GET /a json .next -> GET /b query from', 'GET /b json .next -> GET /a query from'])
    const issued = new Set<number>()
    let waiting = 0
    for (const { plans, count } of batches) {
      for (let index = 0; index < count; index++) {
        const plan = plans === undefined ? undefined : readPlan(plans, index)
        for (const ticket of plan?.waits ?? []) expect(issued).toContain(ticket)
        waiting += plan?.waits.length ?? 0
        issued.add(plan?.ticket ?? 0)
      }
    }
    expect(waiting).toBe(5)
  })

  it('is counted where the reply that is needed belongs to a write which is held back', async () => {
    const { plan } = await learn(
      sessions(3, (index) => order(40 + index, 40 + index)),
      {},
      false,
    )
    expect(plan.warnings).toEqual([expect.stringContaining('3 values of requests come from replies to writes')])
  })
})

describe('what is known of a value', () => {
  it('is found by session and value, of many short values in many sessions', () => {
    const known = new ValueMap<string>(400_000)
    for (let session = 0; session < 300; session++) {
      for (let value = 0; value < 300; value++) known.set(session, String(value), `${session}/${value}`)
    }
    let [found, wrong] = [0, 0]
    for (let session = 0; session < 300; session++) {
      for (let value = 0; value < 300; value++) {
        const is = known.get(session, String(value))
        if (is === `${session}/${value}`) found += 1
        else if (is !== undefined) wrong += 1
      }
    }
    expect(wrong).toBe(0)
    // Values of one first hash push each other out: two or three of ninety thousand.
    expect(found).toBeGreaterThan(89_980)
  })
})
