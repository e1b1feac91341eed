import { concatBytes } from '../../src/core/bytes.ts'
import type { DumpTransport } from '../../src/cow/postgres/overlay/schema-dump.ts'
import type { ServerConnection } from '../../src/cow/postgres/server-connection.ts'

const READY_FOR_QUERY = 0x5a

/** A connection as pg_dump's transport: each message gets all that the server says up to ReadyForQuery. */
export function dumpTransportOf(connection: ServerConnection): DumpTransport {
  const { parameters } = connection
  const exchange = (message: Uint8Array): Promise<Uint8Array> =>
    new Promise((resolve, reject) => {
      const pieces: Uint8Array[] = []
      void connection.closed.then((error) => reject(error ?? new Error('closed')))
      connection.onMessage((frame) => {
        pieces.push(new Uint8Array('bytes' in frame ? frame.bytes : frame.piece))
        if (frame.type === READY_FOR_QUERY) resolve(concatBytes(pieces))
      })
      connection.write(message)
    })
  return { parameters, exchange }
}
