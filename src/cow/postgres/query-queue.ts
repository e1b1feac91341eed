import { concatBytes } from '../../core/bytes.ts'
import { MeshError, toMeshError } from '../../core/errors.ts'
import { postgresErrorOf } from '../../wire/postgres/error-fields.ts'
import type { PgFrame } from '../../wire/postgres/framer.ts'
import { bind, copyFail, describe, execute, parse, query, sync } from '../../wire/postgres/frontend.ts'
import { ResultCollector } from './query-result.ts'
import type { QueryResult } from './query-result.ts'

/** What a queue of queries does to its connection. */
export interface QueryQueueOptions {
  readonly where: string
  readonly maxResultBytes: number
  write(bytes: Uint8Array): void
  cancel(): Promise<void>
  destroy(error: MeshError): void
}

/** One statement of the extended protocol. */
export interface ParameterisedStatement {
  readonly text: string
  readonly values: readonly (string | null)[]
  readonly types: readonly number[]
}

interface Job {
  readonly bytes: Uint8Array
  readonly extended: boolean
  readonly signal: AbortSignal | undefined
  resolve(results: readonly QueryResult[]): void
  reject(error: MeshError): void
}

/** The queries of one connection: one runs, the others wait in order. */
export class QueryQueue {
  readonly #options: QueryQueueOptions
  readonly #waiting: Job[] = []
  #running: RunningQuery | undefined
  #over: MeshError | undefined
  #whenIdle: (() => void)[] = []

  constructor(options: QueryQueueOptions) {
    this.#options = options
  }

  get busy(): boolean {
    return this.#running !== undefined
  }

  query(text: string, signal: AbortSignal | undefined): Promise<readonly QueryResult[]> {
    return this.#add(() => query(text), false, signal)
  }

  async execute(statement: ParameterisedStatement, signal: AbortSignal | undefined): Promise<QueryResult> {
    const results = await this.#add(() => extendedQuery(statement), true, signal)
    return results[0] ?? { fields: [], rows: [], tag: '' }
  }

  /** Resolves when nothing runs and nothing waits. */
  idle(): Promise<void> {
    if (!this.busy) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  /** Takes a message of the server. */
  take(frame: PgFrame): void {
    const running = this.#running
    if (running?.take(frame) !== 'done') return
    const next = (): void => {
      this.#running = undefined
      this.#startNext()
    }
    // A cancellation on its way would hit whatever runs next.
    if (running.cancelling === undefined) next()
    else void running.cancelling.then(next)
  }

  /** The connection is over: so are all queries. */
  fail(error: MeshError): void {
    this.#over = error
    this.#running?.fail(error)
    this.#running = undefined
    for (const job of this.#waiting.splice(0)) job.reject(error)
    this.#tellIdle()
  }

  async #add(
    build: () => Uint8Array,
    extended: boolean,
    signal: AbortSignal | undefined,
  ): Promise<readonly QueryResult[]> {
    if (this.#over !== undefined) throw this.#over
    const bytes = build()
    return new Promise((resolve, reject) => {
      this.#waiting.push({ bytes, extended, signal, resolve, reject })
      if (!this.busy) this.#startNext()
    })
  }

  #startNext(): void {
    for (let job = this.#waiting.shift(); job !== undefined; job = this.#waiting.shift()) {
      if (job.signal?.aborted !== true) {
        this.#running = new RunningQuery(job, this.#options)
        return
      }
      job.reject(stopped(this.#options.where))
    }
    this.#tellIdle()
  }

  #tellIdle(): void {
    for (const resolve of this.#whenIdle.splice(0)) resolve()
  }
}

/** SQLSTATE of a statement that was cancelled. */
const QUERY_CANCELED = '57014'

/** A server that was asked to cancel a statement ends it within this, or the connection is dropped. */
const CANCEL_GRACE_MS = 10_000

/** The query that the server is answering. */
class RunningQuery {
  readonly #job: Job
  readonly #options: QueryQueueOptions
  readonly #collector: ResultCollector
  readonly #abort = (): void => this.#cancel()
  #cancelTimer: NodeJS.Timeout | undefined
  /** Resolves when the server has taken the cancellation, or cannot; undefined where there was none. */
  cancelling: Promise<void> | undefined

  constructor(job: Job, options: QueryQueueOptions) {
    this.#job = job
    this.#options = options
    this.#collector = new ResultCollector(options.where, options.maxResultBytes)
    job.signal?.addEventListener('abort', this.#abort, { once: true })
    options.write(job.bytes)
  }

  take(frame: PgFrame): 'more' | 'done' {
    const need = this.#collector.take(frame)
    if (need === 'done') {
      this.#settle()
      return 'done'
    }
    if (need === 'cancel') this.#cancel()
    if (need === 'endCopyIn') this.#endCopyIn()
    return 'more'
  }

  fail(error: MeshError): void {
    this.#release()
    this.#job.reject(this.#job.signal?.aborted === true ? stopped(this.#options.where) : error)
  }

  /** What was done before the cancellation came is done: its results are given. */
  #settle(): void {
    this.#release()
    try {
      this.#job.resolve(this.#collector.results())
    } catch (thrown) {
      const where = this.#options.where
      const cancelled = this.#job.signal?.aborted === true && postgresErrorOf(thrown)?.code === QUERY_CANCELED
      this.#job.reject(cancelled ? stopped(where) : toMeshError(thrown, where))
    }
  }

  #endCopyIn(): void {
    this.#options.write(copyFail('no data: this connection sends statements only'))
    // The Sync that was sent behind the statement was ignored.
    if (this.#job.extended) this.#options.write(sync())
  }

  #cancel(): void {
    if (this.cancelling !== undefined) return
    const giveUp = (): void => this.#options.destroy(stopped(this.#options.where))
    this.#cancelTimer = setTimeout(giveUp, CANCEL_GRACE_MS)
    this.cancelling = this.#options.cancel().catch(giveUp)
  }

  #release(): void {
    clearTimeout(this.#cancelTimer)
    this.#job.signal?.removeEventListener('abort', this.#abort)
  }
}

/** One packet: the statement runs in one round trip. */
function extendedQuery({ text, values, types }: ParameterisedStatement): Uint8Array {
  return concatBytes([
    parse({ name: '', text, parameterTypes: types }),
    bind({ portal: '', statement: '', formats: [], values, resultFormats: [] }),
    describe({ kind: 'portal', name: '' }),
    execute({ portal: '', maxRows: 0 }),
    sync(),
  ])
}

function stopped(where: string): MeshError {
  return new MeshError('MESH_ERR_ABORTED', { what: 'the statement was stopped before it was done', where })
}
