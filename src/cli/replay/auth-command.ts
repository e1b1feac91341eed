import type { ExecFileException } from 'node:child_process'
import { execFile } from 'node:child_process'
import { unixNs } from '../../core/clock.ts'
import { MeshError } from '../../core/errors.ts'
import type { AuthorizationSource } from '../../replay/authorization.ts'

/** A command that asks an identity provider is done within this, or hangs. */
const TIMEOUT_MS = 30_000

/** What it may print: a token has some KB. */
const MAX_OUTPUT_BYTES = 64 * 1024

/** It is asked again this long before what it gave is over, and half of its life before where that is less. */
const MARGIN_MS = 60_000

/** Where it fails while what it gave is still good, or gives what is over already, it is asked again after this. */
const RETRY_MS = 5_000

interface Answer {
  readonly value: string
  /** When it is over; Infinity where it does not say. */
  readonly expiresMs: number
}

/**
 * The Authorization that a command of the user's prints: the header's value, a bare token (`Bearer` is put before it), or what an
 * OAuth 2 server answers (RFC 6749 5.1: `access_token`, `token_type`, `expires_in`). It is asked again before that is over, by
 * `expires_in` or the token's own `exp`. What it prints is shown nowhere.
 */
export class AuthCommand implements AuthorizationSource {
  readonly #command: string
  readonly #warn: (line: string) => void
  readonly #nowMs: () => number
  #answer: Answer | undefined
  #askAtMs = 0
  #asking: Promise<void> | undefined
  #saidOver = false

  /** `nowMs`: milliseconds since 1970, by default of this machine's clock. */
  constructor(command: string, warn: (line: string) => void, nowMs: () => number = wallMs) {
    this.#command = command
    this.#warn = warn
    this.#nowMs = nowMs
  }

  /** @throws MeshError MESH_ERR_USAGE where it fails and there is nothing that is still good. */
  async current(): Promise<string> {
    if (this.#nowMs() >= this.#askAtMs) await (this.#asking ??= this.#renew())
    return this.#answer?.value ?? ''
  }

  async #renew(): Promise<void> {
    try {
      const askedMs = this.#nowMs()
      this.#answer = answerOf(await this.#run(), askedMs)
      const lifeMs = this.#answer.expiresMs - askedMs
      this.#askAtMs =
        lifeMs > 0 ? this.#answer.expiresMs - Math.min(MARGIN_MS, lifeMs / 2) : this.#retryAfterOver(askedMs)
    } catch (error) {
      if (!(error instanceof MeshError) || this.#answer === undefined || this.#answer.expiresMs <= this.#nowMs())
        throw error
      this.#warn(`mesh: ${error.message}: the Authorization from before goes on until it is over`)
      this.#askAtMs = Math.min(this.#nowMs() + RETRY_MS, this.#answer.expiresMs)
    } finally {
      this.#asking = undefined
    }
  }

  /** What it gave was over already, by this machine's clock, which may be the one that is wrong. */
  #retryAfterOver(askedMs: number): number {
    if (!this.#saidOver)
      this.#warn('mesh: --auth-command printed an Authorization that is over already: it is sent all the same')
    this.#saidOver = true
    return askedMs + RETRY_MS
  }

  #run(): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES, killSignal: 'SIGKILL' } as const
      execFile('/bin/sh', ['-c', this.#command], options, (error, stdout) => {
        if (error === null) resolve(stdout)
        // Its output and its words stay out: they are the secret, or hold one.
        else reject(failed(error.killed === true ? 'was stopped: too slow, or too much output' : exitText(error)))
      })
    })
  }
}

function exitText({ code, signal }: ExecFileException): string {
  return typeof signal === 'string' ? `was killed by ${signal}` : `ended with exit code ${code ?? 'unknown'}`
}

function failed(what: string): MeshError {
  return new MeshError('MESH_ERR_USAGE', { what: `the command ${what}`, where: '--auth-command' })
}

function answerOf(output: string, askedMs: number): Answer {
  const text = output.trim()
  const reply = text.startsWith('{') ? replyIn(text) : { value: text, expiresMs: undefined }
  const value = /^\S+$/.test(reply.value) ? `Bearer ${reply.value}` : reply.value
  if (value === '' || /[^\x20-\x7e]/.test(value)) {
    throw failed(value === '' ? 'printed no token' : 'printed what cannot stand in a header: expected one line')
  }
  const expiresMs = reply.expiresMs === undefined ? expiryOf(value) : askedMs + reply.expiresMs
  return { value, expiresMs: expiresMs ?? Infinity }
}

/** `expiresMs`: from when it was asked. */
function replyIn(text: string): { readonly value: string; readonly expiresMs: number | undefined } {
  let reply: unknown
  try {
    reply = JSON.parse(text)
  } catch {
    throw failed('printed what begins like JSON and is none')
  }
  const fields = new Map<string, unknown>(typeof reply === 'object' && reply !== null ? Object.entries(reply) : [])
  const [token, type, seconds] = ['access_token', 'token_type', 'expires_in'].map((name) => fields.get(name))
  if (typeof token !== 'string') throw failed('printed JSON without access_token')
  const scheme = typeof type !== 'string' || /^bearer$/i.test(type) ? 'Bearer' : type
  const isTime = typeof seconds === 'number' && seconds > 0
  return { value: `${scheme} ${token}`, expiresMs: isTime ? seconds * 1_000 : undefined }
}

/** When a JSON Web Token is over, by its own claims; undefined for other tokens. */
function expiryOf(value: string): number | undefined {
  const [, claims = ''] = /\beyJ[\w-]+\.(eyJ[\w-]+)\.[\w-]+$/.exec(value) ?? []
  const seconds = Number(/"exp"\s*:\s*(\d{1,12})\b/.exec(Buffer.from(claims, 'base64url').toString('utf8'))?.[1])
  return Number.isNaN(seconds) ? undefined : seconds * 1_000
}

/** Milliseconds since 1970. */
function wallMs(): number {
  return Number(unixNs() / 1_000_000n)
}
