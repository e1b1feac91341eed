import type { Duplex } from 'node:stream'
import {
  type CancelKey,
  errorResponse,
  type PgErrorFields,
  type TransactionStatus,
} from '../../../wire/postgres/backend.ts'
import type { PgFrame, PgMessage } from '../../../wire/postgres/framer.ts'
import {
  flush,
  FRONTEND,
  parse,
  query,
  readBind,
  readClose,
  readExecute,
  readParse,
  readQuery,
  sync,
} from '../../../wire/postgres/frontend.ts'
import type { CowSession } from '../../engine.ts'
import type { Branch } from '../branch/branch.ts'
import type { ProductionGate } from '../branch/production-gate.ts'
import { hasParameters, needsWork, type PlannedStatement, tagOf, tagsOf, type TextPlan } from '../branch/text-plan.ts'
import type { ServerConnection } from '../server-connection.ts'
import type { CopyIn } from '../sql/rewriting.ts'
import { ClientMessages, type MessageTaker } from './client-messages.ts'
import { ClientOutput } from './client-output.ts'
import { COPY_TABLE } from './copy-in.ts'
import { CopyUps } from './copy-ups.ts'
import { ExtendedPassage } from './extended-passage.ts'
import { OneByOne } from './one-by-one.ts'
import { OverlayLink } from './overlay-link.ts'
import { greeting } from './greeting.ts'
import { messageOf } from './local-portal.ts'
import { Passage } from './passage.ts'
import { raise } from './raise.ts'
import { refuseUnread, takeReadable } from './readable.ts'
import { RelationNames } from './relation-names.ts'
import type { AwaitedReply } from './reply-queue.ts'
import { BACKEND_GONE, fatalOf, mapper, SHUT_DOWN, statementMapper, TOO_LONG } from './session-errors.ts'
import { mayRunAgain, SkippingPortals } from './skip-locked.ts'
import type { SnapshotKeeper } from './snapshot-keeper.ts'
import { type PreparedStatement, StatementStore } from './statement-store.ts'
import { TransactionSnapshot } from './transaction-snapshot.ts'

/** What a session is made of. */
export interface SessionOptions {
  /** To the branch's database, as the client's role; the session owns it. */
  readonly connection: ServerConnection
  readonly branch: Branch
  /** Keeps one snapshot of production for a transaction that has one. */
  readonly gate: SnapshotKeeper | undefined
  /** What the backend's foreign scans call themselves before the gate: a secret of the session's. */
  readonly scanName: string
  /** Where statements run that production can run as they are; undefined: everything runs on the overlay. */
  readonly production?: ProductionGate | undefined
  readonly user: string
  readonly cancelKey: CancelKey
}

/**
 * One client on a branch. Messages go to the client's own backend in the overlay as they come; statements that write, and the few that
 * a merged table cannot take as they are, are prepared for first:
 *
 *     client -> plan -> (probe for keys, copy up) -> text with ONLY -> overlay -> replies in order -> client
 */
export class PostgresSession implements CowSession {
  readonly cancelKey: CancelKey
  readonly #options: SessionOptions
  readonly #link: OverlayLink
  readonly #copyUps: CopyUps
  readonly #names: RelationNames
  readonly #statements = new StatementStore()
  #messages: ClientMessages | undefined
  #output: ClientOutput | undefined
  /** Undefined where everything runs on the overlay. */
  #extended: ExtendedPassage | undefined
  /** The client has said goodbye. */
  #leaving = false
  readonly #oneByOne: OneByOne
  /** Portals of COPY .. FROM into a merged table. */
  readonly #copies = new Map<string, CopyIn>()
  /** By portal: what the client is told where another statement ran in a statement's stead. */
  readonly #tags = new Map<string, () => string>()
  readonly #skipping: SkippingPortals
  readonly #snapshot: TransactionSnapshot
  /** The schema was changed by a statement that is not done before the next Sync. */
  #schemaChanged = false

