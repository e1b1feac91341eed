import type { Duplex } from 'node:stream'
import { monotonicNs } from '../../../core/clock.ts'
import { concatBytes } from '../../../core/bytes.ts'
import {
  dataRow,
  parseComplete,
  type PgField,
  rowDescription,
  type TransactionStatus,
} from '../../../wire/postgres/backend.ts'
import type { PgErrorFields } from '../../../wire/postgres/error-fields.ts'
import type { PgMessage } from '../../../wire/postgres/framer.ts'
import { FRONTEND, readParse, readQuery } from '../../../wire/postgres/frontend.ts'
import { MessageBuilder } from '../../../wire/postgres/message-builder.ts'
import { PayloadReader } from '../../../wire/postgres/payload-reader.ts'
import type { ExplainCache } from './explain-cache.ts'
import { driftFault, faultOf, gateFault, isDrift, SQLSTATE } from './faults.ts'
import { type FdwCommand, readFdwCommand, readFdwCommands } from './fdw-command.ts'
import { FdwReply } from './fdw-reply.ts'
import { FdwModifications } from './fdw-modifications.ts'
import type { FdwScans } from './fdw-scans.ts'
import type { FdwVerdict } from './fdw-statement.ts'
import { NO_PARAMETERS, type RowSink, type UpstreamStatement } from './upstream-statement.ts'

/** What a connection of postgres_fdw needs of the gate. */
export interface FdwSessionOptions {
  readonly scans: FdwScans
  readonly explains: ExplainCache
  judge(text: string): FdwVerdict
  /** postgres_fdw's transaction is SERIALIZABLE: the client's is, and needs a snapshot. */
  serializable(isBegun: boolean): void
  setting(name: string, value: string): void
  /** A scan found production's schema changed. */
  drifted(): void
  /** What mesh says to a function of the overlay that asks. */
  answer(question: string): string
}

/**
 * The server side of one connection of postgres_fdw, after its startup. It knows nothing but the commands that postgres_fdw has:
 * those of the session are answered here, cursors by production.
 */
export class FdwSession {
  readonly #options: FdwSessionOptions
  readonly #reply: FdwReply
  readonly #queue: (() => Promise<void>)[] = []
  #isWorking = false
  #status: TransactionStatus = 'I'
  /** Messages of one extended query, up to its Sync. */
  #parsed: Parsed | undefined
  #bound: Bound = NOTHING_BOUND
  readonly #modifications = new FdwModifications()
  #batchFault: PgErrorFields | undefined

  constructor(socket: Duplex, options: FdwSessionOptions) {
    this.#options = options
    this.#reply = new FdwReply(socket)
  }

  /** Takes one message. They are worked off one after the other. Throws at one that cannot be read. */
  take(message: PgMessage): void {
    switch (message.type) {
      case FRONTEND.query: {
        const text = readQuery(message.payload)
        this.#enqueue(() => this.#query(text))
        return
      }
      case FRONTEND.parse: {
        const { name, text, parameterTypes } = readParse(message.payload)
        this.#parsed = { name, text, parameterTypes }
        return
      }
      case FRONTEND.bind:
        this.#bound = boundBy(message.payload)
        return
      case FRONTEND.sync: {
        const batch = { parsed: this.#parsed, bound: this.#bound, fault: this.#batchFault }
        this.#parsed = undefined
        this.#bound = NOTHING_BOUND
        this.#batchFault = undefined
        this.#enqueue(() => this.#batch(batch))
        return
      }
      case FRONTEND.describe:
      case FRONTEND.execute:
      case FRONTEND.flush:
        return
      default:
        this.#batchFault = gateFault(SQLSTATE.protocolViolation, `message ${message.type} is not one of postgres_fdw's`)
    }
  }

  cancel(): void {
    this.#options.scans.cancel()
  }

  /** The connection is gone. */
  close(): void {
    this.#queue.length = 0
    this.#reply.close()
    this.#options.scans.destroy()
    this.#options.serializable(false)
  }

  #enqueue(work: () => Promise<void>): void {
    this.#queue.push(work)
    if (!this.#isWorking) void this.#work()
  }

  async #work(): Promise<void> {
    this.#isWorking = true
    for (let work = this.#queue.shift(); work !== undefined; work = this.#queue.shift()) {
      try {
        await work()
      } catch (error) {
        this.#fail(faultOf(error))
      }
      this.#reply.ready(this.#status)
    }
    this.#isWorking = false
  }

