import { BACKEND, readNotificationResponse } from '../../../wire/postgres/backend.ts'
import { quoteText } from '../overlay/identifiers.ts'
import type { ServerConnection } from '../server-connection.ts'

/** Heard in the maintenance database, where no branch is: a listener in a branch's own would keep it from being copied. */
const CHANNEL = 'mesh_reset'

/** Tells a proxy that a branch's tables were reset under it. */
export async function announceReset(admin: ServerConnection, database: string): Promise<void> {
  await admin.query(`SELECT pg_catalog.pg_notify(${quoteText(CHANNEL)}, ${quoteText(database)})`)
}

/** Calls back with the name of each branch's database that is reset from now on. The connection is the listener's until it ends. */
export async function listenForResets(admin: ServerConnection, onReset: (database: string) => void): Promise<void> {
  await admin.query(`LISTEN ${CHANNEL}`)
  admin.onMessage((frame) => {
    if (frame.piece !== undefined || frame.type !== BACKEND.notificationResponse) return
    const { channel, payload } = readNotificationResponse(frame.payload)
    if (channel === CHANNEL) onReset(payload)
  })
}
