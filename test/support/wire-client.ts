import { connect, type Socket } from 'node:net'
import {
  BACKEND,
  readCommandComplete,
  readDataRow,
  readParameterDescription,
  readReadyForQuery,
  readRowDescription,
} from '../../src/wire/postgres/backend.ts'
import { readErrorFields } from '../../src/wire/postgres/error-fields.ts'
import { MessageFramer } from '../../src/wire/postgres/framer.ts'
import { startupMessage } from '../../src/wire/postgres/frontend.ts'

/** Where a server listens: a TCP port of this machine, or a unix socket. */
export type WireAddress = { readonly port: number } | { readonly path: string }

/** Two messages in a row that a test's last, empty query is answered by, and nothing else that it sends. */
const END_OF_BATCH = /^I Z:.$/

/** A client that speaks the protocol itself. Answers are words: `1 2 T(id:23) D(7) C:SELECT 1 Z:I`, errors by their SQLSTATE. */
export class WireClient {
  readonly socket: Socket
  readonly #framer = new MessageFramer({ maxHeldBytes: 64 * 1024 * 1024 })
  #isOver = false
  #said: string[] = []
  #wake = (): void => undefined

  constructor(address: WireAddress) {
    this.socket = connect('port' in address ? { port: address.port, host: '127.0.0.1' } : address)
    this.socket.on('data', (chunk: Buffer) => {
      this.#framer.push(Uint8Array.from(chunk))
      this.#wake()
    })
    this.socket.on('error', () => undefined)
    this.socket.on('close', () => {
      this.#isOver = true
      this.#wake()
    })
  }

  /** Connects, and says who it is; the session is ready. */
  static async open(
    address: WireAddress,
    parameters: Readonly<Record<string, string>> = { user: 'app', database: 'shop' },
  ): Promise<WireClient> {
    const client = new WireClient(address)
    client.socket.write(startupMessage(parameters))
    const greeting = await client.answers((said) => said.at(-1)?.startsWith('Z:') === true)
    if (!greeting.at(-1)?.startsWith('Z:')) throw new Error(`expected a session, found ${greeting.join(' ')}`)
    return client
  }

  /** Sends messages, the last one an empty query, and gives what is answered up to its end, or the end of the connection. */
  async batch(messages: readonly Uint8Array[]): Promise<string> {
    this.socket.cork()
    for (const message of messages) this.socket.write(message)
    this.socket.uncork()
    return (await this.answers((said) => END_OF_BATCH.test(said.slice(-2).join(' ')))).join(' ')
  }

  /** The same, or what was said so far where no more comes within 200 s. */
  async batchOrHung(messages: readonly Uint8Array[]): Promise<string> {
    let timer: NodeJS.Timeout | undefined
    const hung = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(`${this.saidSoFar} and no more within 200 s`), 200_000)
    })
    const said = await Promise.race([this.batch(messages), hung])
    clearTimeout(timer)
    return said
  }

  /** What comes until it is enough; the last word is `over` where the connection ends before. */
  async answers(isEnough: (said: readonly string[]) => boolean): Promise<string[]> {
    const said: string[] = []
    this.#said = said
    while (!isEnough(said)) {
      const frame = this.#framer.next()
      if (frame?.piece === undefined && frame !== undefined) said.push(wordOf(frame.type, frame.payload))
      else if (this.#isOver) return [...said, 'over']
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    return said
  }

  /** Everything up to the end of the connection. */
  async rest(): Promise<string> {
    return (await this.answers(() => false)).join(' ')
  }

  /** What `answers` has so far, for whoever gives up on it. */
  get saidSoFar(): string {
    return this.#said.join(' ')
  }

  end(): void {
    this.socket.destroy()
  }
}

/** Below are the oids of built-in types: others differ from server to server. */
const FIRST_USER_OID = 16_384

function wordOf(type: number, payload: Uint8Array): string {
  const letter = String.fromCharCode(type)
  switch (type) {
    case BACKEND.dataRow:
      return `D(${readDataRow(payload).map(shown).join(',')})`
    case BACKEND.rowDescription: {
      const fields = readRowDescription(payload).map(
        ({ name, typeOid, format }) => `${name}:${typeOid < FIRST_USER_OID ? typeOid : 'own'}:${format}`,
      )
      return `T(${fields.join(',')})`
    }
    case BACKEND.parameterDescription:
      return `t(${readParameterDescription(payload).join(',')})`
    case BACKEND.commandComplete:
      return `C:${readCommandComplete(payload)}`
    case BACKEND.readyForQuery:
      return `Z:${readReadyForQuery(payload)}`
    case BACKEND.errorResponse: {
      const { severity, code, position } = readErrorFields(payload)
      return `E:${severity === 'ERROR' ? '' : `${severity} `}${code}${position === undefined ? '' : `@${position}`}`
    }
    case BACKEND.noticeResponse:
      return `N:${readErrorFields(payload).code}`
    case BACKEND.parameterStatus:
      return `S:${Buffer.from(payload).toString('latin1').replaceAll('\0', '=')}`
    default:
      return letter
  }
}

function shown(value: Uint8Array | null): string {
  if (value === null) return 'null'
  const text = Buffer.from(value).toString('latin1')
  return /^[ -~]*$/.test(text) ? text : Buffer.from(value).toString('hex')
}
