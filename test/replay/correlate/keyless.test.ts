import { describe, expect, it } from 'vitest'
import { readPlan } from '../../../src/replay/correlate/plan-words.ts'
import type { Step } from './learnt.ts'
import { learn } from './learnt.ts'

const token = (user: number): string => `token-8f3a9c0d1e2f-${user}`
const sid = (user: number): string => `cookie8f3a9c0d-${user}`

/** A user logs in with a page's token, which no cookie goes with, and looks at the account. */
const visit = (user: number, atMs: number, connections: readonly [number, number, number]): readonly Step[] => [
  { atMs, ask: 'GET /form', reply: { csrf: token(user) }, connection: connections[0] },
  {
    atMs: atMs + 20,
    ask: 'POST /login',
    body: `user=u${user}&csrf=${token(user)}`,
    replyLines: [`Set-Cookie: sid=${sid(user)}; Path=/`],
    connection: connections[1],
  },
  {
    atMs: atMs + 40,
    ask: 'GET /account',
    session: `sid=${sid(user)}`,
    lines: [`Cookie: sid=${sid(user)}`],
    connection: connections[2],
  },
]

/** How many shots each session has, and over how many connections they go. */
async function grouped(steps: readonly Step[]): Promise<{ readonly shots: number[]; readonly connections: number }> {
  const { shots } = await learn(steps)
  const sizes = new Map<number, number>()
  for (const { session } of shots) sizes.set(session, (sizes.get(session) ?? 0) + 1)
  return { shots: [...sizes.values()], connections: new Set(shots.map(({ connection }) => connection)).size }
}

describe('requests without the key of a session', () => {
  it('are of the session whose cookie their reply issued, where several log in on one connection one after the other', async () => {
    const steps = [0, 1, 2].flatMap((user) => visit(user, user * 100, [0, 0, 0]))
    expect(await grouped(steps)).toEqual({ shots: [3, 3, 3], connections: 3 })
  })

  it('are so where a proxy puts each request onto whatever connection is free, and all of a session go over one', async () => {
    const steps = [0, 1, 2].flatMap((user) => visit(user, user * 7, [user, (user + 1) % 3, (user + 2) % 3]))
    // Nobody else is seen on this connection.
    const last = visit(3, 500, [0, 9, 1])
    expect(await grouped([...steps, ...last])).toEqual({ shots: [3, 3, 3, 3], connections: 4 })
  })

  it('wait for the replies that their values come from', async () => {
    const { rules, batches } = await learn(
      [0, 1, 2].flatMap((user) => visit(user, user * 7, [user, (user + 1) % 3, (user + 2) % 3])),
    )
    expect(rules).toContain('GET /form json .csrf -> POST /login form csrf')
    const plans = batches.flatMap((batch) => (batch.plans === undefined ? [] : [batch.plans]))
    const all = plans.flatMap((one) => [...one.offset.keys()].flatMap((index) => readPlan(one, index) ?? []))
    expect(all.filter(({ waits }) => waits.length > 0)).toHaveLength(6)
  })

  it('are of one session where they send its token in a header of their own', async () => {
    const steps = [0, 1, 2].flatMap((user): Step[] => [
      { atMs: user * 5, ask: 'POST /token', reply: { token: token(user) }, connection: user },
      ...[1, 2, 3].slice(user).map((round) => ({
        atMs: round * 50 + user,
        ask: 'GET /me',
        lines: [`X-Auth-Token: ${token(user)}`],
        connection: (user + round) % 3,
      })),
    ])
    expect(await grouped(steps)).toEqual({ shots: [4, 3, 2], connections: 3 })
  })

  it('are of the session that sends what they were given', async () => {
    const steps = [0, 1].flatMap((user): Step[] => [
      { atMs: user * 5, ask: 'GET /config', reply: { nonce: token(user) }, connection: 0 },
      {
        atMs: 50 + user,
        ask: 'POST /orders',
        session: `sid=${sid(user)}`,
        lines: [`Cookie: sid=${sid(user)}`, `X-Nonce: ${token(user)}`],
        connection: 0,
      },
    ])
    expect(await grouped(steps)).toEqual({ shots: [2, 2], connections: 2 })
  })

  it('are told by nothing that several replies issued', async () => {
    const steps = [0, 1, 2, 3].flatMap((user): Step[] => [
      { atMs: user, ask: 'GET /build', reply: { build: token(0) }, connection: user },
      { atMs: 50 + user, ask: `GET /app?build=${token(0)}`, connection: user },
    ])
    expect(await grouped(steps)).toEqual({ shots: [2, 2, 2, 2], connections: 4 })
  })

  it('are told by nothing that a client sent before any reply had it', async () => {
    const lines = ['X-Api-Key: key-8f3a9c0d1e2f3a4b']
    const steps = [0, 1, 2, 3].flatMap((user): Step[] => [
      { atMs: user * 10, ask: 'GET /a', lines, connection: user, reply: { key: 'key-8f3a9c0d1e2f3a4b' } },
      { atMs: 50 + user, ask: 'GET /b', lines, connection: user },
    ])
    expect(await grouped(steps)).toEqual({ shots: [2, 2, 2, 2], connections: 4 })
  })

  it('are 1,024 of one session at most: what a crowd sends is nobody’s own', async () => {
    const crowd = Array.from({ length: 1_500 }, (_, user) => ({
      atMs: 50 + user,
      ask: 'GET /shared',
      lines: [`X-Link: ${token(0)}`],
      connection: user + 1,
    }))
    const { shots } = await grouped([{ atMs: 0, ask: 'POST /share', reply: { link: token(0) } }, ...crowd])
    expect(Math.max(...shots)).toBe(1_024)
  })
})

describe('a masked cookie', () => {
  const masked = (user: number): string => `mesh-0123456789abcdef-${user}`
  const account = (user: number, atMs: number): Step => ({
    atMs,
    ask: 'GET /account',
    session: `sid=${masked(user)}`,
    lines: [`Cookie: sid=${masked(user)}`],
    connection: user,
  })

  it('is of a session from before the recording where no reply issued it, and not where a login without a key did', async () => {
    const login = (user: number, atMs: number): Step => ({
      atMs,
      ask: 'POST /login',
      body: `user=u${user}`,
      replyLines: [`Set-Cookie: sid=${masked(user)}; Path=/`],
      connection: user,
    })
    const looks = [0, 1, 2].flatMap((user) => [account(user, 20), account(user, 40)])
    const logins = [0, 1, 2].map((user) => login(user, 0))
    expect((await learn(looks)).correlation.maskedStrangers).toBe(6)
    expect((await learn([...logins, ...looks])).correlation.maskedStrangers).toBe(0)
  })
})
