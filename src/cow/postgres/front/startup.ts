import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { SecureContext } from 'node:tls'
import { MeshError } from '../../../core/errors.ts'
import { terminateTls, type TlsTermination } from '../../../net/tls.ts'
import type { CancelKey, Startup } from '../../engine.ts'
import { negotiateProtocolVersion } from '../../../wire/postgres/backend.ts'
import type { PgErrorFields } from '../../../wire/postgres/error-fields.ts'
import { MessageFramer, type PgMessage } from '../../../wire/postgres/framer.ts'
import { PROTOCOL_3_0, type PgStartup, readStartup } from '../../../wire/postgres/frontend.ts'

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

/** What PostgreSQL says to what does not begin like its protocol, and to another version than 3. */
const BAD_LAYOUT = {
  code: '08P01',
  message: 'invalid startup packet layout: expected terminator as last byte',
} as const
const BAD_LENGTH = { code: '08P01', message: 'invalid length of startup packet' } as const
const BAD_VERSION = '0A000'

/**
 * Reads what opens a connection, and encrypts it where the client asks and we can. What a client has sent behind it stays in `client`.
 * Throws MESH_ERR_POSTGRES at whatever is not PostgreSQL's protocol 3, with what PostgreSQL says to it as its cause; MESH_ERR_ABORTED where
 * the client leaves.
 */
export async function readOpening(raw: Socket, tls: ClientTls | undefined): Promise<Opening> {
  let client: Duplex = raw
  let encrypted = false
  const framer = new MessageFramer({ startup: true })
  for (;;) {
    const message = await nextMessage(client, framer).catch((thrown: unknown) =>
      Promise.reject(faulty(thrown, BAD_LENGTH)),
    )
    const startup = startupOf(message)
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
    if (client.readableLength > 0) {
      throw new MeshError('MESH_ERR_POSTGRES', { what: 'expected nothing before encryption begins, found bytes' })
    }
    raw.write(YES)
    client = terminateTls(raw, tls.termination, tls.context)
    encrypted = true
  }
}

function startupOf({ payload }: PgMessage): PgStartup {
  try {
    return readStartup(payload)
  } catch (thrown) {
    const version = (payload[0] ?? 0) * 256 + (payload[1] ?? 0)
    const message = `unsupported frontend protocol ${version}.${(payload[2] ?? 0) * 256 + (payload[3] ?? 0)}: server supports 3.0 to 3.0`
    throw faulty(thrown, version === 3 ? BAD_LAYOUT : { code: BAD_VERSION, message })
  }
}

function faulty(thrown: unknown, said: Omit<PgErrorFields, 'severity'>): unknown {
  if (!(thrown instanceof MeshError) || thrown.code !== 'MESH_ERR_POSTGRES') return thrown
  return new MeshError('MESH_ERR_POSTGRES', { what: thrown.message, cause: { severity: 'FATAL', ...said } })
}

/** The next message of a client that is not served yet. What follows it is left to whoever reads the client next. */
export async function nextMessage(client: Duplex, framer: MessageFramer): Promise<PgMessage> {
  for (;;) {
    const frame = framer.next()
    if (frame?.piece !== undefined) throw new MeshError('MESH_ERR_POSTGRES', { what: 'expected a short message' })
    if (frame !== undefined) {
      if (framer.heldBytes > 0) client.unshift(Buffer.from(framer.takeHeld()))
      return frame
    }
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
