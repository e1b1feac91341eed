import { utf8, utf8Bytes } from '../../core/bytes.ts'
import { MeshError } from '../../core/errors.ts'
import {
  BACKEND,
  readAuthentication,
  readBackendKeyData,
  readNegotiateProtocolVersion,
  readParameterStatus,
} from '../../wire/postgres/backend.ts'
import type { CancelKey } from '../../wire/postgres/backend.ts'
import { postgresError, readErrorFields } from '../../wire/postgres/error-fields.ts'
import type { PgErrorFields } from '../../wire/postgres/error-fields.ts'
import type { PgMessage } from '../../wire/postgres/framer.ts'
import { password, PROTOCOL_3_0, saslInitial, saslResponse, startupMessage } from '../../wire/postgres/frontend.ts'
import { md5Response } from '../../wire/postgres/md5.ts'
import { SCRAM_SHA_256, ScramClient } from '../../wire/postgres/scram.ts'
import type { ServerChannel } from './server-channel.ts'
import { addressText } from './server-options.ts'
import type { ServerOptions } from './server-options.ts'

/** What a server says of a new session. */
export interface ServerFacts {
  readonly cancelKey: CancelKey
  /** As they were at the start: `server_version`, `client_encoding`. */
  readonly parameters: Map<string, string>
}

/** A server says some 20 things before it is ready: one that never comes to an end is no server. */
const MAX_LOGIN_MESSAGES = 1000

/** Sends the startup message, proves who we are, and waits until the server is ready. */
export async function login(channel: ServerChannel, options: ServerOptions): Promise<ServerFacts> {
  const { user, database, parameters } = options
  channel.write(startupMessage({ client_encoding: 'UTF8', ...parameters, user, database }))
  const dialogue = new Dialogue(channel, options)
  await authenticate(dialogue)
  return greeting(dialogue)
}

/** The messages of a login that are not small talk; an error of the server is thrown. */
class Dialogue {
  readonly options: ServerOptions
  readonly where: string
  readonly #channel: ServerChannel
  #messages = 0

  constructor(channel: ServerChannel, options: ServerOptions) {
    this.#channel = channel
    this.options = options
    this.where = addressText(options.address)
  }

  send(bytes: Uint8Array): void {
    this.#channel.write(bytes)
  }

  async next(): Promise<PgMessage> {
    for (;;) {
      const message = await this.#channel.next()
      if (++this.#messages > MAX_LOGIN_MESSAGES) {
        throw this.broken(`at most ${MAX_LOGIN_MESSAGES} messages before the server is ready`, 'more')
      }
      if (message.type === BACKEND.errorResponse) throw refused(readErrorFields(message.payload), this.options)
      if (message.type === BACKEND.negotiateProtocolVersion) this.#checkProtocol(message.payload)
      else if (message.type !== BACKEND.noticeResponse) return message
    }
  }

  broken(expected: string, found: string, remedy = 'is this a PostgreSQL server?'): MeshError {
    return new MeshError('MESH_ERR_POSTGRES', {
      what: `expected ${expected}, found ${found}`,
      where: this.where,
      remedy,
    })
  }

  #checkProtocol(payload: Uint8Array): void {
    const { protocol, unknownOptions } = readNegotiateProtocolVersion(payload)
    if (protocol === PROTOCOL_3_0 && unknownOptions.length === 0) return
    const options = unknownOptions.length === 0 ? '' : ` without ${unknownOptions.join(', ')}`
    throw this.broken('protocol 3.0', `an offer of ${protocol >> 16}.${protocol & 0xffff}${options}`)
  }
}

async function authenticate(dialogue: Dialogue): Promise<void> {
  const { options } = dialogue
  for (;;) {
    const message = await dialogue.next()
    if (message.type !== BACKEND.authentication) throw unexpected(dialogue, 'authentication', message)
    const asked = readAuthentication(message.payload)
    switch (asked.kind) {
      case 'ok':
        return
      case 'cleartext':
        dialogue.send(password(passwordOf(dialogue)))
        break
      case 'md5':
        dialogue.send(password(md5Response(options.user, passwordOf(dialogue), asked.salt)))
        break
      case 'sasl':
        await authenticateScram(dialogue, asked.mechanisms)
        break
      case 'saslContinue':
      case 'saslFinal':
        throw unexpected(dialogue, 'the beginning of SASL', message)
      case 'other':
        throw dialogue.broken(
          'cleartext, MD5 or SCRAM-SHA-256 authentication',
          `method ${asked.code}`,
          'let this user in by one of them in pg_hba.conf',
        )
    }
  }
}

/** Ends with the server's proof: an AuthenticationOk without it is not taken. */
async function authenticateScram(dialogue: Dialogue, mechanisms: readonly string[]): Promise<void> {
  if (!mechanisms.includes(SCRAM_SHA_256)) throw dialogue.broken(SCRAM_SHA_256, mechanisms.join(', '))
  const scram = new ScramClient(passwordOf(dialogue))
  dialogue.send(saslInitial({ mechanism: SCRAM_SHA_256, data: utf8Bytes(scram.first()) }))
  const serverFirst = await saslData(dialogue, 'saslContinue')
  dialogue.send(saslResponse(utf8Bytes(await scram.final(serverFirst))))
  scram.verify(await saslData(dialogue, 'saslFinal'))
}

async function saslData(dialogue: Dialogue, kind: 'saslContinue' | 'saslFinal'): Promise<string> {
  const message = await dialogue.next()
  if (message.type === BACKEND.authentication) {
    const said = readAuthentication(message.payload)
    if (said.kind === kind) return utf8(said.data)
  }
  throw unexpected(dialogue, kind === 'saslFinal' ? "the server's proof" : "the server's SASL challenge", message)
}

async function greeting(dialogue: Dialogue): Promise<ServerFacts> {
  const parameters = new Map<string, string>()
  let cancelKey: CancelKey = { processId: 0, secretKey: new Uint8Array(4) }
  for (;;) {
    const message = await dialogue.next()
    switch (message.type) {
      case BACKEND.readyForQuery:
        return { cancelKey, parameters }
      case BACKEND.parameterStatus: {
        const { name, value } = readParameterStatus(message.payload)
        parameters.set(name, value)
        break
      }
      case BACKEND.backendKeyData:
        cancelKey = readBackendKeyData(message.payload)
        break
      default:
        throw unexpected(dialogue, 'that the server gets ready', message)
    }
  }
}

function passwordOf(dialogue: Dialogue): string {
  const { password, user } = dialogue.options
  if (password !== undefined) return password
  throw dialogue.broken(
    `no password to be asked of user ${user}`,
    'that the server asks for one',
    'set PGPASSWORD, or give one in the URL',
  )
}

function unexpected(dialogue: Dialogue, expected: string, message: PgMessage): MeshError {
  return dialogue.broken(expected, `a message of type ${JSON.stringify(String.fromCharCode(message.type))}`)
}

/** What to do about the refusals of a login, by SQLSTATE. */
const REMEDIES: Readonly<Record<string, string>> = {
  '28P01': 'check user and password',
  '28000': 'check the name of the user; let it in, in pg_hba.conf, or use TLS',
  '3D000': 'check the name of the database',
  '42501': 'grant CONNECT on the database',
  '53300': 'raise max_connections, or close some',
  '57P03': 'wait until the server has started',
}

function refused(fields: PgErrorFields, options: ServerOptions): MeshError {
  return postgresError(fields, {
    expected: `the server to let user ${options.user} into database ${options.database}`,
    where: addressText(options.address),
    remedy: REMEDIES[fields.code] ?? fields.hint ?? "see the server's log",
  })
}
