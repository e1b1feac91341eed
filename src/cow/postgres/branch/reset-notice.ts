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
/** What a proxy's listening connection is called. */
const LISTENER = 'mesh proxy'

/** A proxy reads a branch's catalogue again in well under a second; one that takes this long hangs. */
const MAX_WAIT_MS = 10_000

/**
 * Tells the proxy, where there is one, that a branch's tables were reset under it, and waits until it knows: a client that writes after
 * that finds production's rows. The connection is the caller's, to be ended afterwards: nothing else may be asked on it.
 *
 * @throws MeshError MESH_ERR_POSTGRES where a proxy does not answer.
 */
export async function announceReset(admin: ServerConnection, database: string): Promise<void> {
  await admin.query(`LISTEN ${KNOWN_CHANNEL}`)
  const count = await admin.query(
    `SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database() AND application_name = '${LISTENER}'`,
  )
  let listeners = Number(textOf(count))
  if (listeners === 0) return
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(notKnown(database)), MAX_WAIT_MS)
    const settle = (): void => {
      clearTimeout(timer)
      resolve()
    }
    void admin.closed.then(settle)
    onNotification(admin, (channel, payload) => {
      if (channel === KNOWN_CHANNEL && payload === database && --listeners === 0) settle()
    })
    admin.write(query(notifySql(CHANNEL, database)))
  })
}

/** Calls back with the name of each branch's database that is reset from now on, and says so when the callback is done. The connection is the listener's until it ends. */
export async function listenForResets(
  admin: ServerConnection,
  onReset: (database: string) => Promise<void>,
): Promise<void> {
  await admin.query(`SET application_name = '${LISTENER}'; LISTEN ${CHANNEL}`)
  onNotification(admin, (channel, payload) => {
    if (channel !== CHANNEL) return
    void onReset(payload).finally(() => admin.write(query(notifySql(KNOWN_CHANNEL, payload))))
  })
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

function notKnown(database: string): MeshError {
  return new MeshError('MESH_ERR_POSTGRES', {
    what: `the reset is done, but the proxy has not taken note of it within ${MAX_WAIT_MS / 1000} s`,
    where: database,
    remedy: 'restart the proxy',
  })
}
