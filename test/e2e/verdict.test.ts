import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { monotonicNs } from '../../src/core/clock.ts'
import { readRunDirectory } from '../../src/report/read-run.ts'
import type { Run } from '../../src/report/run.ts'
import type { BusyCpu } from '../support/busy-cpu.ts'
import { keepFirstCpuBusy, PINNING_ABSENT, pinToFirstCpu } from '../support/busy-cpu.ts'
import { temporaryFolder } from '../support/mesh.ts'
import { notBefore } from '../support/not-before.ts'
import { readIntervals, startReplay } from '../support/runs.ts'
import type { SessionRecording } from '../support/session-recordings.ts'
import { recordSessions } from '../support/session-recordings.ts'
import type { HttpTarget } from '../support/targets.ts'
import { answerAfter, answerAtOnce, answerOneAtATime, startHttpTarget } from '../support/targets.ts'
import { MachineWatch, skipWhereDisturbed } from '../support/undisturbed.ts'

const MILLISECOND = 1e6

/** 100 requests a second for 4 s, by 50 users who ask every half second. */
const STEADY: SessionRecording = { host: 'steady', users: 50, steps: 8, gapMs: 500 }

/** 100 requests a second for 3 s, by 10 users who ask every 100 ms. */
const DENSE: SessionRecording = { host: 'dense', users: 10, steps: 30, gapMs: 100 }

/** 500 requests a second for 3 s. */
const FAST: SessionRecording = { host: 'fast', users: 50, steps: 30, gapMs: 100 }

const folder = temporaryFolder()
const fileOf = ({ host }: SessionRecording): string => folder.path(`${host}.mcap`)
let target: HttpTarget | undefined
let busy: BusyCpu | undefined
let runs = 0

beforeAll(async () => {
  for (const recording of [STEADY, DENSE, FAST]) await recordSessions(fileOf(recording), recording)
})

afterEach(async () => {
  await busy?.stop()
  busy = undefined
  await target?.close()
  target = undefined
})

afterAll(() => folder.remove())

/** Replays onto the target; `meanwhile` is given the process. */
async function replay(
  recording: SessionRecording,
  onto: HttpTarget,
  meanwhile: (pid: number) => Promise<void> = async () => undefined,
): Promise<{ readonly code: number | null; readonly stdout: string; readonly directory: string; readonly run: Run }> {
  const directory = folder.path(`run-${runs++}`)
  const mesh = startReplay([fileOf(recording)], onto.url, '-o', directory)
  await meanwhile(mesh.process.pid ?? 0)
  const { code, stdout } = await mesh.ended
  return { code, stdout, directory, run: await readRunDirectory(directory) }
}

const codes = (run: Run): readonly string[] => run.verdict.reasons.map(({ code }) => code)

/** An exit code says what the verdict says. */
function expectExitOf(run: Run, code: number | null): void {
  expect([run.verdict.name, code]).toEqual([run.verdict.name, run.verdict.name === 'INVALID' ? 4 : 0])
}

describe('a target that always takes 50 ms, at a fixed rate', () => {
  it('is reported with a service time of 50 ms, and a response time that is no shorter', async (context) => {
    const watch = new MachineWatch()
    const tookNs: number[] = []
    const answer = answerAfter(50)
    target = await startHttpTarget((response, request) => {
      response.on('finish', () => tookNs.push(monotonicNs() - request.atNs))
      answer(response, request)
    })
    const { code, run } = await replay(STEADY, target)
    const { serviceTime, responseTime, replies } = run.totals
    expect(replies).toBe(400)
    expect(serviceTime.minNs).toBeGreaterThanOrEqual(49.9 * MILLISECOND)
    expect(serviceTime.p50Ns).toBeGreaterThanOrEqual(49.9 * MILLISECOND)
    expect(responseTime.p50Ns).toBeGreaterThanOrEqual(serviceTime.p50Ns ?? Infinity)
    expectExitOf(run, code)
    skipWhereDisturbed(context, watch, run)
    // The target is busier than it should be where others use its CPU: it is asked for its own count.
    const medianNs = tookNs.toSorted((a, b) => a - b)[200] ?? Number.NaN
    expect(serviceTime.p50Ns).toBeLessThan(medianNs + 10 * MILLISECOND)
  })
})

