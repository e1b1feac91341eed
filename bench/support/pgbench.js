import { join } from 'node:path'

import { runProgram } from './processes.js'
import { postgresPrograms, runSql, startPostgres } from './server/postgres.js'

/** Of data that fits in memory, without waiting for a disk: what is measured is what stands before it. */
const SETTINGS = {
  max_connections: '400',
  shared_buffers: '512MB',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  autovacuum: 'off',
  max_wal_size: '4GB',
}

/**
 * A server with pgbench's tables in the database `bench`, owned by `app`; `reader` may read them. `sql` runs a text as the
 * superuser and gives its rows.
 */
export async function startPgbenchServer({ scale }) {
  const server = await startPostgres(SETTINGS)
  const roles = 'CREATE ROLE app LOGIN; CREATE ROLE reader LOGIN; GRANT pg_read_all_data TO reader'
  await runSql(server.url('postgres'), roles)
  await runSql(server.url('postgres'), 'CREATE DATABASE bench OWNER app')
  const words = ['-i', '-q', '-s', `${scale}`, '-U', 'app', '-h', '127.0.0.1', '-p', `${server.port}`, 'bench']
  await runProgram(join(postgresPrograms(), 'pgbench'), words)
  const sql = (text) => runSql(server.url('bench'), text)
  await sql('VACUUM ANALYZE')
  return { ...server, sql }
}

/**
 * One run of pgbench: transactions a second without the time to connect, and their mean latency. A transaction that failed is an
 * error: a fast refusal is no speed.
 */
export async function pgbench({ port, clients, seconds, words, threads = 1 }) {
  const where = ['-h', '127.0.0.1', '-p', `${port}`, '-U', 'app']
  const load = ['-n', '-c', `${clients}`, '-j', `${threads}`, '-T', `${seconds}`, ...words]
  const { out } = await runProgram(join(postgresPrograms(), 'pgbench'), [...where, ...load, 'bench'], {
    seconds: seconds + 60,
  })
  const failed = Number(/number of failed transactions: (\d+)/.exec(out)?.[1] ?? 0)
  if (failed > 0) throw new Error(`pgbench: ${failed} transactions failed`)
  return {
    perSecond: Number(/^tps = ([\d.]+)/m.exec(out)?.[1]),
    transactions: Number(/number of transactions actually processed: (\d+)/.exec(out)?.[1]),
    latencyMs: Number(/latency average = ([\d.]+) ms/.exec(out)?.[1]),
  }
}