  constructor(options: SessionOptions) {
    this.#options = options
    this.cancelKey = options.cancelKey
    this.#names = new RelationNames(options.branch, options.user, options.connection.parameters.get('search_path'))
    this.#link = new OverlayLink(
      options.connection,
      {
        toClient: (bytes) => this.#output?.append(bytes),
        notice: (fields) => this.#notice(fields),
        parameter: (name, value) => {
          if (name === 'search_path') this.#names.searchPath = value
        },
        transaction: (status) => this.#onStatus(status),
      },
      options.branch.unread,
    )
    this.#copyUps = new CopyUps(this.#link, options.branch)
    this.#skipping = new SkippingPortals(this.#link, this.#copyUps, (bytes) => this.#output?.append(bytes))
    this.#snapshot = new TransactionSnapshot(options.gate, options.scanName)
    this.#oneByOne = new OneByOne(this.#link, this.#copyUps, {
      toClient: (bytes) => this.#output?.append(bytes),
      note: (statement) => this.#note(statement),
      resume: () => this.#messages?.resume(),
    })
  }

  async serve(client: Duplex, signal: AbortSignal): Promise<void> {
    const { connection } = this.#options
    const output = new ClientOutput(
      client,
      () => this.#link.pause(),
      () => this.#link.resume(),
    )
    this.#output = output
    this.#openPassage(output)
    for (const bytes of greeting(connection.parameters, this.cancelKey)) output.append(bytes)
    const messages = new ClientMessages(client, this.#taker(client))
    this.#messages = messages
    let shutDown = (): void => undefined
    const ended = new Promise<void>((resolve) => {
      const end = (): void => resolve()
      shutDown = (): void => {
        this.#say(SHUT_DOWN)
        end()
      }
      client.on('data', (chunk: Buffer) => messages.push(chunk))
      client.resume()
      client.once('end', end)
      client.once('close', end)
      client.on('error', end)
      void connection.closed.then(() => {
        if (!this.#leaving && !this.#link.saidWhy) this.#say(BACKEND_GONE)
        end()
      })
      signal.addEventListener('abort', shutDown)
    })
    await ended
    signal.removeEventListener('abort', shutDown)
    this.#extended?.end()
    output.flush()
    client.end()
    // What it runs in a transaction block comes to nothing: production is held for that no longer.
    if (connection.status !== 'I') this.#onStatus('I')
    await this.#link.leave(signal)
    this.#onStatus('I')
  }

  /** Stops what runs, as PostgreSQL's cancel request does. */
  cancel(): void {
    if (this.#extended?.passage.cancel() !== true) this.#options.connection.cancel().catch(() => undefined)
  }

  #taker(client: Duplex): MessageTaker {
    const [link, oneByOne] = [this.#link, this.#oneByOne]
    return {
      take: (frame) => this.#takeRead(frame),
      get takesMore() {
        return link.copying && !oneByOne.copyEnded
      },
      failed: (thrown) => {
        this.#say(fatalOf(thrown))
        client.destroy()
      },
    }
  }

  #openPassage(output: ClientOutput): void {
    const { branch, production, user } = this.#options
    if (production === undefined) return
    const names = this.#names
    const passage = new Passage({ link: this.#link, branch, gate: production, names, user, output })
    this.#extended = new ExtendedPassage(passage, this.#statements, {
      scopeKey: () => (names.sharingKey === '' ? '' : `${user}\0${names.sharingKey}`),
      redo: (frame) => this.#take(frame),
      leave: (frame) => this.#takeForOverlay(frame),
    })
  }

  #notice(fields: PgErrorFields): boolean {
    const notice = this.#options.branch.notice(fields)
    if (notice === 'schema') this.#extended?.passage.noteSchemaChange()
    return notice !== undefined
  }

  #say(fields: PgErrorFields): void {
    this.#output?.append(errorResponse(fields))
    this.#output?.flush()
  }

  #takeRead(frame: PgFrame): Promise<void> | undefined {
    if (this.#extended?.isSkipping === true) return this.#take(frame)
    return takeReadable(this.#link, frame, (read) => this.#take(read))
  }

  #take(frame: PgFrame): Promise<void> | undefined {
    try {
      const handled = this.#extended?.take(frame)
      if (handled !== undefined) return handled === true ? undefined : handled
      return this.#takeForOverlay(frame)
    } catch (thrown) {
      if (!refuseUnread(this.#link, frame, thrown)) throw thrown
      this.#extended?.note(undefined)
      return undefined
    }
  }

  #takeForOverlay(frame: PgFrame): Promise<void> | undefined {
    if (frame.piece !== undefined) return this.#takePiece(frame.type, frame.piece, frame.first)
    const link = this.#link
    switch (frame.type) {
      case FRONTEND.query:
        return this.#query(frame)
      case FRONTEND.parse:
        return this.#parse(frame)
      case FRONTEND.bind:
        return this.#bind(frame)
      case FRONTEND.describe:
        link.send(frame.bytes, { kind: 'describe' })
        return undefined
      case FRONTEND.execute: {
        const { portal, maxRows } = readExecute(frame.payload)
        const copyIn = this.#copies.get(portal)
        if (copyIn !== undefined) return this.#oneByOne.executeCopy(Uint8Array.from(frame.bytes), copyIn)
        const run = this.#skipping.execute(portal, maxRows)
        if (run === undefined) link.send(frame.bytes, { kind: 'execute', mapTag: this.#tags.get(portal) })
        return run
      }
      case FRONTEND.copyDone:
      case FRONTEND.copyFail:
        this.#oneByOne.copyEnded = true
        link.sendBare(frame.bytes)
        // A Flush from before the rows was ignored; in a simple COPY this one does nothing.
        link.sendBare(flush())
        return undefined
      case FRONTEND.close:
        return this.#close(frame)
      case FRONTEND.sync:
        if (link.copying) link.sendBare(frame.bytes)
        else link.send(frame.bytes, { kind: 'sync' })
        return this.#schemaChanged ? this.#afterSchemaChange() : undefined
      case FRONTEND.functionCall:
        // Answered like a query; no driver sends it.
        this.#extended?.note(undefined)
        link.send(frame.bytes, { kind: 'query' })
        return undefined
      default:
        link.sendBare(frame.bytes)
        // A client that says goodbye gets no answer: its pool would take one for an error of a connection that it still has.
        if (frame.type === FRONTEND.terminate) this.#leaving = true
        return undefined
    }
  }

  #takePiece(type: number, bytes: Uint8Array, first: boolean): Promise<void> | undefined {
    if (type === FRONTEND.copyData) this.#link.sendBare(bytes)
    else if (first) {
      raise(this.#link, TOO_LONG)
      if (type === FRONTEND.query) this.#link.send(sync(), { kind: 'sync' })
    }
    return undefined
  }

  #query(frame: PgMessage): Promise<void> | undefined {
    const text = readQuery(frame.payload)
    const passage = this.#extended?.passage
    const passable = passage?.passable(text)
    if (passage === undefined || passable === undefined) return this.#queryOverlay(text)
    return passage.query(passable).then((isDone) => (isDone ? this.#extended?.endUnnamed() : this.#queryOverlay(text)))
  }

  #queryOverlay(text: string): Promise<void> | undefined {
    // A simple query ends the unnamed statement (PostgreSQL manual 54.2.3).
    const undone = this.#statements.close('')
    const plan = this.#options.branch.plan(text, this.#names)
    this.#extended?.passage.joinPipeline()
    if (plan.refusal !== undefined) {
      this.#options.branch.counters.refused++
      raise(this.#link, plan.refusal)
      this.#link.send(sync(), { kind: 'sync' })
      return undefined
    }
    if (plan.direct === undefined && !hasParameters(plan)) return this.#runOneByOne(plan)
    if (plan.statements.length === 0) this.#extended?.note(undefined)
    for (const statement of plan.statements) this.#note(statement)
    this.#link.send(query(this.#link.encoding.encode(plan.direct ?? text)), {
      kind: 'query',
      mapError: mapper(plan),
      mapTag: tagsOf(plan),
      undone,
    })
    return plan.changesSchema ? this.#afterSchemaChange() : undefined
  }

  async #runOneByOne(plan: TextPlan): Promise<void> {
    await this.#oneByOne.run(plan)
    if (plan.changesSchema) await this.#afterSchemaChange()
  }

  #parse(frame: PgMessage): Promise<void> | undefined {
    const message = readParse(frame.payload)
    const plan = this.#options.branch.plan(message.text, this.#names)
    const [statement] = plan.statements
    const single = plan.statements.length === 1 && statement !== undefined
    const prepared: PreparedStatement = { plan, statedTypes: message.parameterTypes, parameterTypes: undefined }
    const undone = this.#statements.prepare(message.name, prepared)
    const refusal = plan.refusal ?? (single ? statement.refusal : undefined)
    if (refusal !== undefined) {
      undone(this.#link.skipping ? 'skipped' : 'failed')
      raise(this.#link, refusal)
      return undefined
    }
    const copied = single ? statement.copyIn?.textFor(COPY_TABLE) : undefined
    const text = plan.direct ?? copied ?? (single ? statement.text : message.text)
    const extended = this.#extended
    if (extended?.parse(message, plan, prepared, frame.bytes) === true) return undefined
    const encoded = this.#link.encoding.encode(text)
    const bytes = encoded === message.text ? frame.bytes : parse({ ...message, text: encoded })
    const reply: AwaitedReply = { kind: 'parse', mapError: single ? statementMapper(statement) : undefined, undone }
    this.#link.send(bytes, extended?.parseReply(message, prepared, reply) ?? reply)
    return undefined
  }

  #bind(frame: PgMessage): Promise<void> | undefined {
    // The statement's work is done before it is bound, not before it is executed: a portal of a SELECT takes its snapshot here.
    const message = readBind(frame.payload)
    const prepared = this.#statements.prepared(message.statement)
    const statement = prepared?.plan.statements[0]
    if (statement === undefined) this.#extended?.note(undefined)
    else this.#note(statement)
    this.#copies.delete(message.portal)
    const tag = statement === undefined ? undefined : tagOf(statement)
    if (tag === undefined) this.#tags.delete(message.portal)
    else this.#tags.set(message.portal, () => tag)
    this.#skipping.forget(message.portal)
    if (statement?.copyIn !== undefined) this.#copies.set(message.portal, statement.copyIn)
    if (prepared?.plan.changesSchema === true) this.#schemaChanged = true
    if (prepared === undefined || statement === undefined || !needsWork(statement)) {
      this.#link.send(frame.bytes, { kind: 'bind' })
      return undefined
    }
    return this.#bindAfterWork(prepared, statement, Uint8Array.from(frame.bytes))
  }

  async #bindAfterWork(prepared: PreparedStatement, statement: PlannedStatement, bytes: Uint8Array): Promise<void> {
    const message = readBind(bytes.subarray(5))
    await this.#link.settle()
    // What was sent before may have failed: then that Parse was none, and in a failed transaction there is nothing to prepare for.
    if (this.#statements.prepared(message.statement) !== prepared) return this.#bind(messageOf(bytes))
    if (this.#link.synced && this.#options.connection.status === 'E') {
      this.#link.send(bytes, { kind: 'bind' })
      return
    }
    const types = message.values.length === 0 ? [] : await this.#copyUps.typesOf(message.statement, prepared)
    const given = { types, bind: message }
    const hadCandidates = await this.#copyUps.before(statement, given)
    this.#link.send(bytes, { kind: 'bind' })
    if (hadCandidates && mayRunAgain(statement)) this.#skipping.add(message.portal, statement, given, bytes)
  }

  #close(frame: PgMessage): undefined {
    const { kind, name } = readClose(frame.payload)
    if (kind === 'portal') this.#tags.delete(name)
    const undone = kind === 'statement' ? this.#statements.close(name) : undefined
    this.#link.send(frame.bytes, { kind: 'close', undone })
  }

  /** Told of each statement before it runs. */
  #note(planned: PlannedStatement): void {
    const { writes, statement } = planned
    this.#extended?.note(planned)
    const { counters } = this.#options.branch
    counters.overlaid++
    if (writes) counters.diverted++
    this.#snapshot.note(planned)
    this.#names.note(statement.detail)
  }

  #onStatus(status: TransactionStatus): void {
    if (this.#extended?.onStatus(status) === true) this.#options.branch.reload().catch(() => undefined)
    this.#snapshot.onStatus(status)
  }

  async #afterSchemaChange(): Promise<void> {
    this.#schemaChanged = false
    await this.#link.settle()
    const { branch } = this.#options
    await (branch.reloading ?? branch.reload())
  }
}