  async #query(text: string): Promise<void> {
    const commands = readFdwCommands(text)
    if (commands === undefined) {
      this.#fail(notOurs(text))
      return
    }
    for (const command of commands) {
      const fault = await this.#run(command, NO_PARAMETERS, [])
      if (fault !== undefined) {
        this.#fail(fault)
        return
      }
      // ANALYZE declares its cursor without parameters.
      if (command.kind === 'declare') this.#reply.completed('DECLARE CURSOR')
    }
  }

  /** By the extended protocol postgres_fdw sends DECLARE, with its parameters, and what would change a row. */
  async #batch(batch: Batch): Promise<void> {
    const { parsed, bound, fault } = batch
    if (fault === undefined && (bound.statement !== '' || (parsed !== undefined && parsed.name !== ''))) {
      this.#modify(parsed, bound)
      return
    }
    if (parsed === undefined && fault === undefined) return
    const command = parsed === undefined ? undefined : readFdwCommand(parsed.text)
    if (fault !== undefined || command?.kind !== 'declare') {
      this.#fail(fault ?? notOurs(parsed?.text ?? ''))
      return
    }
    const failed = await this.#run(command, bound.tail, parsed?.parameterTypes ?? [])
    if (failed === undefined) this.#reply.declared()
    else this.#fail(failed)
  }

  /** One Parse, or one Bind with its Execute. */
  #modify(parsed: Parsed | undefined, bound: Bound): void {
    const isPrepared = parsed !== undefined
    const answer = isPrepared
      ? this.#modifications.prepare(parsed.name, parsed.text)
      : this.#modifications.execute(bound.statement, bound.values)
    if (typeof answer === 'string') {
      this.#fail(gateFault(SQLSTATE.refused, `the gate to production refuses a statement: ${answer}`))
      return
    }
    for (const bytes of answer ?? [parseComplete()]) this.#reply.append(bytes)
  }

  #fail(fault: PgErrorFields): void {
    const hasDrifted = isDrift(fault)
    if (hasDrifted) this.#options.drifted()
    this.#reply.failed(hasDrifted ? driftFault(fault) : fault)
    if (this.#status === 'T') this.#status = 'E'
  }

  async #run(command: FdwCommand, tail: Uint8Array, types: readonly number[]): Promise<PgErrorFields | undefined> {
    const { kind } = command
    if (kind === 'fetch') return this.#options.scans.fetch(command.cursor, command.count, this.#reply)
    if (kind === 'explain') return this.#explain(command.text)
    if (kind === 'select') return this.#select(command.text)
    if (kind === 'question') return this.#answer(command.text)
    if (kind === 'truncate') return this.#truncate(command.text)
    if (kind === 'declare')
      return this.#declare(command.cursor, { text: command.text, parameterTypes: types, bindTail: tail })
    this.#local(command)
    return undefined
  }

  #declare(cursor: string, statement: UpstreamStatement): PgErrorFields | undefined {
    const verdict = this.#options.judge(statement.text)
    if (verdict.kind === 'refused') return refusal(verdict.reason)
    return this.#options.scans.declare(cursor, { ...statement, text: verdict.text })
  }

  #truncate(text: string): PgErrorFields | undefined {
    if (!this.#modifications.truncates(text)) return notOurs(text)
    this.#reply.completed('TRUNCATE TABLE')
    return undefined
  }

  #answer(question: string): undefined {
    const answer = this.#options.answer(question)
    this.#reply.append(rowDescription([ANSWER]))
    this.#reply.append(dataRow([answer]))
    this.#reply.completed('SELECT 1')
  }

  /** What only this session knows of: production hears nothing of it. */
  #local(
    command: Exclude<FdwCommand, { kind: 'fetch' | 'explain' | 'select' | 'declare' | 'question' | 'truncate' }>,
  ): void {
    const { scans } = this.#options
    switch (command.kind) {
      case 'set':
        this.#options.setting(command.name, command.value)
        this.#reply.completed('SET')
        return
      case 'start':
        this.#status = 'T'
        if (command.isSerializable) this.#options.serializable(true)
        this.#reply.completed('START TRANSACTION')
        return
      case 'commit':
      case 'abort':
        scans.end()
        this.#modifications.forget(0)
        this.#options.serializable(false)
        this.#reply.completed(command.kind === 'commit' && this.#status !== 'E' ? 'COMMIT' : 'ROLLBACK')
        this.#status = 'I'
        return
      case 'savepoint':
        scans.savepoint(command.level)
        this.#modifications.savepoint(command.level)
        this.#reply.completed('SAVEPOINT')
        return
      case 'release':
        scans.release(command.level)
        this.#modifications.release(command.level)
        this.#reply.completed('RELEASE')
        return
      case 'rollbackTo':
        scans.rollbackTo(command.level)
        this.#modifications.forget(command.level)
        this.#status = 'T'
        this.#reply.completed('ROLLBACK')
        return
      case 'close':
        scans.close(command.cursor)
        this.#reply.completed('CLOSE CURSOR')
        return
      case 'deallocate':
        this.#modifications.deallocate(command.name)
        this.#reply.completed(command.name === undefined ? 'DEALLOCATE ALL' : 'DEALLOCATE')
    }
  }

  async #explain(text: string): Promise<PgErrorFields | undefined> {
    const { explains, scans } = this.#options
    const verdict = this.#options.judge(text)
    if (verdict.kind === 'refused') return refusal(verdict.reason)
    let explanation = explains.get(verdict.text, nowMs())
    if (explanation === undefined) {
      const pieces: Uint8Array[] = []
      const end = await scans.runWhole(plain(`EXPLAIN ${verdict.text}`), 'explain', collector(pieces))
      if (end.kind === 'failed') return end.error
      explanation = { bytes: concatBytes(pieces), rows: end.rows }
      explains.set(verdict.text, explanation, nowMs())
    }
    this.#reply.append(explanation.bytes)
    this.#reply.completed('EXPLAIN')
    return undefined
  }

  /** What ANALYZE and IMPORT FOREIGN SCHEMA ask of the catalogue. */
  async #select(text: string): Promise<PgErrorFields | undefined> {
    const verdict = this.#options.judge(text)
    if (verdict.kind === 'refused') return refusal(verdict.reason)
    const sink = this.#reply.sink({
      onDescription: (bytes) => this.#reply.append(bytes),
      mayTake: () => true,
    })
    const end = await this.#options.scans.runWhole(plain(verdict.text), 'scan', sink)
    if (end.kind === 'failed') return end.error
    this.#reply.completed(`SELECT ${end.rows}`)
    return undefined
  }
}

