import { isMainThread, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { pgDump } from '@electric-sql/pglite-tools/pg_dump'

/**
 * The thread in which the schema is dumped: PostgreSQL's own pg_dump, compiled to WebAssembly, reads and writes its connection by
 * calls that must not return before the reply is there. So it sleeps until the main thread, which has the connection, wakes it.
 */

/** What the thread is started with. */
export interface DumpThreadData {
  readonly port: MessagePort
  /** One counter: the main thread adds one, and wakes us, after each reply. */
  readonly wake: SharedArrayBuffer
  readonly args: readonly string[]
  /** The server's reply to a startup message: authenticated, its parameters, ready. */
  readonly greeting: Uint8Array
}

/** What the thread says: bytes for the server, each a whole number of messages; at last the dump, or why there is none. */
export type FromDumpThread =
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  | { readonly kind: 'done'; readonly text: string }
  | { readonly kind: 'failed'; readonly reason: string }

/** What it is told: the reply up to ReadyForQuery, or that the connection is gone. */
export type ToDumpThread = { readonly kind: 'reply'; readonly bytes: Uint8Array } | { readonly kind: 'lost' }

/** Longest wait for one reply; the statement timeout upstream is shorter. */
const REPLY_TIMEOUT_MS = 300_000

const TERMINATE = 0x58

/** The connection as pg_dump's driver wants it. */
class DumpConnection {
  readonly #data: DumpThreadData
  readonly #counter: Int32Array
  #pending: Uint8Array = new Uint8Array(0)
  #started = false

  constructor(data: DumpThreadData) {
    this.#data = data
    this.#counter = new Int32Array(data.wake)
  }

  /** Settings of a session that is not there. */
  async query(): Promise<{ rows: { search_path: string }[] }> {
    return { rows: [{ search_path: 'public' }] }
  }

  async exec(): Promise<void> {}

  execProtocolRawStream(bytes: Uint8Array, { onRawData }: { onRawData: (bytes: Uint8Array) => void }): void {
    const held = new Uint8Array(this.#pending.length + bytes.length)
    held.set(this.#pending)
    held.set(bytes, this.#pending.length)
    this.#pending = held
    if (!this.#started) {
      if (!isWhole(held, 0)) return
      this.#started = true
      this.#pending = new Uint8Array(0)
      onRawData(this.#data.greeting)
      return
    }
    if (held[0] === TERMINATE || !isWhole(held, 1)) return
    this.#pending = new Uint8Array(0)
    onRawData(this.#exchange(held))
  }

  #exchange(bytes: Uint8Array): Uint8Array {
    const seen = Atomics.load(this.#counter, 0)
    post(this.#data.port, { kind: 'send', bytes })
    Atomics.wait(this.#counter, 0, seen, REPLY_TIMEOUT_MS)
    const received: { message: ToDumpThread } | undefined = receiveMessageOnPort(this.#data.port)
    if (received?.message.kind !== 'reply') throw new Error('the connection was lost')
    return received.message.bytes
  }
}

/** One whole message, its length at `offset`: pg_dump writes one at a time. */
function isWhole(bytes: Uint8Array, offset: number): boolean {
  if (bytes.length < offset + 4) return false
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset)
  return bytes.length >= offset + length
}

function post(port: MessagePort, message: FromDumpThread): void {
  port.postMessage(message)
}

async function run(data: DumpThreadData): Promise<void> {
  try {
    const file = await pgDump({ pg: Object(new DumpConnection(data)), args: [...data.args] })
    post(data.port, { kind: 'done', text: await file.text() })
  } catch (error) {
    post(data.port, { kind: 'failed', reason: error instanceof Error ? error.message : String(error) })
  }
  data.port.close()
}

if (!isMainThread) {
  const data: DumpThreadData = workerData
  await run(data)
}
