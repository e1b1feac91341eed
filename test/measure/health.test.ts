import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseCpuTicks, parseSchedstat, StealWatch, ThreadWatch } from '../../src/measure/health.ts'

describe('parseSchedstat', () => {
  it('reads time on a CPU and time waiting for one', () => {
    expect(parseSchedstat('31415926 2718281 42\n')).toEqual({ runNs: 31_415_926, waitNs: 2_718_281 })
  })

  it('gives nothing for anything else', () => {
    expect(parseSchedstat('')).toBeUndefined()
  })
})

describe('parseCpuTicks', () => {
  it('reads all time and stolen time', () => {
    // user nice system idle iowait irq softirq steal guest guest_nice
    expect(parseCpuTicks('cpu  10 1 20 60 2 0 1 6 4 0\ncpu0 1 1')).toEqual({ all: 100, steal: 6 })
  })

  it('gives nothing where the kernel has no such column', () => {
    expect(parseCpuTicks('cpu  10 1 20 60\n')).toBeUndefined()
  })
})

describe.runIf(existsSync('/proc/thread-self/schedstat'))('ThreadWatch', () => {
  it('sees the CPU time of its own thread', () => {
    const watch = new ThreadWatch('test')
    // Some ticks of the kernel: it need not count less.
    const before = process.cpuUsage()
    while (process.cpuUsage(before).user < 50_000);
    const health = watch.read()
    expect(health).toMatchObject({ name: 'test', loopDelayP99Ns: undefined })
    expect(health.cpuShare).toBeGreaterThan(0)
    expect(health.waitShare).toBeGreaterThanOrEqual(0)
  })
})

describe('StealWatch', () => {
  it('gives a share, or nothing where the system does not tell', () => {
    const share = new StealWatch().read() ?? 0
    expect(share).toBeGreaterThanOrEqual(0)
    expect(share).toBeLessThanOrEqual(1)
  })
})
