import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { processorUs } from '../support/cpu.js'
import { startCow } from '../support/mesh.js'
import { pgbench, startPgbenchServer } from '../support/pgbench.js'
import { pgbouncerAbsent, startPgbouncer } from '../support/server/pgbouncer.js'
import { databaseUrl, postgresAbsent, runSql } from '../support/server/postgres.js'
import { openSessions } from '../support/sessions.js'
import { medianOf } from '../support/statistics.js'
import { count, decimals, ratio } from '../support/table.js'

const CLIENTS = 8
const WRITERS = 16
const SESSIONS = 200
const SCALE = 10
/** What the compiler needs to have seen of a proxy in JavaScript. */
const WARM_UP_SECONDS = 5
const DIRECT = 'production itself'
const BOUNCER = 'PgBouncer, session mode'
const COW = 'mesh cow postgres'
const PROTOCOLS = ['simple', 'extended', 'prepared']
/** A row that nobody else writes: its table is dirty from then on, and other rows are read by key. */
const DIRT = 'UPDATE pgbench_accounts SET filler = filler WHERE aid = 1'
const BALANCES =
  'SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers), (SELECT sum(bbalance) FROM pgbench_branches), (SELECT sum(delta) FROM pgbench_history)'
const CHECKSUM = `SELECT md5(string_agg(t.sum, '')) FROM (
  SELECT md5(string_agg(a::text, '' ORDER BY aid)) AS sum FROM pgbench_accounts a UNION ALL
  SELECT md5(string_agg(b::text, '' ORDER BY tid)) FROM pgbench_tellers b UNION ALL
  SELECT md5(string_agg(c::text, '' ORDER BY bid)) FROM pgbench_branches c UNION ALL SELECT count(*)::text FROM pgbench_history) t`
/** Sessions that mesh has on production, and those of them that have a transaction open and do nothing. */
const UPSTREAM = `SELECT count(*), count(*) FILTER (WHERE state LIKE 'idle in transaction%') FROM pg_stat_activity WHERE usename = 'reader'`

/** What reading through the copy-on-write proxy costs, by lane; what writing costs; and what 200 clients take. */
export async function cow({ folder, rounds, seconds, say }) {
  const title = 'Copy on write'
  const absent = postgresAbsent() ?? pgbouncerAbsent()
  if (absent !== undefined) return { title, absent }
  const production = await startPgbenchServer({ scale: SCALE })
  const before = await production.sql(CHECKSUM)
  const bouncer = await startPgbouncer(production.port)
  const proxy = await startCow(folder, {
    upstream: `postgres://reader@127.0.0.1:${production.port}/bench`,
    state: join(folder, 'cow'),
    words: ['--max-clients', '300'],
  })
  const bench = { production, bouncer, proxy, rounds, seconds, say }
  const clean = await reads(bench, 'clean tables (T0)')
  const sessions = await manySessions(bench)
  await runSql(databaseUrl(proxy.port, 'bench', 'app'), DIRT)
  const byKey = await reads(bench, 'by key beside a touched row (TK)')
  const overlaid = await writes(bench)
  const { out, peakBytes } = await proxy.stop()
  const isUntouched = (await production.sql(CHECKSUM)).join() === before.join()
  await bouncer.stop()
  await production.stop()
  return {
    title,
    tables: [readTable(clean, byKey), overlaid.table, sessions.table],
    notes: [
      `pgbench -S -c ${CLIENTS}, scale ${SCALE}, ${production.version}; medians of ${rounds} alternating rounds of ${seconds} s; pgbench, proxies and server share the CPUs.`,
      `${overlaid.note} Production ${isUntouched ? 'is as it was, by checksum' : 'HAS CHANGED'}. The proxy's peak memory was ${count(peakBytes / 1024 ** 2)} MiB.`,
      `It said: ${out.split('\n')[0]}`,
    ],
    goals: [
      ...goalsOf(clean, 0.7),
      ...goalsOf(byKey, 0.5),
      { what: 'TPC-B: merged balances that differ from the deltas', value: overlaid.difference, most: 0 },
      { what: 'production changed', value: isUntouched ? 0 : 1, most: 0 },
      ...sessions.goals,
    ],
    figures: { clean, byKey, overlaid, sessions },
  }
}