const ANSWER: PgField = {
  name: 'answer',
  tableOid: 0,
  column: 0,
  typeOid: 25,
  typeBytes: -1,
  typeModifier: -1,
  format: 0,
}

interface Parsed {
  readonly name: string
  readonly text: string
  readonly parameterTypes: readonly number[]
}

/** What a Bind says. */
interface Bound {
  readonly statement: string
  readonly values: readonly (Uint8Array | null)[]
  /** Its rest behind the names. */
  readonly tail: Uint8Array
}

const NOTHING_BOUND: Bound = { statement: '', values: [], tail: NO_PARAMETERS }

interface Batch {
  readonly parsed: Parsed | undefined
  readonly bound: Bound
  readonly fault: PgErrorFields | undefined
}

function plain(text: string): UpstreamStatement {
  return { text, parameterTypes: [], bindTail: NO_PARAMETERS }
}

function collector(pieces: Uint8Array[]): RowSink {
  const keep = (bytes: Uint8Array): void => void pieces.push(Uint8Array.from(bytes))
  return {
    description: keep,
    rows: (bytes) => {
      keep(bytes)
      return true
    },
    whenReady: () => Promise.resolve(),
  }
}

/** The cursor's rows come in text form: the result formats of DECLARE itself are dropped. Values are copied where they are kept. */
function boundBy(payload: Uint8Array): Bound {
  const reader = new PayloadReader(payload, 'Bind')
  reader.text()
  const statement = reader.text()
  const tail = new MessageBuilder(payload.length)
  const formats = reader.list(reader.uint16(), 2, () => reader.int16())
  tail.count(formats.length)
  for (const format of formats) tail.int16(format)
  const values = reader.list(reader.uint16(), 4, () => reader.borrowValue())
  tail.count(values.length)
  for (const value of values) tail.value(value)
  const kept = statement === '' ? [] : values.map((value) => (value === null ? null : Uint8Array.from(value)))
  return { statement, values: kept, tail: tail.int16(0).finish() }
}

function notOurs(text: string): PgErrorFields {
  const start = text.slice(0, 40)
  return gateFault(
    SQLSTATE.refused,
    `the gate to production takes reads of postgres_fdw only, found "${start}${text.length > 40 ? '…' : ''}"`,
    'write to the overlay: base rows are copied up by mesh first',
  )
}

function refusal(reason: string): PgErrorFields {
  return gateFault(SQLSTATE.refused, `the gate to production refuses a statement: ${reason}`)
}

function nowMs(): number {
  return monotonicNs() / 1e6
}
