import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

import { startCow } from '../support/mesh.js'
import { temporaryFolder } from '../support/processes.js'
import { BULK_TABLE, dataSql, rolesSql, schemaSql } from '../support/production-schema.js'
import { databaseUrl, postgresAbsent, runSql, startPostgres } from '../support/server/postgres.js'
import { medianOf } from '../support/statistics.js'
import { count, decimals } from '../support/table.js'

const TABLES = 200
const SMALL_MEGABYTES = 10
const LARGE_MEGABYTES = 2048
const QUICK_MEGABYTES = 50
/** Each with a body of about 1 KiB. */
const WRITTEN_ROWS = 1000
const MIB = 1024 ** 2

/**
 * How long `mesh cow postgres` takes until clients may connect, with little and with much data in production, at the first time and
 * with the branch there already; and what the overlay's files take as rows are read and written.
 */
export async function cowStart({ folder, runs, quick, say }) {
  const absent = postgresAbsent()
  if (absent !== undefined) return { title: 'Start of a branch', absent }
  const production = await startPostgres({ max_locks_per_transaction: 1024, max_wal_size: '8GB' })
  const sizes = { small: SMALL_MEGABYTES, large: quick ? QUICK_MEGABYTES : LARGE_MEGABYTES }
  await runSql(production.url('postgres'), rolesSql())
  for (const [database, megabytes] of Object.entries(sizes)) {
    say(`cow-start: production of ${TABLES} tables and ${megabytes} MB`)
    await runSql(production.url('postgres'), `CREATE DATABASE ${database}`)
    await runSql(production.url(database), `${schemaSql(TABLES)}\n${dataSql(TABLES, megabytes)}`)
  }
  const found = { small: [], large: [] }
  const disk = {}
  const states = stateFolders()
  // Round 0 warms up: as root it copies PostgreSQL's programs, once for a state folder.
  for (let round = 0; round <= runs; round++) {
    for (const database of Object.keys(sizes)) {
      const state = states.next()
      const start = () => startCow(folder, { upstream: production.url(database, 'reader'), state })
      const first = await start()
      if (round === runs) disk[database] = await growth({ state, url: databaseUrl(first.port, database, 'app') })
      await first.stop()
      const second = await start()
      await second.stop()
      say(
        `cow-start ${round}/${runs}: ${sizes[database]} MB, first ${decimals(first.seconds)} s, then ${decimals(second.seconds)} s`,
      )
      if (round > 0) found[database].push({ first: first.seconds, second: second.seconds, peakBytes: first.peakBytes })
    }
  }
  await production.stop()
  return present({ found, disk, sizes, runs })
}

/** Folders that are new each, but for PostgreSQL's programs. None is removed before the end: the kernel spares inodes just freed. */
function stateFolders() {
  const all = temporaryFolder('mesh-bench-cow-')
  chmodSync(all, 0o755)
  let made = 0
  return {
    next() {
      const before = join(all, `${made++}`)
      const state = join(all, `${made}`)
      mkdirSync(state, { mode: 0o755 })
      const programs = made === 1 ? [] : readdirSync(before).filter((name) => name.startsWith('postgresql-'))
      for (const name of programs) symlinkSync(join(before, name), join(state, name))
      return state
    },
  }
}

/** Bytes of the overlay's files: after the start, after all rows were read, and after some were written. */
async function growth({ state, url }) {
  const afterStart = await branchBytes(url)
  await runSql(url, `SELECT count(*), max(length(body)) FROM ${BULK_TABLE}`)
  const afterReading = await branchBytes(url)
  await runSql(url, `UPDATE ${BULK_TABLE} SET at = now() WHERE id <= ${WRITTEN_ROWS}`)
  const afterWriting = await branchBytes(url)
  return { afterStart, afterReading, afterWriting, disk: diskBytes(state) }
}

/** Of the branch's database alone: what the server keeps for every database, its log among it, does not grow with rows. */
async function branchBytes(url) {
  return Number((await runSql(url, 'SELECT pg_database_size(current_database())'))[0])
}

function diskBytes(state) {
  const clusters = readdirSync(state).filter((name) => !name.startsWith('postgresql-'))
  const { stdout } = spawnSync('du', ['-sk', ...clusters.map((name) => join(state, name))], { encoding: 'utf8' })
  return stdout.split('\n').reduce((sum, line) => sum + Number(line.split('\t')[0]) * 1024, 0)
}

function present({ found, disk, sizes, runs }) {
  const first = (database) => medianOf(found[database], 'first')
  const grown = (database) => disk[database].afterWriting - disk[database].afterReading
  return {
    title: 'Start of a branch',
    tables: [
      {
        columns: [`${TABLES} tables`, 'first start, s', 'next start, s', 'peak memory, MiB'],
        rows: Object.keys(sizes).map((database) => [
          `${count(sizes[database])} MB of data`,
          decimals(first(database)),
          decimals(medianOf(found[database], 'second')),
          count(medianOf(found[database], 'peakBytes') / MIB),
        ]),
      },
      {
        columns: [
          "the branch's database, MiB",
          'new',
          'all rows read',
          `${count(WRITTEN_ROWS)} rows of 1 KiB written`,
          'all files of the overlay',
        ],
        rows: Object.keys(sizes).map((database) => {
          const { afterStart, afterReading, afterWriting } = disk[database]
          return [
            `${count(sizes[database])} MB of data`,
            ...[afterStart, afterReading, afterWriting, disk[database].disk].map((bytes) => decimals(bytes / MIB, 1)),
          ]
        }),
      },
    ],
    notes: [
      `From the start of \`mesh cow postgres\` to its line "listening on"; medians of ${runs} runs, each in a new state folder, alternating. A first start makes a PostgreSQL cluster and clones the schema; production runs on the same CPUs.`,
    ],
    goals: [
      { what: `first start, ${TABLES} tables, s`, value: first('small'), most: 4 },
      {
        what: `first start with ${count(sizes.large)} MB, of that with ${sizes.small} MB`,
        value: first('large') / first('small'),
        least: 0.8,
        most: 1.2,
      },
      {
        what: 'MiB that reading all rows adds to the branch',
        value: (disk.large.afterReading - disk.large.afterStart) / MIB,
        most: 0.1,
      },
      { what: `MiB that ${count(WRITTEN_ROWS)} written rows of 1 KiB add to it`, value: grown('large') / MIB, most: 5 },
    ],
    figures: { found, disk },
  }
}