/** `pgbench -S` in each protocol: who takes part takes turns. */
async function reads({ production, bouncer, proxy, rounds, seconds, say }, name) {
  const contenders = { [DIRECT]: { port: production.port }, [BOUNCER]: bouncer, [COW]: proxy }
  const found = {}
  for (const protocol of PROTOCOLS) {
    const runs = (found[protocol] = Object.fromEntries(Object.keys(contenders).map((each) => [each, []])))
    for (let round = 0; round <= rounds; round++) {
      for (const [contender, { port, pid }] of Object.entries(contenders)) {
        const cpu = processorUs(pid)
        const duration = round === 0 ? Math.min(seconds, WARM_UP_SECONDS) : seconds
        const run = await pgbench({ port, clients: CLIENTS, seconds: duration, words: ['-S', '-M', protocol] })
        if (round === 0) continue
        runs[contender].push({ ...run, cpuUs: (processorUs(pid) - cpu) / run.transactions })
        say(`cow, ${name}, ${protocol} ${round}/${rounds}: ${contender} ${count(run.perSecond)}/s`)
      }
    }
  }
  return { name, found }
}

function readTable(...parts) {
  const rows = parts.flatMap(({ name, found }) =>
    PROTOCOLS.flatMap((protocol) =>
      Object.entries(found[protocol]).map(([contender, runs]) => [
        `${name}, ${protocol}: ${contender}`,
        count(medianOf(runs, 'perSecond')),
        ratio(medianOf(runs, 'perSecond'), medianOf(found[protocol][BOUNCER], 'perSecond')),
        decimals(medianOf(runs, 'cpuUs'), 1),
      ]),
    ),
  )
  return { columns: ['point reads', 'reads/s', 'x PgBouncer', 'CPU us a read'], rows }
}

function goalsOf({ name, found }, least) {
  return PROTOCOLS.map((protocol) => ({
    what: `${name}, ${protocol}, of PgBouncer`,
    value: medianOf(found[protocol][COW], 'perSecond') / medianOf(found[protocol][BOUNCER], 'perSecond'),
    least,
  }))
}

/** What only the overlay can do: reads that mix both sides, and TPC-B, whose sums must be right afterwards. */
async function writes({ proxy, seconds, say }) {
  const { port } = proxy
  const joined = 'SELECT count(*) FROM pgbench_accounts a JOIN pgbench_tellers t USING (bid) WHERE a.aid < 100'
  const start = performance.now()
  await runSql(databaseUrl(port, 'bench', 'app'), joined)
  const joinMs = performance.now() - start
  const cpu = processorUs(proxy.pid)
  const run = await pgbench({
    port,
    clients: WRITERS,
    seconds: 2 * seconds,
    words: ['-b', 'tpcb-like', '-M', 'simple'],
  })
  say(`cow: TPC-B ${count(run.perSecond)}/s`)
  const [sums] = await runSql(databaseUrl(port, 'bench', 'app'), BALANCES)
  const [accounts, tellers, branches, deltas] = sums.split('|').map(Number)
  const difference = Math.max(...[accounts, tellers, branches].map((sum) => Math.abs(sum - deltas)))
  return {
    difference,
    table: {
      columns: ['on the overlay (T2)', 'transactions/s', 'mean, ms', 'CPU us of the proxy'],
      rows: [
        [
          `TPC-B, ${WRITERS} clients`,
          count(run.perSecond),
          decimals(run.latencyMs, 1),
          decimals((processorUs(proxy.pid) - cpu) / run.transactions, 0),
        ],
        ['a join of both sides, once', '', decimals(joinMs, 1), ''],
      ],
    },
    note: `TPC-B: ${count(run.transactions)} transactions, balances ${accounts}, ${tellers} and ${branches}, deltas ${deltas}.`,
  }
}

/** Many clients at once, a few of them busy at any time. */
async function manySessions({ production, proxy, seconds, say }) {
  const sessions = await openSessions(proxy.port, SESSIONS)
  const most = { upstream: 0, idle: 0 }
  const end = performance.now() + seconds * 1000
  const busy = sessions.keepBusy()
  while (performance.now() < end) {
    const [row] = await production.sql(UPSTREAM)
    const [upstream, idle] = row.split('|').map(Number)
    most.upstream = Math.max(most.upstream, upstream)
    most.idle = Math.max(most.idle, idle)
    await pause(100)
  }
  const bytes = proxy.residentBytes()
  const reads = await sessions.end(busy)
  say(`cow: ${SESSIONS} clients, ${count(bytes / 1024 ** 2)} MiB`)
  return {
    table: {
      columns: [`${SESSIONS} clients`, 'found'],
      rows: [
        ['memory of the proxy, MiB', count(bytes / 1024 ** 2)],
        ['connections to production, at most', count(most.upstream)],
        ['of them idle in a transaction, at most', count(most.idle)],
        ['reads/s', count(reads / seconds)],
      ],
    },
    goals: [
      { what: `memory with ${SESSIONS} clients, MiB`, value: bytes / 1024 ** 2, most: 300 },
      { what: 'connections to production', value: most.upstream, most: 10 },
      { what: 'of them idle in a transaction', value: most.idle, most: 0 },
    ],
  }
}
