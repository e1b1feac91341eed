import { setTimeout as pause } from 'node:timers/promises'
import { MeshError } from '../../../core/errors.ts'
import { BACKEND, readNotificationResponse } from '../../../wire/postgres/backend.ts'
import { query } from '../../../wire/postgres/frontend.ts'
import { quoteText } from '../overlay/identifiers.ts'
import { textOf } from '../overlay/rows.ts'
import type { ServerConnection } from '../server-connection.ts'

/** Heard in the maintenance database, where no branch is: a listener in a branch's own would keep it from being copied. */
const CHANNEL = 'mesh_reset'
/** Where proxies say that they know. */
const KNOWN_CHANNEL = 'mesh_reset_known'
/** Where they say that they could not read the branch anew. */
const FAILED_CHANNEL = 'mesh_reset_failed'
/** What a proxy's listening connection is called. */
const LISTENER = 'mesh proxy'

/** A proxy reads a branch's catalogue again in well under a second; one that takes this long hangs. */
const MAX_WAIT_MS = 10_000

/** A server that recovers from a crash is back within a second or so. */
const RETRY_MS = 100

/**
 * Tells the proxy, where there is one, that a branch's tables were reset under it, and waits until it knows: a client that writes after
 * that finds production's rows. The connection is the caller's, to be ended afterwards: nothing else may be asked on it.
 *
 * @throws MeshError MESH_ERR_POSTGRES where a proxy does not answer, or says that it could not.
 */
export async function announceReset(admin: ServerConnection, database: string): Promise<void> {
  await admin.query(`LISTEN ${KNOWN_CHANNEL}; LISTEN ${FAILED_CHANNEL}`)
  const count = await admin.query(
    `SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database() AND application_name = '${LISTENER}'`,
  )
  let listeners = Number(textOf(count))
  if (listeners === 0) return
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(notKnown(database, LATE)), MAX_WAIT_MS)
    const settle = (): void => {
      clearTimeout(timer)
      resolve()
    }
    void admin.closed.then(settle)
    onNotification(admin, (channel, payload) => {
      if (payload !== database) return
      if (channel === KNOWN_CHANNEL && --listeners === 0) settle()
      if (channel !== FAILED_CHANNEL) return
      clearTimeout(timer)
      reject(notKnown(database, 'could not read the branch anew'))
    })
    admin.write(query(notifySql(CHANNEL, database)))
  })
}

/** What a listener for resets is told. */
export interface ResetHooks {
  /** A connection as the overlay's administrator to its maintenance database. */
  connect(): Promise<ServerConnection>
  /** A branch's database was reset. Resolves when the proxy knows what there is now; where it throws, whoever reset it is told so. */
  reset(database: string): Promise<void>
  /** The overlay is away, with everything that it might have told meanwhile; `back` resolves when it is heard again. */
  away(back: Promise<void>): void
}

/** Listens for resets until it is closed, over crashes and restarts of the overlay. Throws where it cannot begin. */
export async function listenForResets(hooks: ResetHooks): Promise<{ close(): Promise<void> }> {
  const over = new AbortController()
  let current: ServerConnection | undefined
  const begin = async (): Promise<void> => {
    const connection = await hooks.connect()
    current = connection
    await connection.query(`SET application_name = '${LISTENER}'; LISTEN ${CHANNEL}`)
    onNotification(connection, (channel, payload) => {
      if (channel !== CHANNEL) return
      const answer = (by: string) => (): void => void connection.write(query(notifySql(by, payload)))
      void hooks.reset(payload).then(answer(KNOWN_CHANNEL), answer(FAILED_CHANNEL))
    })
    void connection.closed.then(() => {
      if (!over.signal.aborted) hooks.away(again())
    })
  }
  const again = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await pause(RETRY_MS)
      try {
        await begin()
        return
      } catch {
        current?.destroy()
      }
    }
  }
  await begin()
  return {
    close: async () => {
      over.abort()
      await current?.end()
    },
  }
}

function onNotification(admin: ServerConnection, heard: (channel: string, payload: string) => void): void {
  admin.onMessage((frame) => {
    if (frame.piece !== undefined || frame.type !== BACKEND.notificationResponse) return
    const { channel, payload } = readNotificationResponse(frame.payload)
    heard(channel, payload)
  })
}

function notifySql(channel: string, payload: string): string {
  return `SELECT pg_catalog.pg_notify(${quoteText(channel)}, ${quoteText(payload)})`
}

const LATE = `has not taken note of it within ${MAX_WAIT_MS / 1000} s`

function notKnown(database: string, why: string): MeshError {
  return new MeshError('MESH_ERR_POSTGRES', {
    what: `the reset is done, but the proxy ${why}`,
    where: database,
    remedy: 'restart the proxy',
  })
}