describe('a target that stops for 2 s', () => {
  it('shows it in the response time of all who waited, in the service time of those it held, and not in the lag', async (context) => {
    const watch = new MachineWatch()
    let stopped = false
    const held: (() => void)[] = []
    target = await startHttpTarget((response, request) => {
      if (stopped) held.push(() => answerAtOnce(response, request))
      else answerAtOnce(response, request)
    })
    const { saw } = target
    const { code, run, directory } = await replay(STEADY, target, async () => {
      await saw(100)
      stopped = true
      await new Promise<void>((resolve) => notBefore(2000, resolve))
      stopped = false
      for (const answer of held) answer()
    })
    const { responseTime, serviceTime, blocked, lag, replies } = run.totals
    expect(replies).toBe(400)
    expect(held.length).toBeLessThanOrEqual(STEADY.users)
    const seconds = readIntervals(directory).filter(({ kind }) => kind === 'second')
    expect(seconds.reduce((sum, row) => sum + row.responseTime.count, 0)).toBe(400)
    expectExitOf(run, code)
    skipWhereDisturbed(context, watch, run)
    expect(responseTime.maxNs).toBeGreaterThanOrEqual(1900 * MILLISECOND)
    expect(serviceTime.maxNs).toBeGreaterThanOrEqual(1900 * MILLISECOND)
    // Each of 50 users was held once; the three requests that followed within the 2 s waited for that one.
    expect(blocked.maxNs).toBeGreaterThanOrEqual(1000 * MILLISECOND)
    expect(lag.maxNs).toBeLessThan(1000 * MILLISECOND)
    expect(codes(run)).toContain('blocked')
  })
})

describe('a target at its limit', () => {
  it('is SATURATED: one request at a time, 20 ms each, offered 100 a second', async (context) => {
    const watch = new MachineWatch()
    target = await startHttpTarget(answerOneAtATime(20))
    const { code, run, stdout } = await replay(DENSE, target)
    expect(run.totals.replies).toBe(300)
    expect(['SATURATED', 'INVALID']).toContain(run.verdict.name)
    expect(stdout).toContain(run.verdict.name)
    expectExitOf(run, code)
    skipWhereDisturbed(context, watch, run)
    expect(codes(run)).toEqual(expect.arrayContaining(['blocked', 'slow']))
    expect(run.verdict.reasons.find((reason) => reason.code === 'slow')?.what).toMatch(/the target took \d+ %/)
  })

  it('sheds what is too much in flight, counts it, and drops no more than that', async (context) => {
    const watch = new MachineWatch()
    target = await startHttpTarget(answerOneAtATime(20))
    const directory = folder.path('shed')
    const flags = ['--order', 'none', '--max-in-flight', '10', '-o', directory]
    await startReplay([fileOf(DENSE)], target.url, ...flags).ended
    const run = await readRunDirectory(directory)
    const shed = run.totals.errors['shed'] ?? 0
    expect(run.totals.replies + shed).toBe(300)
    expect(target.seen).toHaveLength(300 - shed)
    expect(codes(run).includes('shed')).toBe(shed > 0)
    skipWhereDisturbed(context, watch, run)
    expect(shed).toBeGreaterThan(0)
  })
})

describe.skipIf(PINNING_ABSENT)(`a generator that is starved${PINNING_ABSENT ? ` (${PINNING_ABSENT})` : ''}`, () => {
  it('is INVALID with exit 4, and says that it lacked a CPU or that it lagged', async () => {
    target = await startHttpTarget()
    const { saw } = target
    busy = await keepFirstCpuBusy(6, 120)
    const { code, run, stdout } = await replay(FAST, target, async (pid) => {
      await saw(1)
      pinToFirstCpu(pid)
    })
    expect(run.verdict.name).toBe('INVALID')
    expect(code).toBe(4)
    expect(codes(run).some((reason) => ['lag', 'behind', 'cpu_wait', 'loop_delay'].includes(reason))).toBe(true)
    expect(stdout).toMatch(/we sent late: lag p99 is|waited for a CPU \d+|came round .* late/)
    expect(stdout).toMatch(/try: .*(CPU|core)/)
  })
})
