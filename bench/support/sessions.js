import pg from 'pg'

/** Opens clients of a database; `keepBusy` has each read a row now and then until `end`, which tells how many reads there were. */
export async function openSessions(port, clients) {
  const options = { host: '127.0.0.1', port, user: 'app', database: 'bench' }
  const sessions = Array.from({ length: clients }, () => new pg.Client(options))
  for (const session of sessions) {
    session.on('error', () => undefined)
    await session.connect()
  }
  const over = new AbortController()
  let reads = 0
  const read = async (session, at) => {
    while (!over.signal.aborted) {
      const { rows } = await session.query('SELECT abalance FROM pgbench_accounts WHERE aid = $1', [
        1 + ((at * 31) % 1000),
      ])
      if (rows.length !== 1) throw new Error(`expected one row, found ${rows.length}`)
      reads++
    }
  }
  return {
    keepBusy: () => Promise.all(sessions.map(read)),
    async end(busy) {
      over.abort()
      await busy
      for (const session of sessions) await session.end()
      return reads
    },
  }
}
