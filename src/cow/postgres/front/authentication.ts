import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { utf8, utf8Bytes } from '../../../core/bytes.ts'
import {
  authenticationMd5,
  authenticationSasl,
  authenticationSaslContinue,
  authenticationSaslFinal,
} from '../../../wire/postgres/backend.ts'
import { MessageFramer } from '../../../wire/postgres/framer.ts'
import { readPassword, readSaslInitial, readSaslResponse } from '../../../wire/postgres/frontend.ts'
import { md5Response } from '../../../wire/postgres/md5.ts'
import { makeScramVerifier, mockScramVerifier, SCRAM_SHA_256, ScramServer } from '../../../wire/postgres/scram.ts'
import { nextMessage } from './startup.ts'

export const AUTHENTICATION_METHODS = ['trust', 'scram-sha-256', 'md5'] as const
export type AuthenticationMethod = (typeof AUTHENTICATION_METHODS)[number]

/** Who may connect. */
export interface Authentication {
  readonly method: AuthenticationMethod
  /** The password of a user, in clear text; undefined for one who may not connect. Not asked with `trust`. */
  passwordOf(user: string): string | undefined
}

const SECRET = randomBytes(32)

/** Asks the client for its password. False where it is wrong; whoever it claims to be is told the same. */
export async function authenticate(client: Duplex, user: string, authentication: Authentication): Promise<boolean> {
  const { method } = authentication
  if (method === 'trust') return true
  const password = authentication.passwordOf(user)
  const framer = new MessageFramer()
  return method === 'md5' ? byMd5(client, framer, user, password) : byScram(client, framer, user, password)
}

async function byMd5(
  client: Duplex,
  framer: MessageFramer,
  user: string,
  password: string | undefined,
): Promise<boolean> {
  const salt = randomBytes(4)
  client.write(authenticationMd5(salt))
  const sent = utf8Bytes(readPassword((await nextMessage(client, framer)).payload))
  const expected = utf8Bytes(md5Response(user, password ?? '', salt))
  return password !== undefined && sent.length === expected.length && timingSafeEqual(sent, expected)
}

async function byScram(
  client: Duplex,
  framer: MessageFramer,
  user: string,
  password: string | undefined,
): Promise<boolean> {
  const verifier = password === undefined ? mockScramVerifier(user, SECRET) : await makeScramVerifier(password)
  const server = new ScramServer(verifier)
  client.write(authenticationSasl([SCRAM_SHA_256]))
  const initial = readSaslInitial((await nextMessage(client, framer)).payload)
  if (initial.mechanism !== SCRAM_SHA_256 || initial.data === null) return false
  client.write(authenticationSaslContinue(utf8Bytes(server.first(utf8(initial.data)))))
  const last = server.final(utf8(readSaslResponse((await nextMessage(client, framer)).payload)))
  if (last === undefined) return false
  client.write(authenticationSaslFinal(utf8Bytes(last)))
  return true
}
