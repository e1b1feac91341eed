import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import { concatBytes } from '../../../core/bytes.ts'
import { MeshError, toMeshError } from '../../../core/errors.ts'
import { authenticationOk, backendKeyData, parameterStatus, readyForQuery } from '../../../wire/postgres/backend.ts'
import type { DumpThreadData, FromDumpThread, ToDumpThread } from './pg-dump-thread.ts'

/** An authenticated session on the server that is dumped, read-only and of its own. */
export interface DumpTransport {
  /** As the server reported them; `server_version` is needed. */
  readonly parameters: ReadonlyMap<string, string>
  /** Takes one whole message of a client (Query) and gives all that the server answers, up to ReadyForQuery. */
  exchange(message: Uint8Array): Promise<Uint8Array>
}

/** What is dumped, and where from. */
export interface SchemaDumpOptions {
  readonly transport: DumpTransport
  readonly database: string
  /** Tables that are left out, as `schema.name` with each part quoted. */
  readonly excluded: readonly string[]
  /** The compiled `pg-dump-thread.js`. Default: the one beside this file. */
  readonly thread?: URL | undefined
}

/** The largest schema we hold as text, some 100,000 tables. */
const MAX_DUMP_BYTES = 256 * 1024 * 1024

/** What is not of a branch's concern, or cannot be there. */
const LEFT_OUT = [
  '--schema-only',
  '--encoding=UTF8',
  '--no-tablespaces',
  '--no-publications',
  '--no-subscriptions',
  '--no-security-labels',
  '--no-toast-compression',
  '--no-table-access-method',
]

/** The longest that pg_dump's own share locks wait for a migration in production. */
const LOCK_WAIT_MS = 10_000

/**
 * The schema of a database as SQL, by PostgreSQL's own pg_dump in a thread.
 *
 * @throws MeshError MESH_ERR_UNREACHABLE with pg_dump's words; MESH_ERR_ABORTED.
 */
export async function dumpSchema(options: SchemaDumpOptions, signal: AbortSignal): Promise<string> {
  const { transport, database, excluded, thread = new URL('pg-dump-thread.js', import.meta.url) } = options
  const { port1, port2 } = new MessageChannel()
  const wake = new SharedArrayBuffer(4)
  const args = [
    ...LEFT_OUT,
    `--lock-wait-timeout=${LOCK_WAIT_MS}`,
    ...excluded.map((name) => `--exclude-table=${name}`),
    '-d',
    database,
  ]
  const data: DumpThreadData = { port: port2, wake, args, greeting: greetingOf(transport) }
  const worker = new Worker(thread, { workerData: data, transferList: [port2], stdout: true, stderr: true })
  const reply = (message: ToDumpThread): void => {
    port1.postMessage(message)
    Atomics.add(new Int32Array(wake), 0, 1)
    Atomics.notify(new Int32Array(wake), 0)
  }
  try {
    return await new Promise<string>((resolve, reject) => {
      const fail = (what: string, cause?: unknown): void =>
        reject(
          new MeshError('MESH_ERR_UNREACHABLE', {
            what,
            where: database,
            cause,
            remedy: 'check that the role may read every table and schema',
          }),
        )
      signal.addEventListener('abort', () =>
        reject(new MeshError('MESH_ERR_ABORTED', { what: 'stopped while the schema was read' })),
      )
      worker.on('error', (error) => reject(toMeshError(error)))
      const take = (message: FromDumpThread): void => {
        if (message.kind === 'done') resolve(bounded(message.text))
        else if (message.kind === 'failed') fail(`the schema could not be read: ${wordsOf(message.reason)}`)
        else {
          transport.exchange(message.bytes).then(
            (bytes) => reply({ kind: 'reply', bytes }),
            (error: unknown) => {
              reject(toMeshError(error))
              reply({ kind: 'lost' })
            },
          )
        }
      }
      port1.on('message', take)
      worker.on('exit', () => {
        // Its last word may still be on its way: the end of a thread is told apart from what it posted.
        const last: { message: FromDumpThread } | undefined = receiveMessageOnPort(port1)
        if (last === undefined) fail('the thread that reads the schema ended early')
        else take(last.message)
      })
    })
  } finally {
    port1.close()
    // It takes a while to give its memory back, for which nobody has to wait.
    void worker.terminate()
  }
}

/** What pg_dump said, without what the one that runs it says of itself. */
function wordsOf(reason: string): string {
  return reason
    .replace(/^pg_dump failed with exit code \d+\. Error message: /, '')
    .replace(/invalid binary "[^"]*": No such file or directory/, '')
    .replaceAll(/\s*pg-dump-thread\.\w+: (?:error|detail|hint): /g, ' ')
    .trim()
}

function bounded(text: string): string {
  if (text.length <= MAX_DUMP_BYTES) return text
  throw new MeshError('MESH_ERR_LIMIT', {
    what: `the schema is ${text.length} characters long, more than ${MAX_DUMP_BYTES}`,
  })
}

/** The session is authenticated already: pg_dump is told so at once. */
function greetingOf({ parameters }: DumpTransport): Uint8Array {
  const key = { processId: 0, secretKey: new Uint8Array(4) }
  const reported = [...parameters].map(([name, value]) => parameterStatus(name, value))
  return concatBytes([authenticationOk(), ...reported, backendKeyData(key), readyForQuery('I')])
}
