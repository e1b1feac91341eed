import type pg from 'pg'

/** How often a step that runs is asked whether it waits for a lock. */
const ASKED_EACH_MS = 3

/** What one session does at one moment of a schedule. */
export interface ScheduledStep {
  readonly session: number
  readonly text: string
}

/** All orders in which the steps of several sessions can follow each other, each session's own order kept. */
export function interleavings(sessions: readonly (readonly string[])[]): readonly (readonly ScheduledStep[])[] {
  const rest = sessions.map((steps, session) => ({ session, steps })).filter(({ steps }) => steps.length > 0)
  if (rest.length === 0) return [[]]
  return rest.flatMap(({ session, steps: [text = ''] }) => {
    const left = sessions.map((steps, other) => (other === session ? steps.slice(1) : steps))
    return interleavings(left).map((tail) => [{ session, text }, ...tail])
  })
}

/** Sessions of one server, with one more that sees which of them waits for another. */
export interface Stage {
  readonly sessions: readonly pg.Client[]
  readonly processIds: readonly number[]
  readonly watcher: pg.Client
}

export async function openStage(connect: () => Promise<pg.Client>, watcher: pg.Client, count: number): Promise<Stage> {
  const sessions = await Promise.all(Array.from({ length: count }, () => connect()))
  const processIds = await Promise.all(
    sessions.map(async (session) => {
      const { rows } = await session.query<{ id: number }>('SELECT pg_backend_pid() AS id')
      return rows[0]?.id ?? 0
    }),
  )
  return { sessions, processIds, watcher }
}

export async function closeStage({ sessions, watcher }: Stage): Promise<void> {
  await Promise.all([...sessions, watcher].map((client) => client.end()))
}

/** What became of a schedule. */
export interface Performance {
  /** Of each step: its rows and count, or its SQLSTATE. */
  readonly outcomes: readonly unknown[]
  /** Two sessions waited at once: which of them goes on first is nobody's promise. */
  readonly hasRace: boolean
}

/**
 * Runs a schedule: a step begins when all before it are done or wait for a lock, as in PostgreSQL's own isolation tests. Steps of a
 * session that waits stand behind.
 */
export async function play(
  { sessions, processIds, watcher }: Stage,
  schedule: readonly ScheduledStep[],
): Promise<Performance> {
  const outcomes: Promise<unknown>[] = []
  let hasRace = false
  /** How many steps of each session are not done. */
  const running = sessions.map(() => 0)
  const isWaiting = async (session: number): Promise<boolean> => {
    const asked = await watcher.query('SELECT 1 WHERE pg_blocking_pids($1) <> $2', [processIds[session], []])
    return asked.rowCount === 1
  }
  for (const { session, text } of schedule) {
    const client = sessions[session]
    if (client === undefined) throw new Error(`no session ${session}`)
    running[session] = (running[session] ?? 0) + 1
    const outcome = client.query({ text, rowMode: 'array' }).then(
      (result) => ({ rows: result.rows, count: result.rowCount }),
      (error: pg.DatabaseError) => error.code,
    )
    const done = outcome.then(() => {
      running[session] = (running[session] ?? 0) - 1
    })
    outcomes.push(outcome)
    let waiting = 0
    for (const other of sessions.keys()) {
      let waits = false
      while ((running[other] ?? 0) > 0 && !waits) {
        waits = await isWaiting(other)
        if (!waits) await Promise.race([done, new Promise((resolve) => setTimeout(resolve, ASKED_EACH_MS))])
      }
      if (waits) waiting += 1
    }
    hasRace ||= waiting > 1
  }
  return { outcomes: await Promise.all(outcomes), hasRace }
}
