import { afterEach, describe, expect, it } from 'vitest'
import { blockedNs, lagNs } from '../../../src/core/outcome.ts'
import type { Outcome } from '../../../src/core/outcome.ts'
import type { BatchPlans } from '../../../src/replay/correlate/plan-words.ts'
import { joinPlans, packPlan } from '../../../src/replay/correlate/plan-words.ts'
import type { ShotPlan } from '../../../src/replay/correlate/shot-plan.ts'
import type { ReplayOptions } from '../../../src/replay/replay.ts'
import { runReplay } from '../../../src/replay/replay.ts'
import { packShots } from '../../../src/replay/shot-batch.ts'
import { numbered, OutcomeList, replayOptions, shot, until } from './shots.ts'
import type { Received, ScriptedTarget } from './targets.ts'
import { startTarget } from './targets.ts'

let target: ScriptedTarget | undefined

afterEach(async () => {
  await target?.close()
  target = undefined
})

const NO_PLAN: ShotPlan = { ticket: 0, sources: [], waits: [], sinks: [], lengthStart: 0, lengthEnd: 0, bodyStart: 0 }

/** Its reply's header `x-id` is wanted by others. */
const issues = (ticket: number, slot = ticket): ShotPlan => ({
  ...NO_PLAN,
  ticket,
  sources: [{ slot, place: 'header x-id' }],
})

/** `GET /NNN…`: the digits behind the slash are what the slot's reply issued. */
const needs = (ticket: number, slot = ticket): ShotPlan => ({
  ...NO_PLAN,
  waits: [ticket],
  sinks: [{ slot, start: 5, end: 8, escape: 'path', required: true }],
})

/** What a shot that issues something needs besides. */
const sinksOf = (ticket: number): Pick<ShotPlan, 'waits' | 'sinks'> => {
  const { waits, sinks } = needs(ticket)
  return { waits, sinks }
}

function plansOf(plans: readonly (ShotPlan | undefined)[]): BatchPlans | undefined {
  const packed = plans.map((plan) => ({ plan: plan === undefined ? undefined : packPlan(plan) }))
  return joinPlans(packed, packed.length)
}

interface Planned {
  readonly path: string
  readonly connection?: number
  readonly session?: number
  readonly plan?: ShotPlan
}

interface Result {
  readonly results: readonly (string | number)[]
  readonly outcomes: readonly Outcome[]
  readonly counters: Readonly<Record<string, number>>
}

async function send(shots: readonly Planned[], options: Partial<ReplayOptions> = {}): Promise<Result> {
  if (target === undefined) throw new Error('there is no target')
  const batch = packShots(
    numbered(shots.map(({ path, connection = 0, session = 0 }) => shot(path, { connection, session }))),
  )
  const plans = plansOf(shots.map(({ plan }) => plan))
  const list = new OutcomeList()
  const batches = (async function* () {
    yield { ...batch, plans }
  })()
  const replay = replayOptions(target.target, options)
  const { counters } = await runReplay(batches, replay, list, new AbortController().signal)
  const outcomes = list.outcomes.toSorted((a, b) => a.route - b.route)
  return { results: list.results, outcomes, counters: { ...counters } }
}

