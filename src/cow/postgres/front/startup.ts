import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { SecureContext } from 'node:tls'
import { MeshError } from '../../../core/errors.ts'
import { terminateTls, type TlsTermination } from '../../../net/tls.ts'
import type { CancelKey, Startup } from '../../engine.ts'
import { negotiateProtocolVersion } from '../../../wire/postgres/backend.ts'
import { MessageFramer, type PgMessage } from '../../../wire/postgres/framer.ts'
import { PROTOCOL_3_0, readStartup } from '../../../wire/postgres/frontend.ts'

/** How clients may encrypt. */
export interface ClientTls {
  readonly termination: TlsTermination
  readonly context: SecureContext
}

/** What a connection turned out to want. */
export type Opening =
  | { readonly kind: 'session'; readonly client: Duplex; readonly startup: Startup }
  | { readonly kind: 'cancel'; readonly key: CancelKey }

/** One byte of answer to SSLRequest and GSSENCRequest (PostgreSQL manual 54.2.10). */
const YES = Buffer.from('S')
const NO = Buffer.from('N')

/**
 * Reads what opens a connection, and encrypts it where the client asks and we can. Throws MESH_ERR_POSTGRES at whatever is not
 * PostgreSQL's protocol 3, MESH_ERR_ABORTED where the client leaves.
 */
export async function readOpening(raw: Socket, tls: ClientTls | undefined): Promise<Opening> {
  let client: Duplex = raw
  let encrypted = false
  const framer = new MessageFramer({ startup: true })
  for (;;) {
    const message = await nextMessage(client, framer)
    const startup = readStartup(message.payload)
    if (startup.kind === 'cancel') {
      return { kind: 'cancel', key: { processId: startup.processId, secretKey: startup.secretKey } }
    }
    if (startup.kind === 'startup') {
      answerNewerProtocol(client, startup.protocol, startup.parameters)
      return { kind: 'session', client, startup: readParameters(startup.parameters) }
    }
    if (startup.kind === 'gss' || tls === undefined || encrypted) {
      client.write(NO)
      continue
    }
    if (framer.heldBytes > 0) {
      throw new MeshError('MESH_ERR_POSTGRES', { what: 'expected nothing before encryption begins, found bytes' })
    }
    raw.write(YES)
    client = terminateTls(raw, tls.termination, tls.context)
    encrypted = true
  }
}

/** The next message of a client that is not served yet. */
export async function nextMessage(client: Duplex, framer: MessageFramer): Promise<PgMessage> {
  for (;;) {
    const frame = framer.next()
    if (frame?.piece !== undefined) throw new MeshError('MESH_ERR_POSTGRES', { what: 'expected a short message' })
    if (frame !== undefined) return frame
    const chunk: unknown = client.read()
    if (chunk instanceof Uint8Array) framer.push(chunk)
    else if (client.readableEnded || client.destroyed) throw left()
    else
      await Promise.race([once(client, 'readable'), once(client, 'end').then(left), once(client, 'close').then(left)])
  }
}

function left(): MeshError {
  return new MeshError('MESH_ERR_ABORTED', { what: 'the client left before its session began' })
}

/** We speak 3.0; a client that offers more is told so and goes on (PostgreSQL manual 54.2.1). */
function answerNewerProtocol(client: Duplex, protocol: number, parameters: ReadonlyMap<string, string>): void {
  const unknown = [...parameters.keys()].filter((name) => name.startsWith('_pq_.'))
  if (protocol <= PROTOCOL_3_0 && unknown.length === 0) return
  client.write(negotiateProtocolVersion({ protocol: PROTOCOL_3_0, unknownOptions: unknown }))
}

function readParameters(parameters: ReadonlyMap<string, string>): Startup {
  const user = parameters.get('user') ?? ''
  const rest = new Map(parameters)
  for (const name of ['user', 'database', 'replication']) rest.delete(name)
  for (const name of rest.keys()) if (name.startsWith('_pq_.')) rest.delete(name)
  return { user, database: parameters.get('database') ?? user, parameters: rest }
}
