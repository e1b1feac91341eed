import { afterEach, describe, expect, it } from 'vitest'
import { monotonicNs } from '../../src/core/clock.ts'
import type { Exchange } from '../../src/core/exchange.ts'
import { type Block, BlockSender } from '../../src/replay/block-sender.ts'
import type { ReplayInput, ScheduleOptions } from '../../src/replay/options.ts'
import { planReplay } from '../../src/replay/plan.ts'
import { surveyRecordings } from '../../src/replay/survey.ts'
import { compiled } from './compiled.ts'
import { asked, recording, recordingInfo, runOf, scheduleOptions, SECOND } from './recordings.ts'
import { replayOptions } from './senders/shots.ts'
import { reply, type Script, type ScriptedTarget, startTarget } from './senders/targets.ts'

const entry = compiled('replay/worker-main.ts')
const started: ScriptedTarget[] = []

afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.close()))
})

async function target(script: Script): Promise<ScriptedTarget> {
  const fresh = await startTarget(script)
  started.push(fresh)
  return fresh
}

/** Ten users, each asking every half second for a second, on a connection and in a session of its own. */
function users(): ReplayInput {
  const exchanges: Exchange[] = []
  for (let step = 0; step < 2; step++) {
    for (let user = 0; user < 10; user++) {
      const atNs = Math.round((step * 0.5 + user * 0.05) * SECOND)
      exchanges.push(asked({ atNs, connection: user, session: `s${user}`, path: `/${user}/${step}` }))
    }
  }
  return recording(recordingInfo(), exchanges)
}

const OPTIONS: Partial<ScheduleOptions> = { ending: 'loop', jitterNs: 0, amplify: 2 }

describe('a schedule that is one of several', () => {
  it('begins when its block does, in sessions of its own, on the connections of the ones before, which it leaves open', async () => {
    const changes = { ...OPTIONS, durationNs: 2 * SECOND }
    const alone = await runOf([users()], changes)
    const [first, second] = [
      await runOf([users()], { ...changes, block: { startNs: 0, firstGeneration: 0 } }),
      await runOf([users()], { ...changes, block: { startNs: 7 * SECOND, firstGeneration: 6 } }),
    ]
    expect(second.shots.map(({ dueNs }) => dueNs - 7 * SECOND)).toEqual(alone.shots.map(({ dueNs }) => dueNs))
    const sessions = (run: typeof alone): Set<number> => new Set(run.shots.map(({ session }) => session))
    expect([...sessions(second)].some((session) => sessions(first).has(session))).toBe(false)
    const connections = (run: typeof alone): Set<number> => new Set(run.shots.map(({ connection }) => connection))
    expect(connections(second)).toEqual(connections(first))
    expect(second.shots.some(({ last }) => last)).toBe(false)
    expect(alone.shots.some(({ last }) => last)).toBe(true)
  })
})

describe('BlockSender', () => {
  async function open(server: ScriptedTarget): Promise<{ readonly sender: BlockSender; readonly block: Block }> {
    const options = { ...scheduleOptions(OPTIONS), durationNs: 2 * SECOND }
    const survey = await surveyRecordings([users()], options, () => false, new AbortController().signal)
    const sender = await BlockSender.open(survey, {
      workers: 1,
      entry: entry(),
      routeCount: 4,
      options: replayOptions(server.target),
      originNs: monotonicNs(),
    })
    const plan = planReplay(survey, options)
    return { sender, block: { plan, options, warmupNs: SECOND, durationNs: 2 * SECOND, maxErrorShare: 0.5 } }
  }

  it('measures each block for itself, without its warm-up, over connections that stay', async () => {
    const server = await target(({ socket }) => socket.write(reply()))
    const { sender, block } = await open(server)
    const signal = new AbortController().signal
    const results = [await sender.send(block, signal), await sender.send(block, signal)]
    const summary = await sender.close(signal)
    for (const result of results) {
      expect(result?.tally.total().replies).toBe(40)
      expect(result?.tally.warmup).toBe(40)
      expect(result?.pace.due).toBe(40)
      expect(result?.windowNs).toBe(SECOND)
      expect(result?.broken).toBeUndefined()
      expect(result?.health.threads).toHaveLength(1)
    }
    expect(server.received).toHaveLength(160)
    expect(server.connections).toBe(40)
    expect(summary.ending).toBe('finished')
  })

  it('cuts a block short in which nobody gets a reply, and goes on with the next', async () => {
    let isDown = true
    const server = await target(({ socket }) => (isDown ? socket.destroy() : socket.write(reply())))
    const { sender, block } = await open(server)
    const signal = new AbortController().signal
    const long: Block = { ...block, durationNs: 30 * SECOND, options: { ...block.options, durationNs: 30 * SECOND } }
    const broken = await sender.send({ ...long, plan: { ...block.plan, durationNs: 30 * SECOND } }, signal)
    expect(broken?.broken).toMatch(/% of the requests had no reply/)
    expect(server.received.length).toBeLessThan(600)
    expect(sender.measuredNs).toBeLessThan(29 * SECOND)
    isDown = false
    const whole = await sender.send(block, signal)
    expect(whole?.tally.total().replies).toBe(40)
    await sender.close(signal)
  })

  it('has measured until then where a block was stopped amid it', async () => {
    const stop = new AbortController()
    const server = await target(({ socket }) => {
      socket.write(reply())
      if (server.received.length === 130) stop.abort()
    })
    const { sender, block } = await open(server)
    await sender.send(block, stop.signal)
    expect(sender.measuredNs).toBe(SECOND)
    expect(await sender.send(block, stop.signal)).toBeUndefined()
    expect(sender.measuredNs).toBeGreaterThan(SECOND)
    expect(sender.measuredNs).toBeLessThanOrEqual(2 * SECOND)
    await sender.close(AbortSignal.abort())
  })

  it('ends when it is told to, and has no result then', async () => {
    const server = await target(({ socket }) => socket.write(reply()))
    const { sender, block } = await open(server)
    const stop = new AbortController()
    const sent = sender.send(block, stop.signal)
    stop.abort()
    expect(await sent).toBeUndefined()
    expect((await sender.close(AbortSignal.abort())).ending).not.toBe('finished')
  })
})