const ok = ({ socket }: Received, head = ''): unknown =>
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${head}\r\n`)

const paths = (): readonly string[] => target?.received.map(({ path }) => path) ?? []

describe.each(['connection', 'none'] as const)('a shot that needs a value, --order %s', (order) => {
  it('waits for the reply that issues it, and for no other; the wait is blocked time', async () => {
    const login: Received[] = []
    target = await startTarget((received) => {
      if (received.path === '/login') login.push(received)
      else ok(received)
      // The target answers the login when everything else that can be sent was.
      if (target?.received.length === 3) for (const one of login) ok(one, 'X-Id: a b\r\n')
    })
    const { results, outcomes, counters } = await send(
      [
        { path: 'login', connection: 0, plan: issues(9) },
        { path: '123/mine', connection: 1, plan: needs(9) },
        { path: 'other', connection: 2, session: 1 },
        { path: '123', connection: 3, session: 1, plan: { ...needs(9), waits: [] } },
        { path: 'last', connection: 2, session: 1 },
      ],
      { order },
    )
    expect(paths().slice(0, 3).toSorted()).toEqual(['/last', '/login', '/other'])
    expect(paths().slice(3)).toEqual(['/a%20b/mine'])
    // Another session has another jar.
    expect(results).toEqual([200, 200, 200, 'correlation_lost', 200])
    expect(counters).toMatchObject({ correlated: 1, correlationWaited: 1, correlationLost: 1, ended: 5 })
    const [issuing, waiting] = outcomes
    if (issuing === undefined || waiting === undefined) throw new Error('both had an outcome')
    expect(blockedNs(waiting)).toBe(waiting.readyNs - waiting.dueNs)
    expect(waiting.readyNs).toBeGreaterThanOrEqual(issuing.doneNs)
    expect(lagNs(waiting)).toBeGreaterThanOrEqual(0)
  })

  it('is not sent where that reply fails or lacks the value, nor is what needs its own reply', async () => {
    target = await startTarget((received) => {
      if (received.path === '/broken') received.socket.destroy()
      else ok(received)
    })
    const { results, counters } = await send(
      [
        { path: 'broken', connection: 0, plan: issues(1) },
        { path: '123', connection: 1, plan: { ...issues(2), ...needs(1), ticket: 2, sources: issues(2).sources } },
        { path: '123', connection: 2, plan: needs(2) },
        { path: 'without', connection: 3, session: 1, plan: issues(3) },
        { path: '123', connection: 4, session: 1, plan: needs(3) },
        { path: 'fine', connection: 5, session: 1 },
      ],
      { order },
    )
    expect(results).toEqual(['closed', 'correlation_lost', 'correlation_lost', 200, 'correlation_lost', 200])
    expect(counters['correlationLost']).toBe(3)
    expect(paths().toSorted()).toEqual(['/broken', '/fine', '/without'])
  })

  it('gets the latest value where several replies issue it', async () => {
    target = await startTarget((received) =>
      ok(received, received.path === '/login' ? 'X-Id: old\r\n' : 'X-Id: new\r\n'),
    )
    await send(
      [
        { path: 'login', plan: issues(1, 7) },
        { path: '123/a', plan: needs(1, 7) },
        { path: 'refresh', plan: issues(2, 7) },
        { path: '123/b', plan: needs(2, 7) },
      ],
      { order, maxConnections: 1 },
    )
    expect(paths().toSorted()).toEqual(['/login', '/new/b', '/old/a', '/refresh'])
  })

  it('does not wait for a reply of its session that it needs nothing of, however late that is', async () => {
    const late: Received[] = []
    target = await startTarget((received) => {
      if (received.path === '/late') late.push(received)
      else ok(received, 'X-Id: z\r\n')
      if (received.path === '/z') for (const one of late) ok(one, 'X-Id: never\r\n')
    })
    const { results, counters } = await send(
      [
        { path: 'late', connection: 0, plan: issues(1) },
        { path: 'login', connection: 1, plan: issues(2) },
        { path: '123', connection: 2, plan: needs(2) },
      ],
      { order },
    )
    expect(results).toEqual([200, 200, 200])
    expect(counters).toMatchObject({ correlated: 1, correlationLost: 0 })
  })

  it('does not hang where two need each other, or one itself: no reply comes that they could wait for', async () => {
    target = await startTarget((received) => ok(received, 'X-Id: z\r\n'))
    const both = (own: number, other: number): ShotPlan => ({ ...issues(own), ...sinksOf(other) })
    const { results, counters } = await send(
      [
        { path: '123/a', connection: 0, plan: both(1, 2) },
        { path: '123/b', connection: 1, plan: both(2, 1) },
        { path: '123/c', connection: 2, session: 1, plan: both(3, 3) },
        { path: 'fine', connection: 0, session: 1 },
      ],
      { order },
    )
    expect(results).toEqual(['correlation_lost', 'correlation_lost', 'correlation_lost', 200])
    expect(counters).toMatchObject({ correlationLost: 3, ended: 4 })
  })

  it('takes no connection while it waits, though there is one only', async () => {
    target = await startTarget((received) => ok(received, 'X-Id: z\r\n'))
    const pairs = Array.from({ length: 50 }, (_, session): Planned[] => [
      { path: 'login', session, connection: 2 * session, plan: issues(1) },
      { path: '123', session, connection: 2 * session + 1, plan: needs(1) },
    ]).flat()
    const { results } = await send(pairs, { order, maxConnections: 1 })
    expect(results).toEqual(pairs.map(() => 200))
    expect(paths().filter((path) => path === '/z')).toHaveLength(50)
  })
})

describe('what is behind a waiting shot on its connection', () => {
  it('stays behind it', async () => {
    target = await startTarget((received) => {
      if (received.path !== '/login') ok(received)
      else setImmediate(() => ok(received, 'X-Id: z\r\n'))
    })
    await send([
      { path: 'login', connection: 0, plan: issues(1) },
      { path: '123', connection: 1, plan: needs(1) },
      { path: 'second', connection: 1 },
      { path: '123/third', connection: 1, plan: needs(1) },
    ])
    expect(paths()).toEqual(['/login', '/z', '/second', '/z/third'])
  })
})

describe('a shot that is shed', () => {
  it('takes the rest of its session along, and no other session', async () => {
    const held: Received[] = []
    target = await startTarget((received) => {
      if (received.path.startsWith('/hold')) held.push(received)
      else ok(received)
      if (received.path === '/free') for (const one of held.splice(0)) ok(one)
    })
    const first: Planned[] = [
      { path: 'hold', connection: 0, session: 5 },
      { path: 'free', connection: 3, session: 6 },
      { path: 'login', connection: 1, plan: issues(1) },
    ]
    const rest: Planned[] = [
      { path: 'mine', connection: 1 },
      { path: 'others', connection: 2, session: 6 },
    ]
    const all = numbered(
      [...first, ...rest].map(({ path, connection = 0, session = 0 }) => shot(path, { connection, session })),
    )
    const list = new OutcomeList()
    const batches = (async function* () {
      yield { ...packShots(all.slice(0, 3)), plans: plansOf(first.map(({ plan }) => plan)) }
      await until(() => list.outcomes.length === 3)
      yield packShots(all.slice(3))
    })()
    const options = replayOptions(target.target, { maxInFlight: 2 })
    const { counters } = await runReplay(batches, options, list, new AbortController().signal)
    expect(list.results).toEqual([200, 200, 'shed', 'shed', 200])
    expect(counters).toMatchObject({ shed: 2, offered: 5, ended: 5 })
  })
})

describe('a replay that is stopped', () => {
  it.each(['stop', 'abandon'] as const)('ends shots that wait for a value as aborted, on %s', async (how) => {
    target = await startTarget(() => undefined)
    const batch = packShots(numbered([shot('login'), shot('123', { connection: 1 }), shot('x', { connection: 1 })]))
    const batches = (async function* () {
      yield { ...batch, plans: plansOf([issues(1), needs(1), undefined]) }
    })()
    const list = new OutcomeList()
    const [stop, abandon] = [new AbortController(), new AbortController()]
    const options = replayOptions(target.target)
    const run = runReplay(batches, options, list, stop.signal, { abandon: abandon.signal })
    await until(() => target?.received.length === 1)
    ;(how === 'stop' ? stop : abandon).abort()
    // On stop the login is still waited for, and ends here.
    target.received[0]?.socket.destroy()
    const { counters } = await run
    expect(counters).toMatchObject({ offered: 3, ended: 3 })
    expect(list.results.slice(1)).toEqual(['aborted', 'aborted'])
  })
})
