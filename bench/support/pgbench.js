import { runProgram } from './processes.js'

/**
 * One run of pgbench: transactions a second without the time to connect, and their mean latency. A transaction that failed is an
 * error: a fast refusal is no speed.
 */
export async function pgbench({ port, clients, seconds, words, threads = 1 }) {
  const where = ['-h', '127.0.0.1', '-p', `${port}`, '-U', 'app']
  const load = ['-n', '-c', `${clients}`, '-j', `${threads}`, '-T', `${seconds}`, ...words]
  const { out } = await runProgram('pgbench', [...where, ...load, 'bench'], { seconds: seconds + 60 })
  const failed = Number(/number of failed transactions: (\d+)/.exec(out)?.[1] ?? 0)
  if (failed > 0) throw new Error(`pgbench: ${failed} transactions failed`)
  return {
    perSecond: Number(/^tps = ([\d.]+)/m.exec(out)?.[1]),
    transactions: Number(/number of transactions actually processed: (\d+)/.exec(out)?.[1]),
    latencyMs: Number(/latency average = ([\d.]+) ms/.exec(out)?.[1]),
  }
}
